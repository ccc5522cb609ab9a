/**
 * Care of the Redis store: heads, repair of indexes from journals, restore, and what the servers say of
 * themselves. Everything may run while workers do: an execution is changed by one script that compares
 * its head, and a walk over keys looks at each as it is when it is met.
 */
import type { ExecutionArn, Seq } from '../lib/brand.js';
import type {
  Derived,
  Finding,
  JournalHead,
  Pending,
  StoreCare,
  StoreSize,
  Stray,
} from './care.js';
import { DROP_MEMBERS, REDERIVE, STAGE } from './redis-care-scripts.js';
import { headText, parseHead, recordText } from './redis-head.js';
import { findingsOf } from './redis-health.js';
import {
  EFFECTS,
  effectOrder,
  indexEntries,
  indexedArn,
  type KeySpace,
  statusHead,
  TIMERS,
  timePosition,
  workEntry,
} from './redis-keys.js';
import type { RedisLink } from './redis-link.js';
import { rowText } from './redis-rows.js';
import { walk } from './redis-scan.js';
import { COUNT } from './redis-scan-scripts.js';
import { EFFECT_FIELD, TIMER_FIELD } from './redis-script.js';
import { effectsOf, pendingOf, timersOf } from './redis-work.js';
import type { ExecutionRow, ExecutionStatus, JournalCommit, Page, Store } from './store.js';

const WALK_BATCH = 500;
/** Journal records sent in one call: at most about a megabyte. */
const STAGE_BYTES = 1_000_000;
const ENDED: readonly ExecutionStatus[] = ['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED'];

export interface RedisAccess {
  readonly link: RedisLink;
  readonly keys: KeySpace;
  readonly refuseWrites: () => void;
  readonly store: Store;
}

export class RedisCare implements StoreCare {
  constructor(private readonly access: RedisAccess) {}

  async head(arn: ExecutionArn): Promise<JournalHead | null> {
    const { link, keys } = this.access;
    const head = parseHead(await link.field(keys.execution(arn)[0], 'h'));
    return head === null ? null : { seq: head.seq, digest: head.digest };
  }

  async pending(arn: ExecutionArn): Promise<Pending> {
    const { link, keys } = this.access;
    const [execution] = keys.execution(arn);
    const { fields } = await pendingOf(link, execution);
    const byKey = (a: { key: string }, b: { key: string }): number => (a.key < b.key ? -1 : 1);
    return {
      timers: timersOf(arn, fields)
        .map(({ key, dueAt }) => ({ key, dueAt }))
        .sort(byKey),
      outbox: effectsOf(arn, fields)
        .map(({ key, effect }) => ({ key, effect }))
        .sort(byKey),
    };
  }

  async journals(_limit: number, token: string | null): Promise<Page<ExecutionArn>> {
    const { link, keys } = this.access;
    const [node = 0, cursor = '0'] = (token ?? '0 0').split(' ');
    const [after, found] = await link.scanKeys(Number(node), String(cursor), keys.executionPattern);
    const items = found.map((key) => key.slice(key.indexOf(':e:') + 3) as ExecutionArn);
    if (after !== '0') return { items, next: `${node} ${after}` };
    const next = Number(node) + 1;
    return { items, next: next < link.nodes ? `${next} 0` : null };
  }

  async ended(limit: number, token: string | null): Promise<Page<ExecutionRow>> {
    const { link, keys } = this.access;
    const heads = ENDED.map(statusHead);
    const entries = await walk(link, { keys: keys.indexes, heads, from: token }, limit + 1);
    const shown = entries.slice(0, limit);
    const rows = await Promise.all(shown.map((entry) => this.access.store.row(indexedArn(entry))));
    const items = rows.filter((row) => row !== null && row.status !== 'RUNNING');
    const next = entries.length > limit ? (shown.at(-1) ?? null) : null;
    return { items: items as ExecutionRow[], next };
  }

  async rederive(
    arn: ExecutionArn,
    expected: JournalHead | null,
    head: JournalHead,
    derived: Derived,
  ): Promise<'done' | 'conflict'> {
    this.access.refuseWrites();
    const records = (await this.access.store.load(arn)).length;
    return (await this.#derive(expected, head, records, derived)) ? 'done' : 'conflict';
  }

  async restore(
    journal: readonly JournalCommit[],
    derived: Derived,
  ): Promise<'restored' | 'exists'> {
    this.access.refuseWrites();
    const { arn } = derived.row;
    if ((await this.head(arn)) !== null) return 'exists';
    for (const batch of batches(journal.map(recordOf))) {
      const fields = batch.flatMap(({ at, text }) => [`j:${at + 1}`, text]);
      const [execution] = this.access.keys.execution(arn);
      if ((await this.access.link.eval(STAGE, [execution], fields)) !== 1) return 'exists';
    }
    const last = journal.at(-1) as JournalCommit;
    const head = { seq: (last.after + last.count) as Seq, digest: last.digest };
    return (await this.#derive(null, head, journal.length, derived)) ? 'restored' : 'exists';
  }

  async strays(mend: boolean): Promise<readonly Stray[]> {
    if (mend) this.access.refuseWrites();
    const found: Stray[] = [];
    for (const key of this.access.keys.works) {
      for (const head of [TIMERS, EFFECTS]) found.push(...(await this.#strayWork(key, head, mend)));
    }
    for (const key of this.access.keys.indexes) found.push(...(await this.#strayIndex(key, mend)));
    return found;
  }

  async documentKinds(): Promise<readonly string[]> {
    const { link, keys } = this.access;
    const kinds = new Set<string>();
    for (let node = 0; node < link.nodes; node += 1) {
      for (let cursor = '0'; ; ) {
        const [next, found] = await link.scanKeys(node, cursor, keys.documentPattern);
        for (const key of found) kinds.add(/\{d:(.*)\}:bodies$/.exec(key)?.[1] ?? '');
        if (next === '0') break;
        cursor = next;
      }
    }
    return [...kinds].sort();
  }

  async size(): Promise<StoreSize> {
    const reports = await this.access.link.inspect();
    return {
      running: await this.#count(['RUNNING']),
      ended: await this.#count(ENDED),
      bytes: reports.reduce((sum, report) => sum + report.usedMemory, 0),
    };
  }

  frozen<T>(work: (store: Store) => Promise<T>): Promise<T> {
    return work(this.access.store);
  }

  async check(): Promise<readonly Finding[]> {
    return findingsOf(await this.access.link.inspect());
  }

  async #derive(
    expected: JournalHead | null,
    head: JournalHead,
    records: number,
    { row, timers, outbox }: Derived,
  ): Promise<boolean> {
    const { link, keys } = this.access;
    const fields = [
      ...timers.flatMap(({ key, dueAt }) => [TIMER_FIELD + key, timePosition(dueAt)]),
      // Before whatever a commit to come will promise.
      ...outbox.flatMap(({ key, effect }, at) => [
        EFFECT_FIELD + key,
        effectOrder(0, at) + JSON.stringify(effect),
      ]),
    ];
    const before = expected === null ? '' : headText(expected.seq, expected.digest);
    const after = headText(head.seq, head.digest);
    const args = [before, after, rowText(row), indexEntries(row), records, ...fields];
    return (await link.eval(REDERIVE, keys.execution(row.arn), args)) === 1;
  }

  async #count(statuses: readonly ExecutionStatus[]): Promise<number> {
    const { link, keys } = this.access;
    const heads = statuses.map(statusHead);
    const counts = await Promise.all(keys.indexes.map((key) => link.eval(COUNT, [key], heads)));
    return counts.reduce<number>((sum, count) => sum + Number(count), 0);
  }

  /** Timers or effects of one shard whose execution does not know them. */
  async #strayWork(key: string, head: string, mend: boolean): Promise<Stray[]> {
    const kind = head === TIMERS ? 'timer' : 'effect';
    return this.#strays(key, head, mend, async (entry) => {
      const { arn, position } = workEntry(entry);
      const known = parseHead(
        await this.access.link.field(this.access.keys.execution(arn)[0], 'h'),
      );
      const right = head === TIMERS ? known?.due : known?.since;
      return position === right ? null : { kind, what: arn };
    });
  }

  async #strayIndex(key: string, mend: boolean): Promise<Stray[]> {
    return this.#strays(key, '', mend, async (entry) => {
      const arn = entry.slice(entry.lastIndexOf('|') + 1) as ExecutionArn;
      const execution = this.access.keys.execution(arn)[0];
      const [heads, number] = await this.access.link.fields(execution, ['heads', 'number']);
      const known = (heads ?? '').split('\n').map((one) => `${one}${number}|${arn}`);
      return known.includes(entry) ? null : { kind: 'index-entry', what: entry };
    });
  }

  async #strays(
    key: string,
    head: string,
    mend: boolean,
    judge: (entry: string) => Promise<Stray | null>,
  ): Promise<Stray[]> {
    const { link } = this.access;
    const found: Stray[] = [];
    const stray: string[] = [];
    for (let cursor = '0'; ; ) {
      const [next, members] = await link.scanMembers(key, cursor);
      const entries = members.filter((member) => member.startsWith(head));
      const verdicts = await Promise.all(entries.map((one) => judge(one.slice(head.length))));
      for (const [at, verdict] of verdicts.entries()) {
        if (verdict === null) continue;
        found.push(verdict);
        stray.push(entries[at] as string);
      }
      if (next === '0') break;
      cursor = next;
    }
    if (!mend) return found;
    for (let at = 0; at < stray.length; at += WALK_BATCH) {
      await link.eval(DROP_MEMBERS, [key], stray.slice(at, at + WALK_BATCH));
    }
    return found;
  }
}

function recordOf(commit: JournalCommit, at: number) {
  return { at, text: recordText(commit) };
}

function* batches<T extends { readonly text: string }>(records: readonly T[]): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const record of records) {
    if (batch.length === WALK_BATCH || (bytes > 0 && bytes + record.text.length > STAGE_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += record.text.length;
  }
  if (batch.length > 0) yield batch;
}
