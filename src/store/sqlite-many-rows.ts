/**
 * Rows for one table, written by as few statements as the prepared sizes allow: a call of the driver
 * and the start of a statement cost as much as a small row itself.
 */
import type { SqliteDatabase, SqliteStatement, SqlValue } from './sqlite-file.js';

/** Rows per statement, largest first. */
const SIZES = [32, 8, 2, 1] as const;

export class ManyRows {
  #values: SqlValue[] = [];
  readonly #prepared = new Map<number, SqliteStatement>();

  constructor(
    private readonly database: SqliteDatabase,
    /** Values per row. */
    private readonly width: number,
    /** The statement around the rows `(?, ?), (?, ?)`. */
    private readonly sql: (rows: string) => string,
  ) {}

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
      const step = size * this.width;
      for (; values.length - at >= step; at += step) {
        const rows = step === values.length ? values : values.slice(at, at + step);
        this.#statement(size).run(rows);
      }
    }
  }

  #statement(size: number): SqliteStatement {
    let statement = this.#prepared.get(size);
    if (statement === undefined) {
      const row = `(${Array(this.width).fill('?').join(', ')})`;
      statement = this.database.prepare(
        this.sql(Array(size).fill(row).join(', ')),
      ) as SqliteStatement;
      this.#prepared.set(size, statement);
    }
    return statement;
  }
}
