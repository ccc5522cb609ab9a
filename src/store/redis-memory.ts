/**
 * What this process left of executions in Redis with the last commit of each. A commit that follows on it
 * need not ask what is there: the field `h` is compared whole, and says by its counts and places that nothing beside the
 * journal has changed either. Bounded; whatever is not remembered is asked for.
 */
import type { Digest, ExecutionArn } from '../lib/brand.js';
import { headText, parseHead } from './redis-head.js';
import { effectOrder, timerValue } from './redis-keys.js';
import { changesOf } from './redis-rows.js';
import { EFFECT_FIELD, TIMER_FIELD } from './redis-script.js';
import type { Commit, ExecutionRow } from './store.js';

/** Executions remembered: at most twice as many. */
const MOST_KNOWN = 10_000;
/** Timers and effects of an execution beyond which they are not remembered. */
const MOST_FIELDS = 16;

interface Known {
  /** The field as it is in the store. */
  h: string;
  digest: Digest;
  seq: number;
  records: number;
  readonly due: string;
  readonly since: string;
  timers: number;
  effects: number;
  /** As it was last written whole. */
  readonly row: ExecutionRow;
  /** Fields of timers and effects; null when they are not known. */
  readonly fields: Set<string> | null;
}

/** A commit that changes fields of the execution and nothing else. */
export interface Plain {
  readonly before: string;
  readonly h: string;
  readonly record: string;
  /** Field and value of what is new. */
  readonly sets: readonly string[];
  readonly drops: readonly string[];
}

export class RedisMemory {
  #young = new Map<ExecutionArn, Known>();
  #old = new Map<ExecutionArn, Known>();

  /** Null when entries of the shard or the row change, or when it is not known what is there. */
  plain(commit: Commit): Plain | null {
    const known = this.#find(commit);
    if (known === null || known.fields === null) return null;
    const { after, count, digest, timers, outbox, row } = commit;
    if (timers.length + outbox.length > MOST_FIELDS) return null;
    const changes = changesOf(known.row, row);
    if (changes === null) return null;
    const [sets, drops]: [string[], string[]] = [[], []];
    let { timers: timerCount, effects } = known;
    for (const { key, dueAt, holder } of timers) {
      const field = TIMER_FIELD + key;
      const isThere = known.fields.has(field);
      if (dueAt === null) {
        if (!isThere) continue;
        if (drops.includes(field)) return null;
        drops.push(field);
        timerCount -= 1;
        continue;
      }
      const value = timerValue(dueAt, holder);
      if (isThere || sets.includes(field) || value < known.due || known.due === '-') return null;
      sets.push(field, value);
      timerCount += 1;
    }
    for (let at = 0; at < outbox.length; at += 1) {
      const { key, effect } = outbox[at] as (typeof outbox)[number];
      const field = EFFECT_FIELD + key;
      const isThere = known.fields.has(field);
      if (effect === null) {
        if (!isThere) continue;
        if (drops.includes(field)) return null;
        drops.push(field);
        effects -= 1;
        continue;
      }
      if (isThere || sets.includes(field)) return null;
      sets.push(field, effectOrder(after + count, at) + JSON.stringify(effect));
      effects += 1;
    }
    const isSame = timerCount > 0 === known.timers > 0 && effects > 0 === known.effects > 0;
    if (!isSame) return null;
    const head = headText(after + count, digest);
    const counts = `${known.due} ${known.since} ${timerCount} ${effects}`;
    const h = `${head}${known.records + 1} ${counts}${changes}`;
    return { before: known.h, h, record: `j:${known.records + 1}`, sets, drops };
  }

  /** The row that the commit's row can be told by, if it is known to be there. */
  changes(commit: Commit): string | null {
    const known = this.#find(commit);
    return known === null ? null : changesOf(known.row, commit.row);
  }

  /** The commit is in the store as `plain` says. */
  wrote({ arn, after, count, digest }: Commit, { before, h, sets, drops }: Plain): void {
    const known = this.#young.get(arn) ?? this.#old.get(arn);
    if (known?.h !== before) return;
    known.h = h;
    known.digest = digest;
    known.seq = after + count;
    known.records += 1;
    for (let at = 0; at < sets.length; at += 2) this.#add(known, sets[at] as string, 1);
    for (const field of drops) this.#add(known, field, -1);
  }

  #add(known: Known, field: string, more: 1 | -1): void {
    if (more === 1) known.fields?.add(field);
    else known.fields?.delete(field);
    if (field.startsWith(TIMER_FIELD)) known.timers += more;
    else known.effects += more;
  }

  /** The commit is in the store, and left `h` there; `whole`: with its row. */
  learn(commit: Commit, h: string, whole: boolean): void {
    const { arn, row } = commit;
    const before = this.#find(commit);
    this.forget(arn);
    const head = parseHead(h);
    const written = whole ? row : before?.row;
    if (row.status !== 'RUNNING' || head === null || written === undefined) return;
    const { seq, digest, records, due, since, timers, effects } = head;
    const fields = fieldsAfter(commit, before?.fields ?? new Set());
    const isKnown = fields.size === timers + effects && fields.size <= MOST_FIELDS;
    if (this.#young.size >= MOST_KNOWN) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(arn, {
      ...{ h, digest, seq, records, due, since, timers, effects },
      row: written,
      fields: isKnown ? fields : null,
    });
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }

  forget(arn: ExecutionArn): void {
    this.#young.delete(arn);
    this.#old.delete(arn);
  }

  /** What the commit follows on. */
  #find({ arn, after, previousDigest }: Commit): Known | null {
    let known = this.#young.get(arn);
    if (known === undefined) {
      known = this.#old.get(arn);
      if (known === undefined) return null;
    }
    return known.digest === previousDigest && known.seq === after ? known : null;
  }
}

function fieldsAfter({ timers, outbox }: Commit, before: ReadonlySet<string>): Set<string> {
  const fields = new Set(before);
  for (const { key, dueAt } of timers) {
    if (dueAt === null) fields.delete(TIMER_FIELD + key);
    else fields.add(TIMER_FIELD + key);
  }
  for (const { key, effect } of outbox) {
    if (effect === null) fields.delete(EFFECT_FIELD + key);
    else fields.add(EFFECT_FIELD + key);
  }
  return fields;
}
