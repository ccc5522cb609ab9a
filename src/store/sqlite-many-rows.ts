/**
 * Rows for one table, written by as few statements as the prepared sizes allow: a call of the driver
 * and the start of a statement cost as much as a small row itself.
 */
import type { SqliteDatabase, SqliteStatement, SqlValue } from './sqlite-file.js';

/** Rows per statement, largest first. */
const SIZES = [32, 8, 2, 1] as const;

/** A statement for several rows: `row` as often as there are rows, `between` them, after `before`. */
export interface RowsSql {
  readonly before: string;
  /** With a `?` for each value. */
  readonly row: string;
  readonly between: string;
  readonly after?: string;
}

export class ManyRows {
  readonly #width: number;
  #values: SqlValue[] = [];
  readonly #prepared = new Map<number, SqliteStatement>();

  constructor(
    private readonly database: SqliteDatabase,
    private readonly sql: RowsSql,
  ) {
    this.#width = sql.row.split('?').length - 1;
  }

  add(row: readonly SqlValue[]): void {
    this.#values.push(...row);
  }

  clear(): void {
    this.#values = [];
  }

  write(): void {
    const values = this.#values;
    this.#values = [];
    let at = 0;
    for (const size of SIZES) {
      const step = size * this.#width;
      for (; values.length - at >= step; at += step) {
        const rows = step === values.length ? values : values.slice(at, at + step);
        this.#statement(size).run(rows);
      }
    }
  }

  #statement(size: number): SqliteStatement {
    let statement = this.#prepared.get(size);
    if (statement === undefined) {
      const { before, row, between, after = '' } = this.sql;
      const rows = Array(size).fill(row).join(between);
      statement = this.database.prepare(`${before} ${rows} ${after}`) as SqliteStatement;
      this.#prepared.set(size, statement);
    }
    return statement;
  }
}
