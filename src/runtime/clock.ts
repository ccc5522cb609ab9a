/** Time, as the runtime sees it. The simulator brings another clock; nothing else reads one. */
import type { EpochMs } from '../lib/brand.js';

export interface Clock {
  now(): EpochMs;
  /** Calls `wake` once at or after `at`; returns the cancel function. */
  at(at: EpochMs, wake: () => void): () => void;
}

/** Node clamps longer delays to 1 ms: sleep in steps. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export const realClock: Clock = {
  now: () => Date.now() as EpochMs,
  at: (at, wake) => {
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const delay = Math.max(0, at - Date.now());
      timer = setTimeout(delay > LONGEST_DELAY_MS ? arm : wake, Math.min(delay, LONGEST_DELAY_MS));
    };
    arm();
    return () => clearTimeout(timer);
  },
};
