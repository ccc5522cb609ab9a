/**
 * The default store: one SQLite file that any SQLite tool can open (`SELECT * FROM history`).
 * A commit is durable when its promise resolves: WAL, synchronous=FULL, one fsync for all commits of
 * a batch. Reads are made here; under load a thread of its own writes (sqlite-queue.ts). The
 * compare-and-set is done by SQL on the row itself, never by a cache.
 */
import { resolve } from 'node:path';
import { assert } from '../lib/assert.js';
import type { Digest, EpochMs, ExecutionArn, Seq } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import type { StoreCare } from './care.js';
import { type SqliteAccess, SqliteCare } from './sqlite-care.js';
import { DocumentCache } from './sqlite-document-cache.js';
import { SqliteDocuments } from './sqlite-documents.js';
import {
  createSchema,
  openDatabase,
  type SqliteDatabase,
  type SqliteStatement,
  unavailable,
} from './sqlite-file.js';
import { type Ownership, own, signOwner } from './sqlite-owner.js';
import { WriteQueue, type WhereWritten } from './sqlite-queue.js';
import { type ExecutionRecord, listQuery, toRow } from './sqlite-rows.js';
import { prepareStatements, type Statements } from './sqlite-statements.js';
import { withTexts } from './sqlite-text.js';
import { WriterThread } from './sqlite-thread.js';
import { encodeCommit, type KnownRow, WRITE } from './sqlite-writes.js';
import type {
  Commit,
  DocumentStore,
  DueTimer,
  ExecutionFilter,
  ExecutionRow,
  JournalCommit,
  OutboxEntry,
  Page,
  Store,
} from './store.js';
import { StoreUnavailable } from './unavailable.js';

/** Rows of executions lately written to; forgetting one costs an UPDATE that writes every column. */
const REMEMBERED_ROWS = 20_000;

export interface SqliteOptions {
  /** Look at a store that another process drives; every write is refused. */
  readonly readOnly?: boolean;
  /** Greatest size of the file in pages; beyond it the disk counts as full. */
  readonly maxPages?: number;
  /** Which thread writes. Default: `auto`. */
  readonly where?: WhereWritten;
}

export class SqliteStore implements Store {
  readonly description: string;
  readonly documents: DocumentStore;
  readonly care: StoreCare;
  readonly #database: SqliteDatabase;
  readonly #path: string;
  readonly #ownership: Ownership | null;
  readonly #sql: Statements;
  readonly #queue: WriteQueue;
  readonly #rows = new Map<ExecutionArn, KnownRow>();
  /** Rows of commits sent in an earlier one are not remembered: another write came between. */
  #generation = 0;
  readonly #lists = new Map<string, SqliteStatement>();
  #closed = false;

  /** Opens or creates the file; throws StoreUnavailable that says what to do about it. */
  static open(path: string, options: SqliteOptions = {}): SqliteStore {
    const file = resolve(path);
    const readOnly = options.readOnly ?? false;
    if (readOnly) return new SqliteStore(openDatabase(file, true), file, null);
    const ownership = own(file);
    try {
      const database = openDatabase(file, false);
      createSchema(database, file);
      signOwner(database);
      if (options.maxPages !== undefined) database.pragma(`max_page_count = ${options.maxPages}`);
      return new SqliteStore(database, file, ownership, options);
    } catch (error) {
      ownership.release();
      throw unavailable(error, file);
    }
  }

  /** Another connection inside one read transaction: it sees one instant, and writers go on. */
  static async #frozen<T>(path: string, work: (store: Store) => Promise<T>): Promise<T> {
    const database = openDatabase(path, true);
    const store = new SqliteStore(database, path, null);
    try {
      database.exec('BEGIN');
      return await work(store);
    } finally {
      await store.close();
    }
  }

  private constructor(
    database: SqliteDatabase,
    path: string,
    ownership: Ownership | null,
    { maxPages, where = 'auto' }: SqliteOptions = {},
  ) {
    this.#database = database;
    this.#path = path;
    this.#ownership = ownership;
    this.description =
      ownership === null
        ? `sqlite:${path} (read-only)`
        : `sqlite:${path} (a crash loses nothing that was acknowledged)`;
    this.#sql = this.#explained(() => prepareStatements(database));
    this.#queue = new WriteQueue({
      database,
      path,
      where,
      startThread: () => new WriterThread({ path, maxPages: maxPages ?? null }),
    });
    if (ownership === null) {
      this.#queue.refuse(new StoreUnavailable(`The store ${path} was opened read-only.`));
    }
    const access: SqliteAccess = {
      database,
      path,
      read: (query) => this.#explained(query),
      send: (encode) => this.#queue.send(encode),
      write: (change) => {
        this.#forgetRows();
        return this.#queue.run(change);
      },
      frozen: (work) => SqliteStore.#frozen(path, work),
    };
    this.documents = new SqliteDocuments(access, ownership === null ? null : new DocumentCache());
    this.care = new SqliteCare(access);
  }

  async commit(commit: Commit): Promise<'committed' | 'conflict'> {
    assert(commit.row.arn === commit.arn, 'A commit carries the row of its own execution.');
    const known = this.#rows.get(commit.arn);
    const generation = this.#generation;
    const result = await this.#queue.send<'committed' | 'conflict'>((values) => {
      encodeCommit(values, commit, known);
    });
    if (result === 'committed' && generation === this.#generation) this.#remember(commit);
    return result;
  }

  async load(arn: ExecutionArn): Promise<readonly JournalCommit[]> {
    const records = this.#explained(() =>
      withTexts(this.#sql.journal.all([arn])),
    ) as JournalCommit[];
    return records.map((record) => ({
      after: record.after as Seq,
      facts: record.facts,
      count: record.count,
      digest: record.digest as Digest,
    }));
  }

  async row(arn: ExecutionArn): Promise<ExecutionRow | null> {
    const [record] = this.#explained(() =>
      withTexts(this.#sql.row.all([arn])),
    ) as ExecutionRecord[];
    return record === undefined ? null : toRow(record);
  }

  async list(
    filter: ExecutionFilter,
    limit: number,
    token: string | null,
  ): Promise<Page<ExecutionRow>> {
    const { sql, values } = listQuery(filter, limit + 1, token);
    const records = this.#explained(() =>
      withTexts(this.#prepared(sql).all([...values])),
    ) as ExecutionRecord[];
    return page(records, limit, toRow, (record) => `${record.started_at}.${record.id}`);
  }

  async dueTimers(now: EpochMs, limit: number): Promise<readonly DueTimer[]> {
    const records = this.#explained(() =>
      withTexts(this.#sql.dueTimers.all([now, limit])),
    ) as TimerRecord[];
    return records.map(toTimer);
  }

  async nextTimer(): Promise<DueTimer | null> {
    const [record] = this.#explained(() => withTexts(this.#sql.nextTimer.all([]))) as TimerRecord[];
    return record === undefined ? null : toTimer(record);
  }

  async touchTimer(arn: ExecutionArn, key: string, dueAt: EpochMs): Promise<void> {
    return this.#queue.send((values) => {
      values.push(WRITE.touchTimer, arn, key, dueAt);
    });
  }

  async pendingEffects(limit: number, token: string | null): Promise<Page<OutboxEntry>> {
    const records = this.#explained(() =>
      withTexts(this.#sql.pendingEffects.all([token === null ? 0 : Number(token), limit + 1])),
    ) as OutboxRecord[];
    return page(records, limit, toOutboxEntry, (record) => String(record.id));
  }

  async dropEffect(arn: ExecutionArn, key: string): Promise<void> {
    return this.#queue.send((values) => {
      values.push(WRITE.dropEffect, arn, key);
    });
  }

  async open(limit: number, token: string | null): Promise<Page<ExecutionRow>> {
    const records = this.#explained(() =>
      withTexts(this.#sql.running.all([token === null ? 0 : Number(token), limit + 1])),
    ) as ExecutionRecord[];
    return page(records, limit, toRow, (record) => String(record.id));
  }

  async remove(arn: ExecutionArn): Promise<void> {
    this.#rows.delete(arn);
    this.#generation += 1;
    return this.#queue.send((values) => {
      values.push(WRITE.remove, arn);
    });
  }

  /** Writes what waits, folds the log into the main file and gives up ownership. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.refuse(new StoreUnavailable(`The store ${this.#path} is closed.`));
    await this.#queue.close();
    try {
      if (this.#ownership !== null) this.#database.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // The log keeps everything until the next opening folds it back.
    }
    this.#database.close();
    this.#ownership?.release();
  }

  /** One statement per shape of filter. */
  #prepared(sql: string): SqliteStatement {
    let statement = this.#lists.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#lists.set(sql, statement);
    }
    return statement;
  }

  #forgetRows(): void {
    this.#rows.clear();
    this.#generation += 1;
  }

  /** Only what goes on is worth remembering. */
  #remember({ arn, digest, row }: Commit): void {
    if (row.status !== 'RUNNING') {
      this.#rows.delete(arn);
      return;
    }
    if (this.#rows.size >= REMEMBERED_ROWS) this.#rows.clear();
    this.#rows.set(arn, { digest, row });
  }

  #explained<T>(query: () => T): T {
    if (this.#closed) throw new StoreUnavailable(`The store ${this.#path} is closed.`);
    try {
      return query();
    } catch (error) {
      throw unavailable(error, this.#path);
    }
  }
}

interface TimerRecord {
  readonly arn: string;
  readonly key: string;
  readonly due_at: number;
}

interface OutboxRecord {
  readonly id: number;
  readonly arn: string;
  readonly key: string;
  readonly effect: string;
}

function toTimer(record: TimerRecord): DueTimer {
  return {
    arn: record.arn as ExecutionArn,
    key: record.key,
    dueAt: record.due_at as EpochMs,
  };
}

function toOutboxEntry(record: OutboxRecord): OutboxEntry {
  const effect = JSON.parse(record.effect) as Json;
  return { arn: record.arn as ExecutionArn, key: record.key, effect };
}

/** `records` holds one more than `limit` when there is another page. */
function page<R, T>(
  records: readonly R[],
  limit: number,
  show: (record: R) => T,
  tokenOf: (record: R) => string,
): Page<T> {
  const shown = records.slice(0, limit);
  const last = shown.at(-1);
  const more = records.length > limit && last !== undefined;
  return { items: shown.map(show), next: more ? tokenOf(last) : null };
}
