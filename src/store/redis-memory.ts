/**
 * What this process left of executions in Redis with the last commit of each. A commit that follows on it
 * need not ask what is there: the field `h` is compared whole, and says by its counts and places that nothing
 * beside the journal has changed either. Bounded; whatever is not remembered is asked for.
 */
import type { Digest, ExecutionArn } from '../lib/brand.js';
import { headText, parseHead, recordText } from './redis-head.js';
import { effectOrder, type ExecutionKeys, timerValue } from './redis-keys.js';
import { changesOf } from './redis-rows.js';
import { EFFECT_FIELD, TIMER_FIELD } from './redis-script.js';
import type { Commit, ExecutionRow } from './store.js';

/** Executions remembered: at most twice as many. */
const MOST_KNOWN = 10_000;
/** Timers and effects of an execution beyond which they are not remembered. */
const MOST_FIELDS = 16;

/** An execution as a commit has left it. */
export interface Left {
  readonly keys: ExecutionKeys;
  /** The field as it is in the store. */
  readonly h: string;
  readonly digest: Digest;
  readonly seq: number;
  readonly records: number;
  readonly due: string;
  readonly since: string;
  readonly timers: number;
  readonly effects: number;
  /** As it was last written whole. */
  readonly row: ExecutionRow;
  /** Fields of timers and effects; null when they are not known. */
  readonly fields: readonly string[] | null;
}

export class RedisMemory {
  #young = new Map<ExecutionArn, Left>();
  #old = new Map<ExecutionArn, Left>();

  /** What the commit follows on; null when that is not known. */
  before({ arn, after, previousDigest }: Commit): Left | null {
    let left = this.#young.get(arn);
    if (left === undefined) {
      left = this.#old.get(arn);
      if (left === undefined) return null;
    }
    return left.digest === previousDigest && left.seq === after ? left : null;
  }

  set(arn: ExecutionArn, left: Left): void {
    if (this.#young.size >= MOST_KNOWN && !this.#young.has(arn)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(arn, left);
  }

  forget(arn: ExecutionArn): void {
    this.#young.delete(arn);
    this.#old.delete(arn);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}

/**
 * A commit that changes fields of the execution and nothing else, as PLAIN_COMMIT takes it, is put
 * behind `args`; answers what it leaves. Null, and nothing is put there, when entries of the shard or
 * the row change, or it is not known what is there.
 */
export function plainCommit(commit: Commit, left: Left, args: string[]): Left | null {
  const { after, count, digest, timers, outbox } = commit;
  if (left.fields === null || timers.length + outbox.length > MOST_FIELDS) return null;
  const changes = changesOf(left.row, commit.row);
  if (changes === null) return null;
  const start = args.length;
  const records = left.records + 1;
  args.push('', '', left.h, '', `j:${records}`, recordText(commit));
  const fields = pushSets(commit, left, args);
  const sets = args.length - start - 3;
  const kept = fields === null ? null : pushDrops(commit, fields, left.fields.length, args);
  if (kept !== null) {
    const timerCount = countTimers(kept);
    const effects = kept.length - timerCount;
    if (timerCount > 0 === left.timers > 0 && effects > 0 === left.effects > 0) {
      const { keys, due, since, row } = left;
      const seq = after + count;
      const places = `${records} ${due} ${since} ${timerCount} ${effects}`;
      const h = headText(seq, digest) + places + changes;
      args[start] = String(sets);
      args[start + 1] = String(args.length - start - 3 - sets);
      args[start + 3] = h;
      return {
        keys,
        h,
        digest,
        seq,
        records,
        due,
        since,
        timers: timerCount,
        effects,
        row,
        fields: kept,
      };
    }
  }
  args.length = start;
  return null;
}

/** Fields there are with those that are set; null when one is there already, or due before all others. */
function pushSets(commit: Commit, left: Left, args: string[]): string[] | null {
  const { after, count, timers, outbox } = commit;
  const fields = [...(left.fields as readonly string[])];
  for (const { key, dueAt, holder } of timers) {
    if (dueAt === null) continue;
    const field = TIMER_FIELD + key;
    const value = timerValue(dueAt, holder);
    if (fields.includes(field) || left.due === '-' || value < left.due) return null;
    fields.push(field);
    args.push(field, value);
  }
  for (let at = 0; at < outbox.length; at += 1) {
    const { key, effect } = outbox[at] as (typeof outbox)[number];
    if (effect === null) continue;
    const field = EFFECT_FIELD + key;
    if (fields.includes(field)) return null;
    fields.push(field);
    args.push(field, effectOrder(after + count, at) + JSON.stringify(effect));
  }
  return fields;
}

/** Fields that are left of `fields`; null when one that was set by this very commit is dropped. */
function pushDrops(
  { timers, outbox }: Commit,
  fields: string[],
  known: number,
  args: string[],
): string[] | null {
  let before = known;
  const drop = (field: string): boolean => {
    const at = fields.indexOf(field);
    if (at < 0) return true;
    if (at >= before) return false;
    before -= 1;
    fields.splice(at, 1);
    args.push(field);
    return true;
  };
  for (const { key, dueAt } of timers) if (dueAt === null && !drop(TIMER_FIELD + key)) return null;
  for (const { key, effect } of outbox)
    if (effect === null && !drop(EFFECT_FIELD + key)) return null;
  return fields;
}

function countTimers(fields: readonly string[]): number {
  let count = 0;
  for (const field of fields) if (field.startsWith(TIMER_FIELD)) count += 1;
  return count;
}

/** What is known once the store has said what `h` is now; null when it is of no use. */
export function leftBy(
  commit: Commit,
  h: string,
  keys: ExecutionKeys,
  before: Left | null,
): Left | null {
  const head = parseHead(h);
  if (commit.row.status !== 'RUNNING' || head === null) return null;
  const isTold = before !== null && changesOf(before.row, commit.row) !== null;
  const row = isTold ? before.row : commit.row;
  const { seq, digest, records, due, since, timers, effects } = head;
  const fields = fieldsAfter(commit, before?.fields ?? []);
  const isKnown = fields.length === timers + effects && countTimers(fields) === timers;
  const kept = isKnown && fields.length <= MOST_FIELDS ? fields : null;
  return { keys, h, digest, seq, records, due, since, timers, effects, row, fields: kept };
}

function fieldsAfter({ timers, outbox }: Commit, before: readonly string[]): string[] {
  const fields = new Set(before);
  for (const { key, dueAt } of timers) {
    if (dueAt === null) fields.delete(TIMER_FIELD + key);
    else fields.add(TIMER_FIELD + key);
  }
  for (const { key, effect } of outbox) {
    if (effect === null) fields.delete(EFFECT_FIELD + key);
    else fields.add(EFFECT_FIELD + key);
  }
  return [...fields];
}
