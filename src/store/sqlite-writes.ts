/**
 * Writes as plain values, so that one batch of them crosses to the writer thread in one cheap message:
 * a flat list of texts, numbers and nulls, each write at its start. Whatever can be refused or left out
 * without the file is decided here, where the objects are.
 */
import { EMPTY_DIGEST } from '../lib/digest.js';
import type { SqlValue } from './sqlite-file.js';
import { rowValues, textKey } from './sqlite-rows.js';
import type { Commit, ExecutionRow, OutboxChange, TimerChange } from './store.js';

/** What the first value of a write says. */
export const WRITE = {
  start: 0,
  advance: 1,
  touchTimer: 2,
  dropEffect: 3,
  remove: 4,
  putDocument: 5,
  removeDocument: 6,
} as const;

export interface WriteBatch {
  readonly values: SqlValue[];
  /** Where in `values` each write begins. */
  readonly starts: number[];
}

/** Which columns of the row an advance writes, besides the head and the details. */
export const COLUMNS_WRITTEN = { none: 0, changing: 1, all: 2 } as const;

/** The row as the commit with this digest left it. */
export interface KnownRow {
  readonly digest: string;
  readonly row: ExecutionRow;
}

/**
 * `start`, arn, count, digest, facts, details, all columns, pending; or `advance`, arn, after, count,
 * previous digest, digest, facts, details, which columns, those columns, pending. Columns that `known`
 * proves unchanged stay out of the SQL: most commits then touch no index of the row.
 */
export function encodeCommit(
  values: SqlValue[],
  commit: Commit,
  known: KnownRow | undefined,
): void {
  const { arn, after, count, previousDigest, digest, facts, row } = commit;
  const details = JSON.stringify(row.details);
  if (after === 0 && previousDigest === EMPTY_DIGEST) {
    values.push(WRITE.start, textKey(arn), count, digest, facts, details);
    values.push(...rowValues(row));
  } else {
    values.push(WRITE.advance, arn, after, count, previousDigest, digest, facts, details);
    const before = known?.digest === previousDigest ? known.row : null;
    if (before === null || !sameFixed(before, row)) {
      values.push(COLUMNS_WRITTEN.all, ...rowValues(row));
    } else if (sameChanging(before, row)) {
      values.push(COLUMNS_WRITTEN.none);
    } else {
      const { status, stoppedAt, redriveCount, redrivenAt } = row;
      values.push(COLUMNS_WRITTEN.changing, status, stoppedAt, redriveCount, redrivenAt);
    }
  }
  pushPending(values, commit);
}

/** Number of timers, key and instant of each; number of effects, key and text of each. */
function pushPending(values: SqlValue[], commit: Commit): void {
  const timers: readonly TimerChange[] = lastOfEachKey(commit.timers);
  values.push(timers.length);
  for (const { key, dueAt } of timers) values.push(textKey(key), dueAt);
  const outbox: readonly OutboxChange[] = lastOfEachKey(commit.outbox);
  values.push(outbox.length);
  for (const { key, effect } of outbox) {
    values.push(textKey(key), effect === null ? null : JSON.stringify(effect));
  }
}

/** The changes of one commit happen at once: the last word about a key is the one that counts. */
function lastOfEachKey<T extends { readonly key: string }>(changes: readonly T[]): readonly T[] {
  if (changes.length < 2) return changes;
  if (changes.length === 2 && changes[0]?.key !== changes[1]?.key) return changes;
  const last = new Map(changes.map((change) => [change.key, change]));
  return last.size === changes.length ? changes : [...last.values()];
}

function sameFixed(a: ExecutionRow, b: ExecutionRow): boolean {
  return (
    a.name === b.name &&
    a.stateMachineArn === b.stateMachineArn &&
    a.stateMachineVersionArn === b.stateMachineVersionArn &&
    a.stateMachineAliasArn === b.stateMachineAliasArn &&
    a.mapRunArn === b.mapRunArn &&
    a.startedAt === b.startedAt
  );
}

function sameChanging(a: ExecutionRow, b: ExecutionRow): boolean {
  return (
    a.status === b.status &&
    a.stoppedAt === b.stoppedAt &&
    a.redriveCount === b.redriveCount &&
    a.redrivenAt === b.redrivenAt
  );
}
