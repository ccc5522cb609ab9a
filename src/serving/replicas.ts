/**
 * The children that serve one variant: as many as it wants, each started again with growing pauses
 * when it dies, requests spread by least waiting. `ready` tells whether the first start succeeded.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { unavailable } from './errors.js';
import { RESTART_FIRST_MS, RESTART_MOST_MS, STABLE_AFTER_MS } from './limits.js';
import type { Prediction } from './messages.js';
import { isFinal, type PredictOptions, type ServingProcess } from './serving-process.js';

export interface ReplicaOptions {
  readonly count: number;
  start(signal: AbortSignal): Promise<ServingProcess>;
  /** Told of every death and failed start, with the pause before the next try. */
  onLost?(reason: string, pauseMs: number): void;
  readonly restartFirstMs?: number;
}

export interface Replicas {
  /** Resolves when every child is up for the first time; rejects with the first failure to start. */
  readonly ready: Promise<void>;
  live(): readonly ServingProcess[];
  readonly restarts: number;
  readonly lastFailure: string | null;
  predict(texts: readonly string[], options?: PredictOptions): Promise<readonly Prediction[]>;
  /** How many children there are to be. */
  readonly desired: number;
  /** Starts more children, or lets the least busy ones finish and go. */
  resize(count: number): void;
  /** Replaces idle children that do not answer a ping in time. */
  checkHealth(timeoutMs: number): Promise<void>;
  /** Orderly: no new requests, the running ones are answered. */
  close(): Promise<void>;
  kill(): void;
}

export function keepReplicas(options: ReplicaOptions): Replicas {
  const live = new Set<ServingProcess>();
  const closing = new AbortController();
  let closed = false;
  let restarts = 0;
  let lastFailure: string | null = null;

  let desired = options.count;
  /** Loops that keep a child each; one that finds more of them than are wanted ends. */
  let keeping = 0;
  const leaving = new Set<ServingProcess>();

  async function keepOne(first: { resolve(): void; reject(error: unknown): void }): Promise<void> {
    keeping++;
    try {
      await keepStarted(first);
    } finally {
      keeping--;
    }
  }

  async function keepStarted(first: {
    resolve(): void;
    reject(error: unknown): void;
  }): Promise<void> {
    let failures = 0;
    while (!closed && keeping - leaving.size <= desired) {
      const startedAt = Date.now();
      let reason: string;
      try {
        const child = await options.start(closing.signal);
        if (closed) return child.kill();
        first.resolve();
        if (keeping - leaving.size > desired) return void child.stop();
        live.add(child);
        reason = await child.ended;
        live.delete(child);
        if (leaving.delete(child)) return;
      } catch (error) {
        first.reject(error);
        reason = error instanceof Error ? error.message : String(error);
      }
      if (closed) return;
      if (Date.now() - startedAt > STABLE_AFTER_MS) failures = 0;
      const pauseMs = pauseAfter(failures++, options.restartFirstMs ?? RESTART_FIRST_MS);
      lastFailure = reason;
      restarts++;
      options.onLost?.(reason, pauseMs);
      await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  }

  const loops = new Set<Promise<void>>();
  const begin = (): Promise<void> => {
    const first = withResolvers();
    const loop = keepOne(first).finally(() => loops.delete(loop));
    loops.add(loop);
    return first.promise;
  };
  const firsts = Array.from({ length: options.count }, begin);
  const ready = Promise.all(firsts).then(() => undefined);
  ready.catch(() => undefined);

  async function predict(
    texts: readonly string[],
    predictOptions?: PredictOptions,
  ): Promise<readonly Prediction[]> {
    const chosen = leastBusy(live);
    if (chosen === null) throw unavailable('No instance of the model is ready.');
    try {
      return await chosen.predict(texts, predictOptions);
    } catch (error) {
      if (isFinal(error)) throw error;
    }
    // Its child died: predictions change nothing, so one other child may try. Not more than one, or
    // a request that kills children would go through all of them.
    const other = leastBusy(live, chosen);
    if (other === null) throw unavailable('The instance that served the request has ended.');
    try {
      return await other.predict(texts, predictOptions);
    } catch (error) {
      if (isFinal(error)) throw error;
      throw unavailable('The instances that served the request have ended.');
    }
  }

  function resize(count: number): void {
    if (closed || count === desired) return;
    desired = count;
    const staying = keeping - leaving.size;
    for (let more = staying; more < count; more++) begin().catch(() => undefined);
    // One that still loads finds out by itself that it is not wanted: who answers must not go for it.
    const idleFirst = [...live].sort((a, b) => a.queuedTexts - b.queuedTexts);
    for (const process of idleFirst.slice(0, Math.max(0, live.size - count))) {
      // Out of the choice at once; what it has is answered before it goes.
      leaving.add(process);
      live.delete(process);
      void process.stop();
    }
  }

  async function checkHealth(timeoutMs: number): Promise<void> {
    await Promise.all(
      [...live].map(async (process) => {
        if ((await process.healthy(timeoutMs)) || closed) return;
        process.kill();
      }),
    );
  }

  return {
    ready,
    get desired() {
      return desired;
    },
    resize,
    checkHealth,
    live: () => [...live],
    get restarts() {
      return restarts;
    },
    get lastFailure() {
      return lastFailure;
    },
    predict,
    close: async () => {
      closed = true;
      const stops = [...live, ...leaving].map((process) => process.stop());
      await Promise.all(stops);
      closing.abort(new Error('The variant is closing.'));
      await Promise.all(loops);
    },
    kill: () => {
      closed = true;
      closing.abort(new Error('The variant was ended.'));
      for (const process of [...live, ...leaving]) process.kill();
    },
  };
}

function pauseAfter(failures: number, firstMs: number): number {
  return Math.min(RESTART_MOST_MS, firstMs * 2 ** Math.min(failures, 20));
}

function leastBusy(
  live: ReadonlySet<ServingProcess>,
  except: ServingProcess | null = null,
): ServingProcess | null {
  let best: ServingProcess | null = null;
  for (const process of live) {
    if (process === except) continue;
    if (best === null || process.queuedTexts < best.queuedTexts) best = process;
  }
  return best;
}

function withResolvers(): {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
} {
  let resolve = (): void => undefined;
  let reject = (_error: unknown): void => undefined;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
