/**
 * The thread that writes: started under load only, with its own connection to the file. It keeps the
 * process alive only while it has a batch. When it breaks, the batch it had may or may not be durable,
 * and nothing more is written until the store is opened again.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Outcome } from './sqlite-transactions.js';
import type { WriteBatch } from './sqlite-writes.js';
import { StoreUnavailable } from './unavailable.js';

export interface ThreadSetup {
  readonly path: string;
  readonly maxPages: number | null;
}

/** The answer to a batch. Only what is not `committed` is told of each write. */
export interface Answer {
  readonly count: number;
  readonly others: readonly (readonly [index: number, outcome: PlainOutcome])[];
  readonly failure: PlainError | null;
}

export type PlainOutcome = { readonly value: unknown } | { readonly error: PlainError };

/** An error as a message carries it. */
export interface PlainError {
  readonly unavailable: boolean;
  readonly message: string;
  readonly outcomeUnknown: boolean;
}

export interface Written {
  /** Null when the thread broke. */
  readonly outcomes: readonly Outcome[] | null;
  /** Why nothing more is written; null while all is well. */
  readonly failure: Error | null;
}

export class WriterThread {
  readonly #worker: Worker;
  readonly #path: string;
  readonly #ended: Promise<void>;
  #ready = false;
  #broken: StoreUnavailable | null = null;
  #closing = false;
  #answer: ((written: Written) => void) | null = null;

  constructor(setup: ThreadSetup) {
    this.#path = setup.path;
    this.#worker = startWorker(setup);
    this.#worker.unref();
    this.#worker.on('message', (message: Answer | 'ready') => {
      if (message === 'ready') this.#ready = true;
      else this.#answered(message);
    });
    this.#worker.on('error', (error) => this.#break(error));
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        if (!this.#closing) this.#break(new Error(`it ended with code ${code}`));
        resolve();
      });
    });
  }

  /** True once its connection is open, and until it breaks. */
  get ready(): boolean {
    return this.#ready;
  }

  /** One batch at a time. */
  write(batch: WriteBatch): Promise<Written> {
    return new Promise((resolve) => {
      this.#answer = resolve;
      if (this.#broken !== null) {
        this.#answer = null;
        resolve({ outcomes: null, failure: this.#broken });
        return;
      }
      this.#worker.ref();
      this.#worker.postMessage(batch);
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#worker.ref();
    this.#worker.postMessage('close');
    await this.#ended;
  }

  #answered({ count, others, failure }: Answer): void {
    this.#worker.unref();
    const answer = this.#answer;
    this.#answer = null;
    const outcomes: Outcome[] = Array.from({ length: count }, () => COMMITTED);
    for (const [index, outcome] of others) {
      outcomes[index] = 'error' in outcome ? { error: revived(outcome.error) } : outcome;
    }
    answer?.({ outcomes, failure: failure === null ? null : revived(failure) });
  }

  /** A thread that never came up is no loss: the main thread goes on writing by itself. */
  #break(error: unknown): void {
    this.#ready = false;
    const reason = error instanceof Error ? error.message : String(error);
    this.#broken ??= new StoreUnavailable(
      `The store ${this.#path} is unavailable: the thread that writes it has broken (${reason}). ` +
        'Restart the process; nothing that was acknowledged is lost.',
      { cause: error, outcomeUnknown: true },
    );
    const answer = this.#answer;
    this.#answer = null;
    answer?.({ outcomes: null, failure: this.#broken });
  }
}

const COMMITTED: Outcome = { value: 'committed' };

function revived({ unavailable, message, outcomeUnknown }: PlainError): Error {
  return unavailable ? new StoreUnavailable(message, { outcomeUnknown }) : new Error(message);
}

export function plainError(error: Error): PlainError {
  const unavailable = error instanceof StoreUnavailable;
  const outcomeUnknown = unavailable && error.outcomeUnknown;
  return { unavailable, message: error.message, outcomeUnknown };
}

/** The source runs as TypeScript in development and tests, as JavaScript from `dist`. */
function startWorker(setup: ThreadSetup): Worker {
  const options = { name: 'stepwell-store', workerData: setup, execArgv: [] };
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('./sqlite-thread-main.js', import.meta.url), options);
  }
  const api = pathToFileURL(
    createRequire(import.meta.url)
      .resolve('tsx/esm/api')
      .replace(/\.cjs$/, '.mjs'),
  ).href;
  const entry = new URL('./sqlite-thread-main.ts', import.meta.url).href;
  const code = `import(${JSON.stringify(api)}).then(({ tsImport }) => tsImport(${JSON.stringify(entry)}, ${JSON.stringify(import.meta.url)}))`;
  return new Worker(code, { ...options, eval: true });
}
