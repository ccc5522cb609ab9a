/**
 * The registry's append-only log: one JSON line an entry, each holding the hash of the one before.
 * `head.json` beside it keeps the last hash, so that a log cut short at an entry's edge is seen too.
 * An incomplete last line is what a crash leaves: it was never acknowledged, so it is dropped, and a
 * note in the log says so. Anything else that does not fit the chain stops every change.
 */
import { stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../lib/brand.js';
import { chainDigest, EMPTY_DIGEST, sha256 } from '../../lib/digest.js';
import {
  canonicalJson,
  fromEntries,
  isObject,
  type Json,
  type JsonObject,
} from '../../lib/json.js';
import {
  appendDurably,
  readBytesIfPresent,
  readJsonIfPresent,
  replaceFile,
  syncFolder,
} from './files.js';
import { MAX_ENTRY_BYTES } from './limits.js';

/** Who did what, when and why; `data` depends on `what`. */
export interface LogEntry {
  readonly seq: number;
  readonly at: string;
  readonly who: string;
  readonly what: string;
  readonly why: string;
  readonly data: JsonObject;
  readonly previous: string;
  readonly hash: string;
}

export type NewEntry = Pick<LogEntry, 'who' | 'what' | 'why' | 'data'>;

export interface LogContent {
  readonly entries: readonly LogEntry[];
  /** An incomplete last line; empty when the log is whole. */
  readonly torn: Uint8Array;
}

export interface Verification {
  readonly valid: boolean;
  readonly entries: number;
  /** Hash of the last entry: keep it elsewhere to prove later that nothing was rewritten. */
  readonly head: string;
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

export class LogCorrupt extends Error {
  override readonly name = 'LogCorrupt';
}

const logPath = (folder: string): string => join(folder, 'log.jsonl');
const headPath = (folder: string): string => join(folder, 'head.json');

/** Reads the whole log and checks its chain; throws LogCorrupt where the chain breaks. */
export async function readLog(folder: string): Promise<LogContent> {
  const { whole, torn } = await linesOf(folder);
  const { entries, problems } = chain(whole);
  if (problems.length > 0) throw new LogCorrupt(`${logPath(folder)}: ${problems[0]}`);
  return { entries, torn };
}

/** Size and modification time, to see cheaply whether the log has changed since it was read. */
export async function stampOf(folder: string): Promise<string> {
  try {
    const { size, mtimeMs, ino } = await stat(logPath(folder));
    return `${ino}:${size}:${mtimeMs}`;
  } catch {
    return 'absent';
  }
}

/** Appends one entry durably. The caller holds the folder's lock and has just read `content`. */
export async function appendEntry(
  folder: string,
  content: LogContent,
  entry: NewEntry,
  now: number,
): Promise<readonly LogEntry[]> {
  const fresh: LogEntry[] = [];
  let last = content.entries.at(-1) ?? null;
  if (content.torn.length > 0) {
    const { size } = await stat(logPath(folder));
    await truncate(logPath(folder), size - content.torn.length);
    fresh.push((last = seal(last, tornNote(content.torn), now)));
  }
  fresh.push((last = seal(last, entry, now)));
  const lines = fresh.map((item) => JSON.stringify(item));
  const tooBig = lines.find((line) => Buffer.byteLength(line) > MAX_ENTRY_BYTES);
  if (tooBig !== undefined) {
    throw new Error(`A registry entry may have ${MAX_ENTRY_BYTES} bytes; this one has more.`);
  }
  await appendDurably(logPath(folder), `${lines.join('\n')}\n`);
  if (last.seq <= fresh.length) await syncFolder(folder);
  await replaceFile(headPath(folder), `${JSON.stringify({ seq: last.seq, hash: last.hash })}\n`);
  return fresh;
}

/** Checks every hash, every number, and that the log reaches at least as far as its head. */
export async function verifyLog(folder: string, expectedHead?: string): Promise<Verification> {
  const { whole, torn } = await linesOf(folder);
  const { entries, problems } = chain(whole);
  const head = entries.at(-1)?.hash ?? (EMPTY_DIGEST as string);
  const hashes = new Set(entries.map((entry) => entry.hash));
  const recorded = await headOf(folder, problems);
  if (recorded !== null && !hashes.has(recorded.hash)) {
    problems.push(
      recorded.seq > entries.length
        ? `The log ends at entry ${entries.length}, but entry ${recorded.seq} was written: its end is missing.`
        : `Entry ${recorded.seq} is not the one that was written there.`,
    );
  }
  if (recorded === null && entries.length > 1) problems.push('head.json is missing.');
  if (expectedHead !== undefined && !hashes.has(expectedHead)) {
    problems.push('No entry has the expected hash.');
  }
  const notes = entries.filter((entry) => entry.what === 'TornLineDropped').map((e) => e.why);
  if (torn.length > 0) notes.push(`The last line is incomplete (${torn.length} bytes).`);
  return { valid: problems.length === 0, entries: entries.length, head, problems, notes };
}

async function linesOf(folder: string): Promise<{ whole: readonly string[]; torn: Uint8Array }> {
  const bytes = (await readBytesIfPresent(logPath(folder))) ?? Buffer.alloc(0);
  const end = bytes.lastIndexOf(0x0a) + 1;
  const whole = end === 0 ? [] : bytes.toString('utf8', 0, end - 1).split('\n');
  return { whole, torn: bytes.subarray(end) };
}

function chain(lines: readonly string[]): { entries: LogEntry[]; problems: string[] } {
  const entries: LogEntry[] = [];
  const problems: string[] = [];
  let previous: string = EMPTY_DIGEST;
  for (const [index, line] of lines.entries()) {
    const entry = parseEntry(line);
    const problem = entry === null ? 'is no log entry' : faultOf(entry, index + 1, previous);
    if (entry === null || problem !== null) {
      problems.push(`Entry ${index + 1} ${problem}.`);
      break;
    }
    entries.push(entry);
    previous = entry.hash;
  }
  return { entries, problems };
}

function faultOf(entry: LogEntry, seq: number, previous: string): string | null {
  if (entry.seq !== seq) return `has the number ${entry.seq}: an entry was added or removed`;
  if (entry.previous !== previous) return 'does not follow from the entry before it';
  if (entry.hash !== hashOf(entry)) return 'was changed after it was written';
  return null;
}

function parseEntry(line: string): LogEntry | null {
  let value: Json;
  try {
    value = JSON.parse(line) as Json;
  } catch {
    return null;
  }
  if (!isObject(value) || !isObject(value.data)) return null;
  const texts = [value.at, value.who, value.what, value.why, value.previous, value.hash];
  if (typeof value.seq !== 'number' || texts.some((text) => typeof text !== 'string')) return null;
  return value as unknown as LogEntry;
}

function seal(last: LogEntry | null, entry: NewEntry, now: number): LogEntry {
  const before = last === null ? 0 : Date.parse(last.at);
  const body = {
    seq: (last?.seq ?? 0) + 1,
    // A clock that was set back must not make later entries look older.
    at: new Date(Math.max(now, before)).toISOString(),
    who: entry.who,
    what: entry.what,
    why: entry.why,
    data: entry.data,
    previous: last?.hash ?? (EMPTY_DIGEST as string),
  };
  return { ...body, hash: hashOf({ ...body, hash: '' }) };
}

function hashOf(entry: LogEntry): string {
  const body = Object.entries(entry).filter(([key]) => key !== 'hash' && key !== 'previous');
  return chainDigest(
    entry.previous as Digest,
    canonicalJson(fromEntries(body as [string, Json][])),
  );
}

function tornNote(torn: Uint8Array): NewEntry {
  return {
    who: 'stepwell',
    what: 'TornLineDropped',
    why: `An incomplete last line (${torn.length} bytes) was dropped: its writer died before it was acknowledged.`,
    data: { bytes: torn.length, sha256: sha256(torn) },
  };
}

async function headOf(
  folder: string,
  problems: string[],
): Promise<{ readonly seq: number; readonly hash: string } | null> {
  try {
    const head = await readJsonIfPresent(headPath(folder));
    if (head === null) return null;
    if (isObject(head) && typeof head.seq === 'number' && typeof head.hash === 'string') {
      return { seq: head.seq, hash: head.hash };
    }
  } catch {
    // Falls through: an unreadable head is a problem of its own.
  }
  problems.push('head.json is unreadable.');
  return null;
}
