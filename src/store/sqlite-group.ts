/**
 * Group commit: writes that arrive in the same event-loop turn share one transaction and one fsync.
 * Each write is judged by itself: a conflict touches nothing, and a write that fails is taken out and
 * the others are done again without it. A promise resolves only after COMMIT has returned.
 */
import { type SqliteDatabase, sqliteCode, unavailable } from './sqlite-file.js';
import { StoreUnavailable } from './unavailable.js';

/** Bounds how long one transaction holds the event loop. */
const MAX_WRITES_PER_GROUP = 1_000;

interface Write {
  readonly run: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

export class WriteGroup {
  #waiting: Write[] = [];
  #scheduled = false;
  #failure: Error | null = null;
  readonly #begin;
  readonly #commit;
  readonly #rollback;

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

  /** Runs `write` inside the next transaction; resolves with its result once that is on disk. */
  add<T>(write: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#failure !== null) {
        reject(this.#failure);
        return;
      }
      this.#waiting.push({ run: write, resolve: resolve as (value: never) => void, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => this.flush());
    });
  }

  /** Commits everything that waits, now. */
  flush(): void {
    this.#scheduled = false;
    const writes = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < writes.length; at += MAX_WRITES_PER_GROUP) {
      this.#writeTogether(writes.slice(at, at + MAX_WRITES_PER_GROUP));
    }
  }

  /** Refuses every later write with `failure`. */
  stop(failure: Error): void {
    this.#failure ??= failure;
  }

  #writeTogether(writes: readonly Write[]): void {
    if (this.#failure !== null) {
      rejectAll(writes, this.#failure);
      return;
    }
    const results: unknown[] = [];
    try {
      this.#begin.run([]);
      for (const write of writes) results.push(write.run());
    } catch (error) {
      this.#undo();
      if (writes.length === 1 || isOutage(error)) rejectAll(writes, this.#explain(error));
      else for (const write of writes) this.#writeTogether([write]);
      return;
    }
    try {
      this.#commit.run([]);
    } catch (error) {
      this.#undo();
      rejectAll(writes, this.#commitFailed(error));
      return;
    }
    for (const [at, write] of writes.entries()) write.resolve(results[at] as never);
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

function rejectAll(writes: readonly Write[], error: Error): void {
  for (const write of writes) write.reject(error);
}
