/**
 * The file format of backups and exports: JSON lines, gzipped for backups. The first line says what the
 * file is, the last one how many lines came before and their SHA-256, so that a cut or changed file is
 * refused before any of it is believed. One format for every store: a backup of one restores into another.
 *
 * header    {"stepwell":"backup"|"execution","version":1,…}
 * execution {"execution":ARN,"head":{"seq","digest"},"commits":N}, and N lines
 *           {"after","count","digest","facts"} with the facts as the text that the digests chain
 * document  {"kind","id","body"}
 * trailer   {"end":true,"lines":N,"sha256":HEX}
 */
import { createHash } from 'node:crypto';
import type { ExecutionArn } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { JournalHead } from '../store/care.js';
import type { JournalCommit } from '../store/store.js';

export const ARCHIVE_VERSION = 1;
/** A line holds one commit or document; longer ones are no archive of ours. */
const MAX_LINE_BYTES = 512 * 1024 * 1024;

export interface ArchivedExecution {
  readonly execution: ExecutionArn;
  readonly head: JournalHead | null;
  readonly commits: number;
}

export interface ArchivedDocument {
  readonly kind: string;
  readonly id: string;
  readonly body: Json;
}

export type ArchiveLine = ArchivedExecution | JournalCommit | ArchivedDocument;

/** The file is not what `stepwell backup` or `stepwell export` wrote. */
export class ArchiveDamaged extends Error {
  override readonly name = 'ArchiveDamaged';
  constructor(reason: string) {
    super(`The file cannot be used: ${reason}. Nothing of it has been used.`);
  }
}

/** Lines of text with their end and its checksum. */
export async function* writeArchive(
  header: JsonObject,
  lines: AsyncIterable<ArchiveLine>,
): AsyncGenerator<string> {
  const hash = createHash('sha256');
  let count = 0;
  const next = (line: unknown): string => {
    const text = `${JSON.stringify(line)}\n`;
    hash.update(text);
    count += 1;
    return text;
  };
  yield next(header);
  for await (const line of lines) yield next(line);
  yield `${JSON.stringify({ end: true, lines: count, sha256: hash.digest('hex') })}\n`;
}

/** Every line parsed, header first and without the trailer; throws at the end when the sum is wrong. */
export async function* readArchive(
  chunks: AsyncIterable<Buffer>,
  expects: 'backup' | 'execution',
): AsyncGenerator<JsonObject> {
  const hash = createHash('sha256');
  let count = 0;
  let end: JsonObject | null = null;
  for await (const text of linesOf(chunks)) {
    if (end !== null) throw new ArchiveDamaged('something follows its last line');
    const line = parse(text, count + 1);
    if (line.end === true) {
      end = line;
      continue;
    }
    hash.update(`${text}\n`);
    count += 1;
    if (count === 1) checkHeader(line, expects);
    yield line;
  }
  if (end === null) throw new ArchiveDamaged('its last line is missing, the file was cut');
  if (end.lines !== count || end.sha256 !== hash.digest('hex')) {
    throw new ArchiveDamaged('its checksum does not match, the file was changed');
  }
}

function checkHeader(header: JsonObject, expects: string): void {
  if (header.stepwell !== expects) {
    throw new ArchiveDamaged(`it does not begin with the header of a Stepwell ${expects}`);
  }
  if (typeof header.version !== 'number' || header.version > ARCHIVE_VERSION) {
    throw new ArchiveDamaged(
      `it has format version ${JSON.stringify(header.version)}; this program knows ${ARCHIVE_VERSION}`,
    );
  }
}

function parse(text: string, line: number): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as JsonObject;
  } catch {
    // Said below.
  }
  throw new ArchiveDamaged(`line ${line} is not a JSON object`);
}

async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      yield Buffer.concat([...pieces, chunk.subarray(from, at)]).toString('utf8');
      pieces = [];
      bytes = 0;
      from = at + 1;
    }
    pieces.push(chunk.subarray(from));
    bytes += chunk.length - from;
    if (bytes > MAX_LINE_BYTES) throw new ArchiveDamaged('one of its lines never ends');
  }
  if (bytes > 0) throw new ArchiveDamaged('its last line is cut');
}
