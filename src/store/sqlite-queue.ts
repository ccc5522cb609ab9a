/**
 * The store's writes on their way to the file: what arrives while a batch is being written makes the
 * next one (group commit). A lone write now and then is done here and now; under steady load a thread
 * of its own writes and syncs, and the event loop only hands batches over. Either way the order of
 * arrival is kept, and a promise resolves only when its write is durable.
 */
import type { SqliteDatabase, SqlValue } from './sqlite-file.js';
import { type Outcome, Transactions } from './sqlite-transactions.js';
import { SqliteWriter } from './sqlite-writer.js';
import type { WriteBatch } from './sqlite-writes.js';
import type { WriterThread } from './sqlite-thread.js';

/** Bounds how long one transaction lasts, and what one message carries. */
const MAX_WRITES = 1_000;
const MAX_CHARACTERS = 8_000_000;
/** So many more batches of several writes than of one make it worth starting the thread. */
const STEADY = 24;

interface Settle {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Batch extends WriteBatch {
  /** Writes that are functions and run in the main thread; null when they are values. */
  readonly local: (() => unknown)[] | null;
  readonly settles: Settle[];
  characters: number;
  /** It waited for another batch: someone else writes at the same time. */
  waited: boolean;
}

/** `auto`: as the load is; the others are for tests and measurements. */
export type WhereWritten = 'auto' | 'main' | 'thread';

export interface QueueOptions {
  readonly database: SqliteDatabase;
  readonly path: string;
  readonly where: WhereWritten;
  startThread(): WriterThread;
}

export class WriteQueue {
  /** The writer of the main thread, once it has had something to write. */
  #here: { readonly transactions: Transactions; readonly writer: SqliteWriter } | null = null;
  #thread: WriterThread | null = null;
  #waiting: Batch[] = [];
  #scheduled = false;
  /** The batch that the thread has, and what is called when it is done. */
  #written: Promise<void> | null = null;
  #steadiness = 0;

  /** Why nothing more is written. */
  #failure: Error | null = null;
  /** Why nothing more is taken; what waits is still written. */
  #refusal: Error | null = null;

  constructor(private readonly options: QueueOptions) {}

  /** A write as values; what `encode` throws is the answer to this write alone. */
  send<T>(encode: (values: SqlValue[]) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const batch = this.#open(false);
      const start = batch.values.length;
      try {
        encode(batch.values);
      } catch (error) {
        batch.values.length = start;
        throw error;
      }
      batch.starts.push(start);
      for (let at = start; at < batch.values.length; at += 1) {
        const value = batch.values[at];
        if (typeof value === 'string') batch.characters += value.length;
      }
      batch.settles.push({ resolve: resolve as (value: unknown) => void, reject });
      this.#schedule();
    });
  }

  /** Runs `write` inside a transaction of the main thread's connection. */
  run<T>(write: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const batch = this.#open(true);
      batch.local?.push(write);
      batch.settles.push({ resolve: resolve as (value: unknown) => void, reject });
      this.#schedule();
    });
  }

  /** Takes nothing more. */
  refuse(refusal: Error): void {
    this.#refusal ??= refusal;
  }

  /** Writes everything that waits; then the thread ends. */
  async close(): Promise<void> {
    this.#flush();
    while (this.#written !== null) await this.#written;
    await this.#thread?.close();
  }

  /** The batch that collects: the last one, unless it is full or of the other sort. */
  #open(local: boolean): Batch {
    const refusal = this.#failure ?? this.#refusal;
    if (refusal !== null) throw refusal;
    const last = this.#waiting.at(-1);
    const full =
      last === undefined ||
      last.settles.length >= MAX_WRITES ||
      last.characters >= MAX_CHARACTERS ||
      (last.local !== null) !== local;
    if (!full) return last;
    const batch: Batch = {
      values: [],
      starts: [],
      local: local ? [] : null,
      settles: [],
      characters: 0,
      waited: this.#written !== null,
    };
    this.#waiting.push(batch);
    return batch;
  }

  #schedule(): void {
    if (this.#scheduled || this.#written !== null) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Writes what waits, until the thread is busy with a batch. */
  #flush(): void {
    while (this.#written === null) {
      const batch = this.#waiting.shift();
      if (batch === undefined) return;
      if (batch.settles.length === 0) continue;
      const thread = batch.local === null && this.#failure === null ? this.#threadFor(batch) : null;
      if (thread === null) settle(batch, this.#writeHere(batch));
      else this.#written = this.#writeThere(batch, thread);
    }
  }

  #writeHere(batch: Batch): Outcome[] {
    const { transactions, writer } = this.#local();
    const { local, settles } = batch;
    const outcomes = transactions.together(settles.length, (from, to) =>
      local === null
        ? writer.apply(batch, from, to)
        : local.slice(from, to).map((write) => write()),
    );
    // A function may have changed what the writer remembers.
    if (local !== null) writer.forget();
    this.#failure ??= transactions.failure;
    return outcomes;
  }

  async #writeThere(batch: Batch, thread: WriterThread): Promise<void> {
    const { values, starts, settles } = batch;
    const { outcomes, failure } = await thread.write({ values, starts });
    this.#written = null;
    if (failure !== null) this.#fail(failure);
    // The next batch goes out before the answers of this one are looked at.
    this.#flush();
    settle(batch, outcomes ?? failed(settles.length, failure));
  }

  #fail(failure: Error): void {
    this.#failure ??= failure;
    this.#local().transactions.stop(failure);
  }

  #local(): { readonly transactions: Transactions; readonly writer: SqliteWriter } {
    if (this.#here === null) {
      const { database, path } = this.options;
      const writer = new SqliteWriter(database);
      const transactions = new Transactions(database, path, () => writer.forget());
      this.#here = { transactions, writer };
    }
    return this.#here;
  }

  #threadFor(batch: Batch): WriterThread | null {
    const { where } = this.options;
    if (where === 'main') return null;
    const several = batch.waited || batch.starts.length > 1;
    this.#steadiness = Math.min(STEADY, Math.max(0, this.#steadiness + (several ? 1 : -1)));
    if (this.#thread === null) {
      if (where === 'auto' && this.#steadiness < STEADY) return null;
      this.#thread = this.options.startThread();
    }
    if (where === 'thread') return this.#thread;
    return this.#thread.ready && this.#steadiness > 0 ? this.#thread : null;
  }
}

function failed(count: number, failure: Error | null): Outcome[] {
  const error = failure ?? new Error('The writer thread has not answered.');
  return Array.from({ length: count }, () => ({ error }));
}

function settle(batch: Batch, outcomes: readonly Outcome[]): void {
  for (const [at, { resolve, reject }] of batch.settles.entries()) {
    const outcome = outcomes[at] as Outcome;
    if ('error' in outcome) reject(outcome.error);
    else resolve(outcome.value);
  }
}
