/**
 * Care of the SQLite store: heads, repair of what is derived, restore, and what SQLite says of its own
 * file. Writes go through the same group commit as everything else.
 */
import { statSync } from 'node:fs';
import type { Digest, EpochMs, ExecutionArn, Seq } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import type {
  Derived,
  Finding,
  JournalHead,
  Pending,
  StoreCare,
  StoreSize,
  Stray,
} from './care.js';
import type { DocumentAccess } from './sqlite-documents.js';
import {
  type ExecutionRecord,
  READ_COLUMNS,
  ROW_COLUMNS,
  rowValues,
  textKey,
  toRow,
} from './sqlite-rows.js';
import { asBytes, withTexts } from './sqlite-text.js';
import type { ExecutionRow, JournalCommit, Page, Store } from './store.js';

export interface SqliteAccess extends DocumentAccess {
  readonly path: string;
  /** Runs a change in a transaction of this connection. */
  write<T>(change: () => T): Promise<T>;
  frozen<T>(work: (store: Store) => Promise<T>): Promise<T>;
}

/** A log longer than this is not folded back: a reader holds it, or nobody opens the store. */
const LONG_WAL_BYTES = 256 * 1024 * 1024;
const SHOWN_PROBLEMS = 5;
const COLUMNS = ROW_COLUMNS.join(', ');

export class SqliteCare implements StoreCare {
  readonly #headOf;

  constructor(private readonly access: SqliteAccess) {
    const sql = `SELECT last_seq AS seq, ${asBytes('digest')} FROM executions WHERE arn = ?`;
    this.#headOf = access.database.prepare(sql);
  }

  async head(arn: ExecutionArn): Promise<JournalHead | null> {
    return this.access.read(() => this.#head(arn));
  }

  async pending(arn: ExecutionArn): Promise<Pending> {
    const of = 'WHERE execution_id = (SELECT id FROM executions WHERE arn = ?) ORDER BY key';
    const timers = this.#all(`SELECT ${asBytes('key')}, due_at AS dueAt FROM timers ${of}`, arn);
    const outbox = this.#all(
      `SELECT ${asBytes('key')}, ${asBytes('effect')} FROM outbox ${of}`,
      arn,
    );
    return {
      timers: timers as { key: string; dueAt: EpochMs }[],
      outbox: (outbox as { key: string; effect: string }[]).map(({ key, effect }) => ({
        key,
        effect: JSON.parse(effect) as Json,
      })),
    };
  }

  async journals(limit: number, token: string | null): Promise<Page<ExecutionArn>> {
    const records = this.#all(
      `SELECT id, ${asBytes('arn')} FROM executions WHERE id > ? ORDER BY id LIMIT ?`,
      Number(token ?? 0),
      limit + 1,
    ) as { id: number; arn: ExecutionArn }[];
    const items = records.slice(0, limit);
    const next = records.length > limit ? (items.at(-1)?.id ?? null) : null;
    return { items: items.map(({ arn }) => arn), next: next === null ? null : String(next) };
  }

  async ended(limit: number, token: string | null): Promise<Page<ExecutionRow>> {
    const [startedAt = 0, id = 0] = (token ?? '').split('.').map(Number);
    const records = this.#all(
      `SELECT ${READ_COLUMNS} FROM executions
       WHERE (started_at, id) > (?, ?) AND status <> 'RUNNING' ORDER BY started_at, id LIMIT ?`,
      startedAt,
      id,
      limit + 1,
    ) as ExecutionRecord[];
    const shown = records.slice(0, limit);
    const last = records.length > limit ? shown.at(-1) : undefined;
    const next = last === undefined ? null : `${last.started_at}.${last.id}`;
    return { items: shown.map(toRow), next };
  }

  async rederive(
    arn: ExecutionArn,
    expected: JournalHead | null,
    head: JournalHead,
    derived: Derived,
  ): Promise<'done' | 'conflict'> {
    return this.access.write(() => {
      const now = this.#head(arn);
      const id = this.#id(arn);
      if (id === null || now?.seq !== expected?.seq || now?.digest !== expected?.digest) {
        return 'conflict';
      }
      const columns = ROW_COLUMNS.map((column) => `${column} = ?`).join(', ');
      this.#run(
        `UPDATE executions SET last_seq = ?, digest = ?, details = ?, ${columns} WHERE id = ?`,
        ...[head.seq, head.digest, JSON.stringify(derived.row.details)],
        ...rowValues(derived.row),
        id,
      );
      this.#run('DELETE FROM timers WHERE execution_id = ?', id);
      this.#run('DELETE FROM outbox WHERE execution_id = ?', id);
      this.#putPending(id, derived);
      return 'done';
    });
  }

  async restore(
    journal: readonly JournalCommit[],
    derived: Derived,
  ): Promise<'restored' | 'exists'> {
    const { row } = derived;
    return this.access.write(() => {
      if (this.#id(row.arn) !== null) return 'exists';
      const last = journal.at(-1);
      const head = [(last?.after ?? 0) + (last?.count ?? 0), last?.digest ?? ''];
      this.#run(
        `INSERT INTO executions (arn, ${COLUMNS}, details, last_seq, digest)
         VALUES (?, ${ROW_COLUMNS.map(() => '?').join(', ')}, ?, ?, ?)`,
        textKey(row.arn),
        ...rowValues(row),
        JSON.stringify(row.details),
        ...head,
      );
      const id = this.#id(row.arn) as number;
      const insert = this.access.database.prepare(
        'INSERT INTO commits (execution_id, after, count, digest, facts) VALUES (?, ?, ?, ?, ?)',
      );
      for (const { after, count, digest, facts } of journal) {
        insert.run([id, after, count, digest, facts]);
      }
      this.#putPending(id, derived);
      return 'restored';
    });
  }

  async strays(mend: boolean): Promise<readonly Stray[]> {
    const found = this.access.read(() => this.#strays());
    if (!mend || found.length === 0) return found;
    await this.access.write(() => {
      for (const { id } of this.#lostRows()) this.#adopt(id);
      for (const table of ['timers', 'outbox']) {
        this.#run(`DELETE FROM ${table} WHERE execution_id NOT IN (SELECT id FROM executions)`);
      }
      this.access.database.exec('REINDEX');
    });
    return found;
  }

  async documentKinds(): Promise<readonly string[]> {
    const records = this.#all('SELECT DISTINCT kind FROM documents ORDER BY kind');
    return (records as { kind: string }[]).map(({ kind }) => kind);
  }

  async size(): Promise<StoreSize> {
    const running = this.#number("SELECT count(*) FROM executions WHERE status = 'RUNNING'");
    const all = this.#number('SELECT count(*) FROM executions');
    const pages = this.#pragma('page_count') - this.#pragma('freelist_count');
    return { running, ended: all - running, bytes: pages * this.#pragma('page_size') };
  }

  frozen<T>(work: (store: Store) => Promise<T>): Promise<T> {
    return this.access.frozen(work);
  }

  async check(): Promise<readonly Finding[]> {
    return [this.#integrity(), this.#log()];
  }

  #integrity(): Finding {
    const check = 'integrity';
    const answers = this.access.read(() =>
      this.access.database.prepare(`PRAGMA integrity_check(${SHOWN_PROBLEMS})`).all([]),
    ) as { integrity_check: string }[];
    const problems = answers
      .map((answer) => answer.integrity_check)
      .filter((text) => text !== 'ok');
    if (problems.length === 0) {
      return { level: 'ok', check, message: 'SQLite finds the file sound.', mend: null };
    }
    return {
      level: 'error',
      check,
      message: `SQLite finds the file damaged: ${problems.join('; ')}`,
      mend: 'Stop the server, keep a copy of the file, and restore the last backup.',
    };
  }

  #log(): Finding {
    const bytes = sizeOf(`${this.access.path}-wal`);
    const shown = `The write-ahead log holds ${(bytes / 1024 / 1024).toFixed(1)} MiB.`;
    if (bytes < LONG_WAL_BYTES) return { level: 'ok', check: 'wal', message: shown, mend: null };
    return {
      level: 'warning',
      check: 'wal',
      message: shown,
      mend: 'Close other programs that read the file; the log is folded back when they are gone.',
    };
  }

  #strays(): readonly Stray[] {
    const lost = this.#lostRows().map(({ id, arn }): Stray => {
      return { kind: 'journal-without-row', what: arn ?? `execution ${id}` };
    });
    const orphan = 'execution_id NOT IN (SELECT id FROM executions)';
    const of = (kind: Stray['kind'], table: string, what: string): Stray[] =>
      (
        this.#all(`SELECT CAST(${what} AS BLOB) AS what FROM ${table} WHERE ${orphan}`) as {
          what: string;
        }[]
      ).map((record) => ({ kind, what: record.what }));
    return [
      ...lost,
      ...of('timer', 'timers', "'execution ' || execution_id || ' timer ' || key"),
      ...of('effect', 'outbox', "'execution ' || execution_id || ' effect ' || key"),
    ];
  }

  /** Executions whose commits are there without a row; `arn` null when the first fact is lost, too. */
  #lostRows(): readonly { readonly id: number; readonly arn: string | null }[] {
    return this.#all(
      `SELECT c.execution_id AS id,
              CAST(max(CASE WHEN c.after = 0 AND json_valid(c.facts)
                THEN json_extract(c.facts, '$[0].identity.arn') END) AS BLOB) AS arn
       FROM commits c WHERE c.execution_id NOT IN (SELECT id FROM executions)
       GROUP BY c.execution_id`,
    ) as { id: number; arn: string | null }[];
  }

  /** A row that leads to the journal; rebuild writes what belongs into it. */
  #adopt(id: number): void {
    const identity = (field: string): string => `json_extract(facts, '$[0].identity.${field}')`;
    this.#run(
      `INSERT OR IGNORE INTO executions
         (id, arn, name, state_machine_arn, status, started_at, redrive_count, details, last_seq, digest)
       SELECT ${id}, ${identity('arn')}, ${identity('name')}, ${identity('stateMachineArn')}, 'RUNNING',
              json_extract(facts, '$[0].at'), 0, '{}', last.end, last.digest
       FROM commits, (SELECT after + count AS end, digest FROM commits WHERE execution_id = ${id}
                      ORDER BY id DESC LIMIT 1) AS last
       WHERE execution_id = ${id} AND after = 0 AND json_valid(facts)
         AND ${identity('arn')} IS NOT NULL LIMIT 1`,
    );
  }

  #putPending(id: number, { timers, outbox }: Pending): void {
    for (const { key, dueAt } of timers) {
      this.#run('INSERT INTO timers VALUES (?, ?, ?)', id, textKey(key), dueAt);
    }
    for (const { key, effect } of outbox) {
      const text = JSON.stringify(effect);
      const sql = 'INSERT INTO outbox (execution_id, key, effect) VALUES (?, ?, ?)';
      this.#run(sql, id, textKey(key), text);
    }
  }

  #head(arn: ExecutionArn): JournalHead | null {
    const [record] = withTexts(this.#headOf.all([arn]));
    const { seq, digest } = (record ?? {}) as { seq?: Seq; digest?: Digest };
    return seq === undefined || digest === undefined ? null : { seq, digest };
  }

  #id(arn: ExecutionArn): number | null {
    const sql = 'SELECT id FROM executions WHERE arn = ?';
    const [record] = this.access.database.prepare(sql).all([arn]) as { id: number }[];
    return record?.id ?? null;
  }

  #all(sql: string, ...values: (string | number)[]): unknown[] {
    return this.access.read(() => withTexts(this.access.database.prepare(sql).all(values)));
  }

  #number(sql: string): number {
    return Number(Object.values(this.#all(sql)[0] as object)[0]);
  }

  #pragma(name: string): number {
    return this.#number(`PRAGMA ${name}`);
  }

  #run(sql: string, ...values: (string | number | null)[]): void {
    this.access.database.prepare(sql).run(values);
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
