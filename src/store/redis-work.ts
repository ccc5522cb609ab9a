/**
 * Timers and effects of all executions, read in order. A shard knows which executions have some: an entry
 * of timers stands at a time that is never after the first of them, an entry of effects where the
 * execution began to have some. What exactly is pending the execution's own hash says.
 */
import type { ExecutionArn } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import { EFFECTS, type KeySpace, TIMERS, timeOf, timePosition, workEntry } from './redis-keys.js';
import type { RedisLink } from './redis-link.js';
import { walk } from './redis-scan.js';
import { EFFECT_FIELD, ORDER_DIGITS, TIMER_FIELD } from './redis-script.js';
import { PENDING, RECOUNT, TIMERS_OF } from './redis-work-scripts.js';
import type { DueTimer, OutboxEntry, Page } from './store.js';

/** Entries read at once. */
const SMALLEST_BATCH = 16;
const LARGEST_BATCH = 1_000;
/** Executions that one call asks about: it holds up the server for less than a millisecond. */
const ASKED_AT_ONCE = 100;

interface Effect extends OutboxEntry {
  /** Order and key: what effects of one execution are sorted by. */
  readonly place: string;
}

export class RedisWork {
  constructor(
    private readonly link: RedisLink,
    private readonly keys: KeySpace,
    private readonly readOnly: boolean,
  ) {}

  /** The first `limit` timers, due before `before` if it is given. */
  async timers(before: number | null, limit: number): Promise<DueTimer[]> {
    const to = before === null ? {} : { to: timePosition(before) };
    const range = { keys: this.keys.works, heads: [TIMERS], ...to };
    const found: DueTimer[] = [];
    for (let from: string | null = null, ready = 0; ; ) {
      const size = batchOf(limit - ready);
      const entries = await walk(this.link, { ...range, from }, size);
      for (const timer of await this.#timersOf(entries)) {
        if (before === null || timer.dueAt < before) found.push(timer);
      }
      from = entries.at(-1) ?? null;
      // What has not been read is not due before the last entry read.
      const end = from === null || entries.length < size;
      const frontier = end ? Number.POSITIVE_INFINITY : timeOf(from as string);
      ready = found.reduce((count, { dueAt }) => count + (dueAt <= frontier ? 1 : 0), 0);
      if (end || ready >= limit) return found.sort(byTime).slice(0, limit);
    }
  }

  /** Executions that have had effects for longest first; those of one execution in their order. */
  async effects(limit: number, token: string | null): Promise<Page<OutboxEntry>> {
    const found: { readonly effect: Effect; readonly entry: string }[] = [];
    const take = async (entries: readonly string[]): Promise<void> => {
      const lists = await Promise.all(entries.map((entry) => this.#effectsOf(entry)));
      for (const [at, list] of lists.entries()) {
        for (const effect of list) found.push({ effect, entry: entries[at] as string });
      }
    };
    let from: string | null = null;
    if (token !== null) {
      const line = token.indexOf('\n');
      from = token.slice(0, line);
      await take([from]);
      const seen = found.filter(({ effect }) => effect.place <= token.slice(line + 1)).length;
      found.splice(0, seen);
    }
    while (found.length <= limit) {
      const size = batchOf(limit + 1 - found.length);
      const range = { keys: this.keys.works, heads: [EFFECTS], from };
      const entries = await walk(this.link, range, size);
      await take(entries);
      from = entries.at(-1) ?? null;
      if (entries.length < size) break;
    }
    const last = found[limit - 1];
    const next =
      found.length > limit && last !== undefined ? `${last.entry}\n${last.effect.place}` : null;
    const items = found.slice(0, limit).map(({ effect: { arn, key, effect } }) => {
      return { arn, key, effect };
    });
    return { items, next };
  }

  async #timersOf(entries: readonly string[]): Promise<DueTimer[]> {
    const found: DueTimer[] = [];
    await Promise.all(
      this.#together(entries).map(async (group) => {
        const keys = group.map((entry) => this.keys.execution(workEntry(entry).arn)[0]);
        const answers = (await this.link.eval(TIMERS_OF, keys, [])) as string[][];
        for (const [at, entry] of group.entries()) {
          const { arn, position } = workEntry(entry);
          const timers = timersOf(arn, fieldsOf(answers[at] ?? []));
          const first = Math.min(...timers.map(({ dueAt }) => dueAt));
          if (first > timeOf(position)) await this.#recount(arn, TIMERS + entry);
          for (const timer of timers) found.push(timer);
        }
      }),
    );
    return found;
  }

  /** Entries whose executions one call may name: those of one shard. */
  #together(entries: readonly string[]): string[][] {
    const groups: string[][] = [];
    const open = new Map<string, string[]>();
    for (const entry of entries) {
      const shard = this.link.cluster ? this.keys.execution(workEntry(entry).arn)[1] : '';
      const group = open.get(shard) ?? [];
      if (group.length === 0) groups.push(group);
      group.push(entry);
      if (group.length < ASKED_AT_ONCE) open.set(shard, group);
      else open.delete(shard);
    }
    return groups;
  }

  async #effectsOf(entry: string): Promise<readonly Effect[]> {
    const { arn, position } = workEntry(entry);
    const { since, fields } = await pendingOf(this.link, this.keys.execution(arn)[0]);
    const effects = effectsOf(arn, fields);
    if (effects.length === 0) await this.#recount(arn, EFFECTS + entry);
    // It ran out of effects and has others since: they stand elsewhere, and are met there.
    return since === position ? effects : [];
  }

  /** The entry says less than it could. */
  async #recount(arn: ExecutionArn, entry: string): Promise<void> {
    if (this.readOnly) return;
    const [execution, work] = this.keys.execution(arn);
    await this.link.eval(RECOUNT, [execution, work], [entry]);
  }
}

type Fields = ReadonlyMap<string, string>;

/** Timers and effects of one execution as they are stored, and where its effects stand in the shard. */
export async function pendingOf(
  link: RedisLink,
  execution: string,
): Promise<{ readonly since: string; readonly fields: Fields }> {
  const [since = '-', ...texts] = (await link.eval(PENDING, [execution], [])) as string[];
  return { since, fields: fieldsOf(texts) };
}

function fieldsOf(texts: readonly string[]): Fields {
  const fields = new Map<string, string>();
  for (let at = 0; at < texts.length; at += 2) {
    fields.set(texts[at] as string, texts[at + 1] as string);
  }
  return fields;
}

/** In no order. */
export function timersOf(arn: ExecutionArn, fields: Fields): DueTimer[] {
  const found: DueTimer[] = [];
  for (const [field, value] of fields) {
    if (!field.startsWith(TIMER_FIELD)) continue;
    const key = field.slice(TIMER_FIELD.length);
    const line = value.indexOf('\n');
    const dueAt = timeOf(value);
    found.push(line < 0 ? { arn, key, dueAt } : { arn, key, dueAt, holder: value.slice(line + 1) });
  }
  return found;
}

/** In their order. */
export function effectsOf(arn: ExecutionArn, fields: Fields): Effect[] {
  const found: Effect[] = [];
  for (const [field, value] of fields) {
    if (!field.startsWith(EFFECT_FIELD)) continue;
    const key = field.slice(EFFECT_FIELD.length);
    const effect = JSON.parse(value.slice(ORDER_DIGITS)) as Json;
    found.push({ arn, key, effect, place: value.slice(0, ORDER_DIGITS) + key });
  }
  return found.sort((a, b) => (a.place < b.place ? -1 : 1));
}

function batchOf(wanted: number): number {
  return Math.min(Math.max(wanted, SMALLEST_BATCH), LARGEST_BATCH);
}

function byTime(a: DueTimer, b: DueTimer): number {
  if (a.dueAt !== b.dueAt) return a.dueAt - b.dueAt;
  if (a.arn !== b.arn) return a.arn < b.arn ? -1 : 1;
  return a.key < b.key ? -1 : 1;
}
