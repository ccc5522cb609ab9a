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

  async function keepOne(first: { resolve(): void; reject(error: unknown): void }): Promise<void> {
    let failures = 0;
    while (!closed) {
      const startedAt = Date.now();
      let reason: string;
      try {
        const child = await options.start(closing.signal);
        if (closed) return child.kill();
        live.add(child);
        first.resolve();
        reason = await child.ended;
        live.delete(child);
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

  const loops: Promise<void>[] = [];
  const firsts = Array.from({ length: options.count }, () => {
    const first = withResolvers();
    loops.push(keepOne(first));
    return first.promise;
  });
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

  return {
    ready,
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
      const stops = [...live].map((process) => process.stop());
      await Promise.all(stops);
      closing.abort(new Error('The variant is closing.'));
      await Promise.all(loops);
    },
    kill: () => {
      closed = true;
      closing.abort(new Error('The variant was ended.'));
      for (const process of live) process.kill();
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
