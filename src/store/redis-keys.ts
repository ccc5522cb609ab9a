/**
 * Names of keys and of index entries in the Redis store. Everything of one execution lives under one
 * hash tag, `{p00}` … `{p15}`, so its commit touches one slot of a Cluster. Sorted sets hold texts of
 * score 0 whose bytes are their order: HEAD + position + `|` + the rest; a position is digits.
 */
import { assert } from '../lib/assert.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import { sha256 } from '../lib/digest.js';
import type { ExecutionFilter, ExecutionRow, ExecutionStatus } from './store.js';

/** Version of the layout below, written into every store. */
export const SCHEMA = '3';
/** Written into every store: another number would look for executions in other places. */
export const SHARDS = 16;

/** In the order in which scripts take them. */
export type ExecutionKeys = readonly [
  execution: string,
  /** Which executions of the shard have timers and effects. */
  work: string,
  index: string,
];

export interface KeySpace {
  readonly meta: string;
  readonly probe: string;
  /** One per shard. */
  readonly indexes: readonly string[];
  /** Who has timers and effects, one per shard. */
  readonly works: readonly string[];
  execution(arn: ExecutionArn): ExecutionKeys;
  /** Glob patterns for a walk over keys: executions, and bodies of documents. */
  readonly executionPattern: string;
  readonly documentPattern: string;
  /** Bodies and ids of the documents of one kind. */
  documents(kind: string): readonly [bodies: string, ids: string];
}

/** What the entries of `works` begin with. */
export const TIMERS = 't|';
export const EFFECTS = 'o|';

export function keySpace(prefix: string): KeySpace {
  const shards = Array.from(
    { length: SHARDS },
    (_, shard) => `${prefix}:{p${String(shard).padStart(2, '0')}}`,
  );
  return {
    meta: `${prefix}:{meta}`,
    probe: `${prefix}:{p00}:probe`,
    indexes: shards.map((shard) => `${shard}:index`),
    works: shards.map((shard) => `${shard}:work`),
    executionPattern: `${globText(prefix)}:{p*}:e:*`,
    documentPattern: `${globText(prefix)}:{d:*}:bodies`,
    execution: (arn) => {
      assert(!arn.includes('\n'), 'An ARN is one line.');
      const shard = shards[shardOf(arn)] as string;
      return [`${shard}:e:${arn}`, `${shard}:work`, `${shard}:index`];
    },
    documents: (kind) => {
      assert(!/[{}]/.test(kind), 'A kind of documents contains no braces.');
      return [`${prefix}:{d:${kind}}:bodies`, `${prefix}:{d:${kind}}:ids`];
    },
  };
}

function globText(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, '\\$&');
}

/** FNV-1a over UTF-16 code units. Part of the layout: a change would lose every execution. */
function shardOf(arn: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < arn.length; at += 1) {
    hash = Math.imul(hash ^ arn.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0) % SHARDS;
}

export const POSITION_DIGITS = 16;
const PLACE_DIGITS = 6;

/** A time as a position. */
export function timePosition(ms: number): string {
  assert(Number.isSafeInteger(ms) && ms >= 0, 'Times are whole milliseconds since 1970.');
  return String(ms).padStart(POSITION_DIGITS, '0');
}

/** Of an effect: the end of the commit that promised it, and its place there. */
export function effectOrder(seq: number, place: number): string {
  return (
    String(seq).padStart(POSITION_DIGITS - PLACE_DIGITS, '0') +
    String(place).padStart(PLACE_DIGITS, '0')
  );
}

/** A timer as its field says it: the due time, and on the next line who holds it. */
export function timerValue(dueAt: number, holder: string | undefined): string {
  return holder === undefined ? timePosition(dueAt) : `${timePosition(dueAt)}\n${holder}`;
}

const STATUS_LETTERS = {
  RUNNING: 'R',
  SUCCEEDED: 'S',
  FAILED: 'F',
  TIMED_OUT: 'T',
  ABORTED: 'A',
} as const satisfies Record<ExecutionStatus, string>;

/** Head of an index: by machine, version, alias or map run (nobody: all), then by status. */
function indexHead(by: string, of: string | null, status: ExecutionStatus): string {
  const owner = of === null ? '' : `${shortHash(of)}|`;
  return `${by}|${owner}${STATUS_LETTERS[status]}|`;
}

/** Machines are few and named in every commit. */
const hashes = new Map<string, string>();
const MAX_HASHES = 1_000;

function shortHash(of: string): string {
  const known = hashes.get(of);
  if (known !== undefined) return known;
  const made = sha256(of).slice(0, 16);
  if (hashes.size >= MAX_HASHES) hashes.clear();
  hashes.set(of, made);
  return made;
}

/** Head of the index of all executions in a status. */
export function statusHead(status: ExecutionStatus): string {
  return indexHead('s', null, status);
}

/** Index entries of a row, without the number and the ARN which the script appends. */
export function indexEntries(row: ExecutionRow): string {
  const { status } = row;
  const heads = [indexHead('s', null, status), indexHead('m', row.stateMachineArn, status)];
  if (row.stateMachineVersionArn !== null) {
    heads.push(indexHead('v', row.stateMachineVersionArn, status));
  }
  if (row.stateMachineAliasArn !== null) {
    heads.push(indexHead('l', row.stateMachineAliasArn, status));
  }
  if (row.mapRunArn !== null) heads.push(indexHead('r', row.mapRunArn, status));
  const startedAt = timePosition(row.startedAt);
  return heads.map((head) => `${head}${startedAt}|`).join('\n');
}

/** The heads to walk for a filter; what they do not say is compared with the row. */
export function filterHeads(filter: ExecutionFilter): readonly string[] {
  const { mapRunArn, stateMachineAliasArn, stateMachineVersionArn, stateMachineArn } = filter;
  const [by, of]: [string, string | null] =
    mapRunArn !== undefined
      ? ['r', mapRunArn]
      : stateMachineAliasArn !== undefined
        ? ['l', stateMachineAliasArn]
        : stateMachineVersionArn !== undefined
          ? ['v', stateMachineVersionArn]
          : stateMachineArn !== undefined
            ? ['m', stateMachineArn]
            : ['s', null];
  const all = Object.keys(STATUS_LETTERS) as ExecutionStatus[];
  const statuses = filter.status === undefined ? all : [filter.status];
  return statuses.map((status) => indexHead(by, of, status));
}

/** `startedAt|number|ARN`, as the scan returns index entries. */
export function indexedArn(entry: string): ExecutionArn {
  return entry.slice(2 * (POSITION_DIGITS + 1)) as ExecutionArn;
}

/** `position|ARN`, as the scan returns entries of work. */
export function workEntry(entry: string): { arn: ExecutionArn; position: string } {
  const bar = entry.indexOf('|');
  return { position: entry.slice(0, bar), arn: entry.slice(bar + 1) as ExecutionArn };
}

/** Of a position, or of what begins with one. */
export function timeOf(position: string): EpochMs {
  return Number(position.slice(0, POSITION_DIGITS)) as EpochMs;
}

/** Bytes of UTF-8 decide, as in Redis; positions are compared first because they mostly differ. */
export function comparePositions(a: string, b: string): number {
  const [left, right] = [a.slice(0, POSITION_DIGITS), b.slice(0, POSITION_DIGITS)];
  if (left !== right) return left < right ? -1 : 1;
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}
