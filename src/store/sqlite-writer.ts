/**
 * The writes of the store on one connection, in the main thread or in the writer's own. What a batch
 * adds is put together per table, so that a batch of commits costs a handful of statements; the
 * compare-and-set stays one UPDATE for each commit, which alone says whether it conflicts.
 */
import { assertNever } from '../lib/assert.js';
import { DocumentWrites } from './sqlite-documents.js';
import type { SqliteDatabase, SqliteStatement, SqlValue } from './sqlite-file.js';
import { ManyRows } from './sqlite-many-rows.js';
import { CHANGING_COLUMNS, ROW_COLUMNS } from './sqlite-rows.js';
import { COLUMNS_WRITTEN, WRITE, type WriteBatch } from './sqlite-writes.js';

/** Ids of executions lately written to; forgetting one costs a lookup. */
const REMEMBERED_IDS = 100_000;

const COLUMNS: readonly (readonly string[])[] = [[], CHANGING_COLUMNS, ROW_COLUMNS];

export class SqliteWriter {
  readonly #sql;
  readonly #commits: ManyRows;
  readonly #dropped: ManyRows;
  readonly #effects: ManyRows;
  readonly #documents: DocumentWrites;
  readonly #ids = new Map<string, number>();
  /** Executions with rows put together but not yet written: a second commit of one comes after. */
  readonly #gathered = new Set<number>();
  #values: readonly SqlValue[] = [];
  #at = 0;

  constructor(database: SqliteDatabase) {
    this.#sql = prepareWrites(database);
    this.#documents = new DocumentWrites(database);
    this.#commits = new ManyRows(database, {
      before: 'INSERT INTO commits (execution_id, after, count, digest, facts) VALUES',
      row: '(?, ?, ?, ?, ?)',
      between: ', ',
    });
    // Not `IN (VALUES …)`: SQLite would read all effects of an execution for each one that is done.
    this.#dropped = new ManyRows(database, {
      before: 'DELETE FROM outbox WHERE',
      row: '(execution_id = ? AND key = ?)',
      between: ' OR ',
    });
    this.#effects = new ManyRows(database, {
      before: 'INSERT INTO outbox (execution_id, key, effect) VALUES',
      row: '(?, ?, ?)',
      between: ', ',
      after: 'ON CONFLICT DO UPDATE SET effect = excluded.effect',
    });
  }

  /** Does the writes of a batch from one index up to another, inside the caller's transaction. */
  apply({ values, starts }: WriteBatch, from: number, to: number): unknown[] {
    this.#values = values;
    const results: unknown[] = [];
    for (let index = from; index < to; index += 1) {
      this.#at = starts[index] as number;
      results.push(this.#one());
    }
    this.#writeGathered();
    return results;
  }

  /** After a rollback or another hand's writes: ids from it are void, rows put together are dropped. */
  forget(): void {
    this.#ids.clear();
    this.#gathered.clear();
    for (const rows of [this.#commits, this.#dropped, this.#effects]) rows.clear();
  }

  #one(): unknown {
    const kind = this.#number() as (typeof WRITE)[keyof typeof WRITE];
    switch (kind) {
      case WRITE.start:
        return this.#start();
      case WRITE.advance:
        return this.#advance();
      default:
        this.#writeGathered();
        return this.#other(kind);
    }
  }

  #other(kind: Exclude<(typeof WRITE)[keyof typeof WRITE], 0 | 1>): unknown {
    switch (kind) {
      case WRITE.touchTimer: {
        const id = this.#idOf(this.#text());
        const key = this.#next();
        if (id !== null) this.#sql.touchTimer.run([this.#next(), id, key]);
        return undefined;
      }
      case WRITE.dropEffect: {
        const id = this.#idOf(this.#text());
        if (id !== null) this.#sql.dropEffect.run([id, this.#next()]);
        return undefined;
      }
      case WRITE.remove: {
        const arn = this.#text();
        const id = this.#idOf(arn);
        this.#ids.delete(arn);
        if (id !== null) for (const statement of this.#sql.removals) statement.run([id]);
        return undefined;
      }
      case WRITE.putDocument:
        return this.#documents.put(this.#text(), this.#text(), this.#text(), this.#next());
      case WRITE.removeDocument:
        return this.#documents.remove(this.#text(), this.#text());
      default:
        return assertNever(kind);
    }
  }

  #start(): 'committed' | 'conflict' {
    const arn = this.#text();
    const [count, digest, facts, details] = this.#take(4);
    const columns = this.#take(ROW_COLUMNS.length);
    const written = this.#sql.start.run([arn, ...columns, details, count, digest] as SqlValue[]);
    if (written.changes === 0) return 'conflict';
    const id = Number(written.lastInsertRowid);
    this.#remember(arn, id);
    this.#gathered.add(id);
    this.#commits.add([id, 0, count, digest, facts] as SqlValue[]);
    this.#pending(id);
    return 'committed';
  }

  #advance(): 'committed' | 'conflict' {
    const id = this.#idOf(this.#text());
    if (id === null) return 'conflict';
    const [after, count, previous, digest, facts, details, form] = this.#take(7);
    const columns = this.#take(COLUMNS[form as number]?.length ?? 0);
    const values = [
      Number(after) + Number(count),
      digest,
      details,
      ...columns,
      id,
      after,
      previous,
    ];
    const update = this.#sql.advances[form as number] as SqliteStatement;
    if (update.run(values as SqlValue[]).changes === 0) return 'conflict';
    if (this.#gathered.has(id)) this.#writeGathered();
    this.#gathered.add(id);
    this.#commits.add([id, after, count, digest, facts] as SqlValue[]);
    this.#pending(id);
    return 'committed';
  }

  #pending(id: number): void {
    for (let timers = this.#number(); timers > 0; timers -= 1) {
      const [key, dueAt] = this.#take(2) as [string, SqlValue];
      if (dueAt === null) this.#sql.dropTimer.run([id, key]);
      else this.#sql.setTimer.run([id, key, dueAt]);
    }
    for (let effects = this.#number(); effects > 0; effects -= 1) {
      const [key, effect] = this.#take(2) as [string, SqlValue];
      if (effect === null) this.#dropped.add([id, key]);
      else this.#effects.add([id, key, effect]);
    }
  }

  #writeGathered(): void {
    if (this.#gathered.size === 0) return;
    this.#gathered.clear();
    this.#commits.write();
    this.#dropped.write();
    this.#effects.write();
  }

  #idOf(arn: string): number | null {
    const remembered = this.#ids.get(arn);
    if (remembered !== undefined) return remembered;
    const [record] = this.#sql.id.all([arn]) as { id: number }[];
    if (record === undefined) return null;
    this.#remember(arn, record.id);
    return record.id;
  }

  #remember(arn: string, id: number): void {
    if (this.#ids.size >= REMEMBERED_IDS) this.#ids.clear();
    this.#ids.set(arn, id);
  }

  #next(): SqlValue {
    return this.#values[this.#at++] as SqlValue;
  }

  #text(): string {
    return this.#next() as string;
  }

  #number(): number {
    return this.#next() as number;
  }

  #take(count: number): readonly SqlValue[] {
    this.#at += count;
    return this.#values.slice(this.#at - count, this.#at);
  }
}

function prepareWrites(database: SqliteDatabase) {
  const prepare = (sql: string): SqliteStatement => database.prepare(sql);
  const advance = (columns: readonly string[]): SqliteStatement => {
    const written = ['last_seq', 'digest', 'details', ...columns];
    return prepare(
      `UPDATE executions SET ${written.map((column) => `${column} = ?`).join(', ')}
       WHERE id = ? AND last_seq = ? AND digest = ?`,
    );
  };
  return {
    id: prepare('SELECT id FROM executions WHERE arn = ?'),
    start: prepare(
      `INSERT INTO executions (arn, ${ROW_COLUMNS.join(', ')}, details, last_seq, digest)
       VALUES (?, ${ROW_COLUMNS.map(() => '?').join(', ')}, ?, ?, ?) ON CONFLICT (arn) DO NOTHING`,
    ),
    /** By COLUMNS_WRITTEN. */
    advances: Object.values(COLUMNS_WRITTEN).map((form) => advance(COLUMNS[form] ?? [])),
    setTimer: prepare(
      `INSERT INTO timers (execution_id, key, due_at) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET due_at = excluded.due_at`,
    ),
    dropTimer: prepare('DELETE FROM timers WHERE execution_id = ? AND key = ?'),
    touchTimer: prepare('UPDATE timers SET due_at = ? WHERE execution_id = ? AND key = ?'),
    dropEffect: prepare('DELETE FROM outbox WHERE execution_id = ? AND key = ?'),
    removals: [
      prepare('DELETE FROM timers WHERE execution_id = ?'),
      prepare('DELETE FROM outbox WHERE execution_id = ?'),
      prepare('DELETE FROM commits WHERE execution_id = ?'),
      prepare('DELETE FROM executions WHERE id = ?'),
    ],
  };
}
