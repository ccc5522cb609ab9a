/**
 * Time that passes only when everything else is done. Each simulated process has its own view, so
 * that killing a process takes its timers with it.
 */
import type { EpochMs } from '../../src/lib/brand.js';
import type { Clock } from '../../src/runtime/clock.js';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly wake: () => void;
}

export const VIRTUAL_EPOCH = Date.UTC(2026, 0, 1);

export class VirtualClock implements Clock {
  private readonly timers = new Set<Timer>();
  private order = 0;
  private time: number;

  constructor(start: number = VIRTUAL_EPOCH) {
    this.time = start;
  }

  now(): EpochMs {
    return this.time as EpochMs;
  }

  at(at: EpochMs, wake: () => void): () => void {
    const timer = { at, order: this.order++, wake };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  /** A view for one process; `kill` stops its timers and every later one. */
  process(): Clock & { kill(): void } {
    const own = new Set<() => void>();
    let dead = false;
    return {
      now: () => this.now(),
      at: (at, wake) => {
        if (dead) return () => undefined;
        const cancel = this.at(at, () => {
          own.delete(cancel);
          wake();
        });
        own.add(cancel);
        return () => {
          own.delete(cancel);
          cancel();
        };
      },
      kill: () => {
        dead = true;
        for (const cancel of own) cancel();
      },
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.at((this.time + ms) as EpochMs, resolve);
    });
  }

  /** Jumps to the earliest timer and fires everything due then. False when there is none. */
  advance(): boolean {
    const first = [...this.timers].reduce<Timer | null>(
      (least, timer) => (least === null || timer.at < least.at ? timer : least),
      null,
    );
    if (first === null) return false;
    this.time = Math.max(this.time, first.at);
    this.fireDue();
    return true;
  }

  /** Moves the wall clock, back as well: what NTP or a person may do. */
  jump(ms: number): void {
    this.time += ms;
    this.fireDue();
  }

  private fireDue(): void {
    const due = [...this.timers]
      .filter((timer) => timer.at <= this.time)
      .sort((a, b) => a.at - b.at || a.order - b.order);
    for (const timer of due) {
      if (this.timers.delete(timer)) timer.wake();
    }
  }

  /** Lets promises settle and time pass until `work` is done; rejects when nothing is left to wait for. */
  async runUntil<T>(work: Promise<T>, options: { readonly maxSteps?: number } = {}): Promise<T> {
    let done = false;
    const settle = (): void => {
      done = true;
    };
    work.then(settle, settle);
    const { maxSteps = 100_000 } = options;
    for (let step = 0; step < maxSteps; step++) {
      await settled();
      if (done) return work;
      // The engine's own refill timer never ends: without anything else, the run is stuck.
      if (!this.advance()) throw new Error('Nothing is left that could wake the run: it is stuck.');
    }
    throw new Error(`The run is not over after ${maxSteps} timers.`);
  }

  /** Lets time pass by `ms`, firing every timer on the way. */
  async pass(ms: number): Promise<void> {
    await this.runUntil(this.sleep(ms));
    await settled();
  }
}

/** Resolves when every promise chain that needs no timer and no I/O has run out. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
