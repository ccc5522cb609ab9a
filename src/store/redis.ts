/**
 * The store that several processes share: Redis 6.2 or newer, one server or a Cluster. Journal, row,
 * timers and outbox of an execution live in one slot and change in one script, whose compare-and-set
 * on seq and digest decides between workers. A commit is durable as the server is configured to be
 * (`description` says how), and a commit whose reply was lost is recognised by its digest.
 */
import { assert } from '../lib/assert.js';
import type { Digest, EpochMs, ExecutionArn, Seq } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import type { StoreCare } from './care.js';
import { RedisCare } from './redis-care.js';
import { RedisCommits } from './redis-commits.js';
import { RedisDocuments } from './redis-documents.js';
import { parseHead } from './redis-head.js';
import {
  filterHeads,
  indexedArn,
  type KeySpace,
  keySpace,
  timeOf,
  timerValue,
} from './redis-keys.js';
import { LINK_TIMES, type LinkTimes, RedisLink } from './redis-link.js';
import { REMOVE } from './redis-care-scripts.js';
import { parseRow } from './redis-rows.js';
import { walk } from './redis-scan.js';
import { EFFECT_FIELD, ORDER_DIGITS, TIMER_FIELD } from './redis-script.js';
import { upgrade } from './redis-upgrade.js';
import { parseRedisUrl } from './redis-url.js';
import { RedisWork } from './redis-work.js';
import { DROP_EFFECT, REPLACE_EFFECT, TOUCH_TIMER } from './redis-work-scripts.js';
import type {
  Commit,
  DocumentStore,
  DueTimer,
  ExecutionFilter,
  ExecutionRow,
  JournalCommit,
  OutboxEntry,
  Page,
  SharedStore,
} from './store.js';
import { StoreUnavailable } from './unavailable.js';

/** Commits read at once: a journal of 25,000 facts does not hold the server for long. */
const FIRST_JOURNAL_BATCH = 64;
const JOURNAL_BATCH = 1_000;
/** Rows read at once while a filter looks for matches. */
const SMALLEST_BATCH = 32;
const LARGEST_BATCH = 1_000;

export interface RedisStoreOptions {
  /** Look without writing; every write is refused, whatever the server's settings. */
  readonly readOnly?: boolean;
  readonly times?: Partial<LinkTimes>;
}

export class RedisStore implements SharedStore {
  readonly documents: DocumentStore;
  readonly care: StoreCare;
  readonly #link: RedisLink;
  readonly #keys: KeySpace;
  readonly #readOnly: boolean;
  readonly #commits: RedisCommits;
  readonly #work: RedisWork;
  /** Commits without the copies they should have. */
  readonly #unconfirmed = new Set<ExecutionArn>();

  /** Connects and checks the server; throws StoreUnavailable that says what to do about it. */
  static async open(url: string, options: RedisStoreOptions = {}): Promise<RedisStore> {
    const address = parseRedisUrl(url);
    const keys = keySpace(address.prefix);
    const readOnly = options.readOnly ?? false;
    const times = { ...LINK_TIMES, ...options.times };
    const link = await RedisLink.open(address, keys, { readOnly, times });
    try {
      await upgrade(link, keys);
    } catch (error) {
      await link.close();
      throw error;
    }
    return new RedisStore(link, keys, readOnly);
  }

  private constructor(link: RedisLink, keys: KeySpace, readOnly: boolean) {
    this.#link = link;
    this.#keys = keys;
    this.#readOnly = readOnly;
    this.#commits = new RedisCommits(link, keys);
    link.onReset(() => this.#commits.forget());
    this.#work = new RedisWork(link, keys, readOnly);
    const refuseWrites = (): void => this.#refuseWhenReadOnly();
    this.documents = new RedisDocuments(link, keys, refuseWrites);
    this.care = new RedisCare({ link, keys, refuseWrites, store: this });
  }

  get description(): string {
    return this.#link.description;
  }

  onReset(listener: () => void): void {
    this.#link.onReset(listener);
  }

  async commit(commit: Commit): Promise<'committed' | 'conflict'> {
    this.#refuseWhenReadOnly();
    assert(commit.row.arn === commit.arn, 'A commit carries the row of its own execution.');
    const answer = await this.#commits.add(commit);
    if (answer === 'committed' && this.#link.confirms) await this.#confirm(commit.arn);
    return answer;
  }

  /** The server has it; with too few copies what becomes of it is not known yet. */
  async #confirm(arn: ExecutionArn): Promise<void> {
    const [execution] = this.#keys.execution(arn);
    this.#unconfirmed.add(arn);
    if (!(await this.#link.confirm(execution))) {
      throw new StoreUnavailable(
        `The store ${this.#link.description} has too few copies of the last commit.`,
        { outcomeUnknown: true },
      );
    }
    this.#unconfirmed.delete(arn);
  }

  async load(arn: ExecutionArn): Promise<readonly JournalCommit[]> {
    // Whoever asks what became of a commit must not build on one that a failover would lose.
    if (this.#unconfirmed.has(arn)) await this.#confirm(arn);
    const [execution] = this.#keys.execution(arn);
    const commits: JournalCommit[] = [];
    // Records beyond the count belong to a restore that was cut short.
    for (let batch = FIRST_JOURNAL_BATCH; ; batch = JOURNAL_BATCH) {
      const names = Array.from({ length: batch }, (_, at) => `j:${commits.length + at + 1}`);
      const [head = null, ...records] = await this.#link.fields(execution, ['h', ...names]);
      const count = parseHead(head)?.records ?? 0;
      for (const record of records) {
        if (commits.length >= count) return commits;
        if (record === null) return [...commits, MISSING];
        commits.push(toCommit(record));
      }
    }
  }

  async row(arn: ExecutionArn): Promise<ExecutionRow | null> {
    const [execution] = this.#keys.execution(arn);
    const [text = null, head = null] = await this.#link.fields(execution, ['row', 'h']);
    return text === null ? null : parseRow(arn, text, parseHead(head)?.changes ?? {});
  }

  async list(
    filter: ExecutionFilter,
    limit: number,
    token: string | null,
  ): Promise<Page<ExecutionRow>> {
    return this.#rows({ filter, reverse: true, limit, token });
  }

  async dueTimers(now: EpochMs, limit: number): Promise<readonly DueTimer[]> {
    const before = Math.max(0, Math.min(now + 1, Number.MAX_SAFE_INTEGER));
    return this.#work.timers(before, limit);
  }

  async nextTimer(): Promise<DueTimer | null> {
    const [first] = await this.#work.timers(null, 1);
    return first ?? null;
  }

  async touchTimer(arn: ExecutionArn, key: string, dueAt: EpochMs, holder?: string): Promise<void> {
    this.#refuseWhenReadOnly();
    const [execution, work] = this.#keys.execution(arn);
    await this.#link.eval(TOUCH_TIMER, [execution, work], [key, timerValue(dueAt, holder)]);
  }

  async head(arn: ExecutionArn): Promise<{ readonly seq: Seq; readonly digest: Digest } | null> {
    const [execution] = this.#keys.execution(arn);
    const head = parseHead(await this.#link.field(execution, 'h'));
    return head === null ? null : { seq: head.seq, digest: head.digest };
  }

  async effect(arn: ExecutionArn, key: string): Promise<Json> {
    const [execution] = this.#keys.execution(arn);
    const text = await this.#link.field(execution, EFFECT_FIELD + key);
    return text === null ? null : (JSON.parse(text.slice(ORDER_DIGITS)) as Json);
  }

  async timer(arn: ExecutionArn, key: string): Promise<EpochMs | null> {
    const [execution] = this.#keys.execution(arn);
    const value = await this.#link.field(execution, TIMER_FIELD + key);
    return value === null ? null : timeOf(value);
  }

  async replaceEffect(arn: ExecutionArn, key: string, before: Json, after: Json): Promise<boolean> {
    this.#refuseWhenReadOnly();
    const [execution] = this.#keys.execution(arn);
    const args = [EFFECT_FIELD + key, JSON.stringify(before), JSON.stringify(after)];
    return (await this.#link.eval(REPLACE_EFFECT, [execution], args)) === 1;
  }

  async pendingEffects(limit: number, token: string | null): Promise<Page<OutboxEntry>> {
    return this.#work.effects(limit, token);
  }

  async dropEffect(arn: ExecutionArn, key: string): Promise<void> {
    this.#refuseWhenReadOnly();
    const [execution, work] = this.#keys.execution(arn);
    await this.#link.eval(DROP_EFFECT, [execution, work], [key]);
  }

  async open(limit: number, token: string | null): Promise<Page<ExecutionRow>> {
    return this.#rows({ filter: { status: 'RUNNING' }, reverse: false, limit, token });
  }

  async remove(arn: ExecutionArn): Promise<void> {
    this.#refuseWhenReadOnly();
    await this.#link.eval(REMOVE, this.#keys.execution(arn), []);
  }

  async close(): Promise<void> {
    await this.#link.close();
  }

  /** Walks one index and keeps the rows that match; a row is judged as it is when it is read. */
  async #rows(query: {
    readonly filter: ExecutionFilter;
    readonly reverse: boolean;
    readonly limit: number;
    readonly token: string | null;
  }): Promise<Page<ExecutionRow>> {
    const { filter, reverse, limit, token } = query;
    const keys = this.#keys.indexes;
    const heads = filterHeads(filter);
    const found: { readonly row: ExecutionRow; readonly entry: string }[] = [];
    for (let from = token; ; ) {
      const wanted = limit + 1 - found.length;
      const batch = Math.min(Math.max(wanted, SMALLEST_BATCH), LARGEST_BATCH);
      const entries = await walk(this.#link, { keys, heads, reverse, from }, batch);
      const rows = await Promise.all(entries.map((entry) => this.row(indexedArn(entry))));
      for (const [at, row] of rows.entries()) {
        if (row !== null && matches(row, filter)) found.push({ row, entry: entries[at] as string });
      }
      from = entries.at(-1) ?? null;
      if (found.length > limit || entries.length < batch) break;
    }
    const shown = found.slice(0, limit);
    const next = found.length > limit ? (shown.at(-1)?.entry ?? null) : null;
    return { items: shown.map(({ row }) => row), next };
  }

  #refuseWhenReadOnly(): void {
    if (this.#readOnly) {
      throw new StoreUnavailable(`The store ${this.#link.description} was opened read-only.`);
    }
  }
}

/** Stands for a record that the count promises and that is not there: no digest leads over it. */
const MISSING: JournalCommit = { after: 0 as Seq, facts: '', count: 0, digest: '' as Digest };

/** `after count digest`, and the facts on the next line. */
function toCommit(record: string): JournalCommit {
  const line = record.indexOf('\n');
  const [after, count, digest] = record.slice(0, line).split(' ');
  return {
    after: Number(after) as Seq,
    facts: record.slice(line + 1),
    count: Number(count),
    digest: digest as Digest,
  };
}

function matches(row: ExecutionRow, filter: ExecutionFilter): boolean {
  const { redriven, ...equal } = filter;
  if (redriven !== undefined && row.redriveCount > 0 !== redriven) return false;
  return (Object.keys(equal) as (keyof typeof equal)[]).every(
    (key) => equal[key] === undefined || row[key] === equal[key],
  );
}
