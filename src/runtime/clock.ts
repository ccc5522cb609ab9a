/** Time, as the runtime sees it. The simulator brings another host; nothing else reads one. */
import type { EpochMs } from '../lib/brand.js';

export interface Clock {
  now(): EpochMs;
  /** Calls `wake` once at or after `at`; returns the cancel function. */
  at(at: EpochMs, wake: () => void): () => void;
}

/** What a platform gives: a wall clock that may jump, and delays that run on regardless. */
export interface TimeHost {
  now(): number;
  /** Calls `wake` after `ms`; returns the cancel function. */
  after(ms: number, wake: () => void): () => void;
}

/** Node clamps longer delays to 1 ms: sleep in steps. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export function clockOver(host: TimeHost): Clock {
  return {
    now: () => host.now() as EpochMs,
    at: (at, wake) => {
      let cancel: () => void = () => undefined;
      const arm = (): void => {
        const delay = Math.max(0, at - host.now());
        cancel = host.after(
          Math.min(delay, LONGEST_DELAY_MS),
          delay > LONGEST_DELAY_MS ? arm : wake,
        );
      };
      arm();
      return () => cancel();
    },
  };
}

export const realClock: Clock = clockOver({
  now: Date.now,
  after: (ms, wake) => {
    const timer = setTimeout(wake, ms);
    return () => clearTimeout(timer);
  },
});
