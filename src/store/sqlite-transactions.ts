/**
 * Several writes in one transaction and with one fsync. Each is judged by itself: a conflict touches
 * nothing, and a write that fails is taken out and the others are done again without it. An outcome
 * exists only after COMMIT has returned.
 */
import {
  type SqliteDatabase,
  type SqliteStatement,
  sqliteCode,
  unavailable,
} from './sqlite-file.js';
import { StoreUnavailable } from './unavailable.js';

export type Outcome = { readonly value: unknown } | { readonly error: Error };

export class Transactions {
  #failure: Error | null = null;
  readonly #begin: SqliteStatement;
  readonly #commit: SqliteStatement;
  readonly #rollback: SqliteStatement;

  constructor(
    private readonly database: SqliteDatabase,
    private readonly path: string,
    /** Called after a rollback: whatever was remembered from the transaction is void. */
    private readonly forget: () => void,
  ) {
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commit = database.prepare('COMMIT');
    this.#rollback = database.prepare('ROLLBACK');
  }

  /** Why nothing more is written; null while all is well. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Refuses every later write with `failure`. */
  stop(failure: Error): void {
    this.#failure ??= failure;
  }

  /** `run` does the writes from one index up to another inside a transaction and tells their results. */
  together(count: number, run: (from: number, to: number) => readonly unknown[]): Outcome[] {
    return this.#span(0, count, run);
  }

  #span(
    from: number,
    to: number,
    run: (from: number, to: number) => readonly unknown[],
  ): Outcome[] {
    const failed = (error: Error): Outcome[] =>
      Array.from({ length: to - from }, () => ({ error }));
    if (this.#failure !== null) return failed(this.#failure);
    let results: readonly unknown[];
    try {
      this.#begin.run([]);
      results = run(from, to);
    } catch (error) {
      this.#undo();
      if (to - from === 1 || isOutage(error)) return failed(this.#explain(error));
      const alone = Array.from({ length: to - from }, (_, at) => from + at);
      return alone.flatMap((at) => this.#span(at, at + 1, run));
    }
    try {
      this.#commit.run([]);
    } catch (error) {
      this.#undo();
      return failed(this.#commitFailed(error));
    }
    return results.map((value) => ({ value }));
  }

  /**
   * A full disk is over when space is free. Any other failing COMMIT may have reached the disk or
   * not, and a later fsync would report success for pages the kernel has dropped: nothing more is
   * written until the file is opened (and recovered) again.
   */
  #commitFailed(error: unknown): Error {
    if (/SQLITE_(FULL|BUSY)/.test(sqliteCode(error))) return unavailable(error, this.path);
    const failure = unavailable(error, this.path, true);
    this.stop(failure);
    return failure;
  }

  #explain(error: unknown): Error {
    if (isOutage(error)) return unavailable(error, this.path);
    return error instanceof Error ? error : new Error(String(error));
  }

  #undo(): void {
    this.forget();
    try {
      if (this.database.inTransaction) this.#rollback.run([]);
    } catch (error) {
      this.stop(unavailable(error, this.path, true));
    }
  }
}

/** Errors of the file or the disk, as opposed to errors of one write. */
function isOutage(error: unknown): boolean {
  if (error instanceof StoreUnavailable) return true;
  const code = sqliteCode(error);
  return code.startsWith('SQLITE_') && !/SQLITE_(CONSTRAINT|MISMATCH|RANGE|TOOBIG)/.test(code);
}
