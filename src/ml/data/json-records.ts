/**
 * JSON Lines and JSON documents as records. An array at the top is read element by element with flat
 * memory; an array deeper inside (`rowsAt: "data.items"`) needs the whole document.
 */
import { getOwn, isArray, isObject, type Json } from '../../lib/json.js';
import { badFormat, tooLarge } from './data-failure.js';
import { LINE_BYTES_MAX, WHOLE_JSON_BYTES_MAX } from './limits.js';
import { type Line, lines } from './lines.js';
import {
  badRecord,
  nameOfKind,
  type RecordStream,
  recordOfJson,
  type SourceRecord,
} from './record.js';

export function jsonLinesRecords(bytes: AsyncIterable<Uint8Array>): RecordStream {
  return { columns: null, unit: 'line', typed: true, batches: fromLines(bytes) };
}

async function* fromLines(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly SourceRecord[]> {
  for await (const batch of lines(bytes)) {
    const records: SourceRecord[] = [];
    for (const line of batch) if (line.text.trim() !== '') records.push(recordOfLine(line));
    if (records.length > 0) yield records;
  }
}

function recordOfLine(line: Line): SourceRecord {
  if (!line.valid) return badRecord(line.number, 'not valid UTF-8', line.text);
  return recordOfText(line.text, line.number);
}

function recordOfText(text: string, number: number): SourceRecord {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    return badRecord(number, `not JSON: ${(error as Error).message}`, text);
  }
  return recordOfJson(value, number, text);
}

export async function jsonRecords(
  bytes: AsyncIterable<Uint8Array>,
  rowsAt: string | null,
): Promise<RecordStream> {
  if (rowsAt !== null) {
    const rows = rowsInside(await wholeDocument(bytes), rowsAt);
    return { columns: null, unit: 'element', typed: true, batches: once(rows) };
  }
  const [head, all] = await peek(bytes);
  if (head === '[') return { columns: null, unit: 'element', typed: true, batches: elements(all) };
  if (head === '{') {
    const document = await wholeDocument(all);
    const arrays = Object.keys(document as object).filter((key) =>
      isArray(getOwn(document as Record<string, Json>, key)),
    );
    const mend =
      arrays.length > 0
        ? `Set rowsAt to the array of rows: ${arrays.map((key) => `"${key}"`).join(' or ')}.`
        : 'Set rowsAt to the path of the array of rows.';
    throw badFormat(`the document is one object, expected an array of objects. ${mend}`);
  }
  throw badFormat(
    head === ''
      ? 'the document is empty, expected a JSON array of objects.'
      : `the document begins with ${JSON.stringify(head)}, expected "[" of a JSON array.`,
  );
}

async function* once(rows: readonly Json[]): AsyncGenerator<readonly SourceRecord[]> {
  yield rows.map((row, index) => recordOfJson(row, index + 1, JSON.stringify(row)));
}

function rowsInside(document: Json, rowsAt: string): readonly Json[] {
  let value: Json | undefined = document;
  const steps = rowsAt
    .replace(/^\$\.?/, '')
    .split('.')
    .filter((step) => step !== '');
  for (const step of steps) value = isObject(value) ? getOwn(value, step) : undefined;
  if (!isArray(value)) {
    const found = value === undefined ? 'nothing' : nameOfKind(value);
    throw badFormat(`rowsAt "${rowsAt}" leads to ${found}, expected an array of objects.`);
  }
  return value;
}

async function wholeDocument(bytes: AsyncIterable<Uint8Array>): Promise<Json> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.byteLength;
    if (size > WHOLE_JSON_BYTES_MAX) {
      throw tooLarge(
        `the JSON document is larger than ${WHOLE_JSON_BYTES_MAX} bytes: ` +
          'deliver JSON Lines, or an array at the top, which are read piece by piece.',
      );
    }
    chunks.push(chunk);
  }
  const text = utf8(Buffer.concat(chunks)).replace(/^\uFEFF/, '');
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    const lineBreak = /^\s*\{.*\}\s*\n\s*\{/s.test(text.slice(0, 100_000));
    const mend = lineBreak ? ' It looks like JSON Lines: set format to "jsonl".' : '';
    throw badFormat(`not JSON: ${(error as Error).message}.${mend}`);
  }
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw badFormat('the document is not valid UTF-8.');
  }
}

/** The first character that is not blank, and the same bytes again. */
async function peek(
  bytes: AsyncIterable<Uint8Array>,
): Promise<[string, AsyncIterable<Uint8Array>]> {
  const iterator = bytes[Symbol.asyncIterator]();
  const seen: Uint8Array[] = [];
  let head = '';
  while (head === '') {
    const next = await iterator.next();
    if (next.done) break;
    seen.push(next.value);
    head = Buffer.from(next.value)
      .toString('utf8')
      .replace(/^\uFEFF/, '')
      .trimStart()
      .slice(0, 1);
  }
  const again = async function* () {
    try {
      yield* seen;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  };
  return [head, again()];
}

/**
 * Splits the elements of a top-level array without parsing them. Only strings and brackets matter for
 * that; each element is then parsed on its own, so that a broken one costs one record.
 */
async function* elements(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly SourceRecord[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const splitter = elementSplitter();
  for await (const chunk of bytes) {
    const records = splitter.push(decode(decoder, chunk));
    if (records.length > 0) yield records;
  }
  decode(decoder, null);
  splitter.end();
}

function decode(decoder: InstanceType<typeof TextDecoder>, chunk: Uint8Array | null): string {
  try {
    return chunk === null ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch {
    throw badFormat('the document is not valid UTF-8.');
  }
}

type Expecting = 'open' | 'element' | 'end';

function elementSplitter() {
  let expecting: Expecting = 'open';
  let depth = 0;
  let inString = false;
  let escaped = false;
  let element = '';
  let count = 0;

  const take = (records: SourceRecord[], closing: boolean) => {
    const text = element.trim();
    element = '';
    if (text === '' && closing && count === 0) return;
    count++;
    records.push(
      text === '' ? badRecord(count, 'nothing between two commas', '') : recordOfText(text, count),
    );
  };

  const push = (text: string): SourceRecord[] => {
    const records: SourceRecord[] = [];
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const character = text.charCodeAt(at);
      if (expecting !== 'element') {
        expecting = outside(expecting, text[at] as string, count);
        from = at + 1;
      } else if (inString) {
        if (escaped) escaped = false;
        else if (character === BACKSLASH) escaped = true;
        else if (character === QUOTE) inString = false;
      } else if (character === QUOTE) inString = true;
      else if (character === OPEN_BRACE || character === OPEN_BRACKET) depth++;
      else if (depth > 0 && (character === CLOSE_BRACE || character === CLOSE_BRACKET)) depth--;
      else if (depth === 0 && (character === COMMA || character === CLOSE_BRACKET)) {
        element += text.slice(from, at);
        from = at + 1;
        take(records, character === CLOSE_BRACKET);
        if (character === CLOSE_BRACKET) expecting = 'end';
      }
    }
    if (expecting === 'element') element += text.slice(from);
    if (element.length > LINE_BYTES_MAX) {
      throw badFormat(`element ${count + 1} is longer than ${LINE_BYTES_MAX} characters.`);
    }
    return records;
  };

  const end = () => {
    if (expecting !== 'end') {
      throw badFormat(
        `the array is not closed: the document ends inside element ${count + 1} (cut off?).`,
      );
    }
  };
  return { push, end };
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function outside(expecting: Expecting, character: string, count: number): Expecting {
  if (/\s|\uFEFF/.test(character)) return expecting;
  if (expecting === 'open' && character === '[') return 'element';
  throw badFormat(
    expecting === 'open'
      ? `the document begins with ${JSON.stringify(character)}, expected "[".`
      : `after element ${count} the array ends, but the document goes on with ${JSON.stringify(character)}.`,
  );
}
