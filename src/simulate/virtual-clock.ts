/**
 * Time that passes only when everything else is done. It jumps from timer to timer (`skip`), or sleeps
 * in between (`scaled`, `real`): what the machine sees is the same, only we wait. Each simulated
 * process has its own view, so that killing a process takes its timers with it.
 */
import type { EpochMs } from '../lib/brand.js';
import type { Clock } from '../runtime/clock.js';

interface Timer {
  readonly at: number;
  /** Breaks ties: drawn by the seed, or the order in which timers were set. */
  readonly tie: number;
  readonly order: number;
  readonly wake: () => void;
  cancelled: boolean;
}

export const VIRTUAL_EPOCH = Date.UTC(2026, 0, 1);
/** Our reason: timers after which a run is taken for endless. */
const MAX_STEPS = 1_000_000;
/** Rounds of the event loop without any activity after which nothing more happens at this instant. */
const QUIET_ROUNDS = 2;
/** Node clamps longer delays to 1 ms. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;

export class VirtualClock implements Clock {
  private readonly heap: Timer[] = [];
  private order = 0;
  private time: number;
  private holds = 0;
  /** Rises with everything that may lead to more at this instant. */
  private stirs = 0;
  private changed: () => void = () => undefined;
  private sleeping: { readonly begun: number; readonly speed: number } | null = null;

  constructor(
    start: number = VIRTUAL_EPOCH,
    private readonly options: {
      /** Virtual milliseconds per real one; absent: no waiting at all. */
      readonly speed?: number;
      /** Orders what is due in the same millisecond; absent: first set, first woken. */
      readonly tie?: () => number;
    } = {},
  ) {
    this.time = start;
  }

  /** While we sleep, time passes: someone outside (a person who stops the run) may act in between. */
  now(): EpochMs {
    if (this.sleeping === null) return this.time as EpochMs;
    const { begun, speed } = this.sleeping;
    const passed = Math.floor((performance.now() - begun) * speed);
    return Math.min(this.time + passed, this.next() ?? Number.POSITIVE_INFINITY) as EpochMs;
  }

  /** `tie` puts it among what is due in the same millisecond, lowest first. */
  at(at: EpochMs, wake: () => void, tie: number = this.options.tie?.() ?? 0): () => void {
    const timer: Timer = { at, tie, order: this.order++, wake, cancelled: false };
    push(this.heap, timer);
    this.stir();
    this.changed();
    return () => {
      timer.cancelled = true;
    };
  }

  /** Instant of the earliest timer, or null. */
  next(): EpochMs | null {
    for (let first = this.heap[0]; first !== undefined; first = this.heap[0]) {
      if (!first.cancelled) return first.at as EpochMs;
      pop(this.heap);
    }
    return null;
  }

  /** Says that something has happened which may go on at this instant. */
  stir(): void {
    this.stirs++;
  }

  /** Work of the real world (a function that awaits I/O): no virtual time passes until it is released. */
  hold(): () => void {
    this.holds++;
    let held = true;
    return () => {
      if (held) this.holds--;
      held = false;
      this.stir();
      this.changed();
    };
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
    const first = this.next();
    if (first === null) return false;
    this.time = Math.max(this.time, first);
    this.fireDue();
    return true;
  }

  /** Moves the wall clock, back as well: what NTP or a person may do. */
  jump(ms: number): void {
    this.time += ms;
    this.fireDue();
  }

  private fireDue(): void {
    // Only what is due now: a timer set by one of them for this instant comes with the next step.
    const due: Timer[] = [];
    for (let at = this.next(); at !== null && at <= this.time; at = this.next()) {
      due.push(pop(this.heap) as Timer);
    }
    for (const timer of due) {
      if (timer.cancelled) continue;
      timer.cancelled = true;
      timer.wake();
    }
  }

  /** Resolves when everything that can happen at this instant without a timer has happened. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_ROUNDS; ) {
      const before = this.stirs;
      await settled();
      while (this.holds > 0) await this.change();
      quiet = this.stirs === before ? quiet + 1 : 0;
    }
  }

  private change(): Promise<void> {
    return new Promise((resolve) => {
      this.changed = () => {
        this.changed = () => undefined;
        resolve();
      };
    });
  }

  /** Sleeps until the earliest timer is due in real time; an earlier one may come in between. */
  private async waitForNext(speed: number, isDone: () => boolean = () => false): Promise<void> {
    const begun = performance.now();
    this.sleeping = { begun, speed };
    while (!isDone()) {
      const due = begun + ((this.next() ?? this.time) - this.time) / speed;
      const left = due - performance.now();
      if (left <= 0) break;
      await this.sleepRealOrChange(Math.min(left, LONGEST_SLEEP_MS));
    }
    this.time = this.now();
    this.sleeping = null;
  }

  private sleepRealOrChange(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.changed = () => undefined;
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.changed = end;
    });
  }

  /** One instant: lets everything settle, then moves to the next timer. False when there is none. */
  async step(): Promise<boolean> {
    await this.settle();
    const { speed } = this.options;
    if (speed !== undefined) await this.waitForNext(speed);
    return this.advance();
  }

  /** Lets promises settle and time pass until `work` is done; rejects when nothing is left to wait for. */
  async runUntil<T>(work: Promise<T>, options: { readonly maxSteps?: number } = {}): Promise<T> {
    if (!(await this.passUntil(work, options.maxSteps))) {
      throw new Error('Nothing is left that could wake the run: it is stuck.');
    }
    return work;
  }

  /** The same; resolves to false when `work` waits for something that no timer brings. */
  async passUntil(work: Promise<unknown>, maxSteps = MAX_STEPS): Promise<boolean> {
    let done = false;
    const settle = (): void => {
      done = true;
      this.changed();
    };
    work.then(settle, settle);
    for (let step = 0; step < maxSteps; step++) {
      await this.settle();
      if (done) return true;
      if (this.next() === null) return false;
      const { speed } = this.options;
      if (speed !== undefined) await this.waitForNext(speed, () => done);
      if (done) return true;
      this.advance();
    }
    throw new Error(`The run is not over after ${maxSteps} timers.`);
  }

  /** Lets time pass by `ms`, firing every timer on the way. */
  async pass(ms: number): Promise<void> {
    await this.runUntil(this.sleep(ms));
    await this.settle();
  }
}

/** Resolves when every promise chain that needs no timer and no I/O has run out. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function isBefore(a: Timer, b: Timer): boolean {
  if (a.at !== b.at) return a.at < b.at;
  return a.tie !== b.tie ? a.tie < b.tie : a.order < b.order;
}

function push(heap: Timer[], timer: Timer): void {
  heap.push(timer);
  let index = heap.length - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent] as Timer;
    if (!isBefore(timer, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = timer;
}

function pop(heap: Timer[]): Timer | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return first;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    const right = heap[child + 1];
    if (right !== undefined && isBefore(right, heap[child] as Timer)) child++;
    const below = heap[child] as Timer;
    if (!isBefore(below, last)) break;
    heap[index] = below;
    index = child;
  }
  heap[index] = last;
  return first;
}
