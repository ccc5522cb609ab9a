/**
 * The default store: one SQLite file that any SQLite tool can open (`SELECT * FROM history`).
 * A commit is durable when its promise resolves: WAL, synchronous=FULL, one fsync for all commits of
 * an event-loop turn. The compare-and-set is done by SQL on the row itself, never by a cache.
 */
import { resolve } from 'node:path';
import { assert } from '../lib/assert.js';
import type { Digest, EpochMs, ExecutionArn, Seq } from '../lib/brand.js';
import { EMPTY_DIGEST } from '../lib/digest.js';
import type { Json } from '../lib/json.js';
import type { StoreCare } from './care.js';
import { type SqliteAccess, SqliteCare } from './sqlite-care.js';
import { SqliteDocuments } from './sqlite-documents.js';
import {
  createSchema,
  openDatabase,
  type SqliteDatabase,
  type SqliteStatement,
  unavailable,
} from './sqlite-file.js';
import { WriteGroup } from './sqlite-group.js';
import { type Ownership, own, signOwner } from './sqlite-owner.js';
import { type ExecutionRecord, listQuery, rowValues, textKey, toRow } from './sqlite-rows.js';
import { prepareStatements, type Statements } from './sqlite-statements.js';
import { withTexts } from './sqlite-text.js';
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

/** Ids of executions lately written to; forgetting one costs a lookup. */
const REMEMBERED_IDS = 100_000;

export interface SqliteOptions {
  /** Look at a store that another process drives; every write is refused. */
  readonly readOnly?: boolean;
  /** Greatest size of the file in pages of 4 KiB; beyond it the disk counts as full. */
  readonly maxPages?: number;
}

export class SqliteStore implements Store {
  readonly description: string;
  readonly documents: DocumentStore;
  readonly care: StoreCare;
  readonly #database: SqliteDatabase;
  readonly #path: string;
  readonly #ownership: Ownership | null;
  readonly #sql: Statements;
  readonly #group: WriteGroup;
  readonly #ids = new Map<ExecutionArn, number>();
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
      return new SqliteStore(database, file, ownership);
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

  private constructor(database: SqliteDatabase, path: string, ownership: Ownership | null) {
    this.#database = database;
    this.#path = path;
    this.#ownership = ownership;
    this.description =
      ownership === null
        ? `sqlite:${path} (read-only)`
        : `sqlite:${path} (a crash loses nothing that was acknowledged)`;
    this.#sql = this.#explained(() => prepareStatements(database));
    this.#group = new WriteGroup(database, path, () => this.#ids.clear());
    if (ownership === null) {
      this.#group.stop(new StoreUnavailable(`The store ${path} was opened read-only.`));
    }
    const access: SqliteAccess = {
      database,
      path,
      read: (query) => this.#explained(query),
      write: (change) => this.#group.add(change),
      frozen: (work) => SqliteStore.#frozen(path, work),
    };
    this.documents = new SqliteDocuments(access);
    this.care = new SqliteCare(access);
  }

  async commit(commit: Commit): Promise<'committed' | 'conflict'> {
    assert(commit.row.arn === commit.arn, 'A commit carries the row of its own execution.');
    return this.#group.add(() => this.#apply(commit));
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
    return this.#group.add(() => {
      const id = this.#idOf(arn);
      if (id !== null) this.#sql.touchTimer.run([dueAt, id, key]);
    });
  }

  async pendingEffects(limit: number, token: string | null): Promise<Page<OutboxEntry>> {
    const records = this.#explained(() =>
      withTexts(this.#sql.pendingEffects.all([token === null ? 0 : Number(token), limit + 1])),
    ) as OutboxRecord[];
    return page(records, limit, toOutboxEntry, (record) => String(record.id));
  }

  async dropEffect(arn: ExecutionArn, key: string): Promise<void> {
    return this.#group.add(() => {
      const id = this.#idOf(arn);
      if (id !== null) this.#sql.dropEffect.run([id, key]);
    });
  }

  async open(limit: number, token: string | null): Promise<Page<ExecutionRow>> {
    const records = this.#explained(() =>
      withTexts(this.#sql.running.all([token === null ? 0 : Number(token), limit + 1])),
    ) as ExecutionRecord[];
    return page(records, limit, toRow, (record) => String(record.id));
  }

  async remove(arn: ExecutionArn): Promise<void> {
    return this.#group.add(() => {
      const id = this.#idOf(arn);
      if (id === null) return;
      this.#ids.delete(arn);
      for (const statement of this.#sql.removals) statement.run([id]);
    });
  }

  /** Writes what waits, folds the log into the main file and gives up ownership. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#group.flush();
    this.#group.stop(new StoreUnavailable(`The store ${this.#path} is closed.`));
    try {
      if (this.#ownership !== null) this.#database.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // The log keeps everything until the next opening folds it back.
    }
    this.#database.close();
    this.#ownership?.release();
  }

  /** One commit inside the group's transaction. A conflict has written nothing. */
  #apply(commit: Commit): 'committed' | 'conflict' {
    const id = this.#idOf(commit.arn);
    const written = id === null ? this.#insert(commit) : this.#update(id, commit);
    if (written === null) return 'conflict';
    const { after, count, digest, facts } = commit;
    this.#sql.insertCommit.run([written, after, count, digest, facts]);
    for (const { key, dueAt } of commit.timers) {
      if (dueAt === null) this.#sql.dropTimer.run([written, key]);
      else this.#sql.setTimer.run([written, textKey(key), dueAt]);
    }
    for (const { key, effect } of commit.outbox) {
      if (effect === null) this.#sql.dropEffect.run([written, key]);
      else this.#sql.setEffect.run([written, textKey(key), JSON.stringify(effect)]);
    }
    return 'committed';
  }

  #insert(commit: Commit): number | null {
    const { arn, after, previousDigest, row, count, digest } = commit;
    if (after !== 0 || previousDigest !== EMPTY_DIGEST) return null;
    const details = JSON.stringify(row.details);
    const values = [textKey(arn), ...rowValues(row), details, count, digest];
    const id = Number(this.#sql.insertExecution.run(values).lastInsertRowid);
    this.#remember(arn, id);
    return id;
  }

  /**
   * Most commits change nothing but the position and the details: that statement touches no index.
   * It declines when another column differs, and the full one decides.
   */
  #update(id: number, commit: Commit): number | null {
    const head = [commit.after + commit.count, commit.digest, JSON.stringify(commit.row.details)];
    const guard = [id, commit.after, commit.previousDigest];
    const columns = rowValues(commit.row);
    if (this.#sql.advance.run([...head, ...guard, ...columns]).changes > 0) return id;
    return this.#sql.update.run([...head, ...columns, ...guard]).changes > 0 ? id : null;
  }

  #idOf(arn: ExecutionArn): number | null {
    const remembered = this.#ids.get(arn);
    if (remembered !== undefined) return remembered;
    const [record] = this.#sql.id.all([arn]) as { id: number }[];
    if (record === undefined) return null;
    this.#remember(arn, record.id);
    return record.id;
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

  #remember(arn: ExecutionArn, id: number): void {
    if (this.#ids.size >= REMEMBERED_IDS) this.#ids.clear();
    this.#ids.set(arn, id);
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
