/**
 * Durable timers: the store keeps them all, memory only those due soon. Timers due in the same
 * millisecond for one execution are delivered together.
 */
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { DueTimer, Store } from '../store/store.js';
import type { Clock } from './clock.js';

/** Timers due within this are kept in memory; the store is asked again in half of it. */
const HORIZON_MS = 60_000;
const REFILL_BATCH = 10_000;

/** Pause before the store is asked again when all it gave is being delivered already. */
const BUSY_PAUSE_MS = 20;
/** The same when all it gave is held by other processes. */
const OTHERS_PAUSE_MS = 1_000;
/** Between the commit that names the holder and the setting here. */
const SLACK_MS = 30_000;
/** Pause before a store that was away is asked again. */
const RETRY_MS = 1_000;

/** Resolves when the timers are no longer in the store, or the delivery was given up. */
type Deliver = (arn: ExecutionArn, keys: readonly string[]) => Promise<void>;

interface Entry {
  readonly arn: ExecutionArn;
  readonly key: string;
  readonly dueAt: EpochMs;
}

/** Where several processes share the store: which of its timers this one holds. */
export interface TimerShare {
  readonly id: string;
  isAlive(holder: string): boolean;
  isMine(arn: ExecutionArn): boolean;
}

export interface SchedulerOptions {
  /** Infinite: nobody else sets timers, so memory holds them all and the store is asked once. */
  readonly horizonMs?: number;
  readonly share?: TimerShare | null;
}

/** A timer whose living holder has not fired it for so long is taken by another process. */
const HOLDER_LATE_MS = 15_000;

export class Scheduler {
  private readonly horizonMs: number;
  private readonly share: TimerShare | null;
  private readonly entries = new Map<string, Entry>();
  private readonly heap: Entry[] = [];
  /** Fired, and in the store until their turn is committed. */
  private readonly firing = new Set<string>();
  private cancelWake: (() => void) | null = null;
  private cancelRefill: (() => void) | null = null;
  private wakeAt = Number.POSITIVE_INFINITY;
  private loadedUntil = 0;
  private closed = false;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly deliver: Deliver,
    private readonly onError: (error: unknown) => void,
    options: SchedulerOptions = {},
  ) {
    this.horizonMs = options.horizonMs ?? HORIZON_MS;
    this.share = options.share ?? null;
  }

  /** Timers due until then are held by the process that sets them. */
  get horizon(): EpochMs {
    return (this.clock.now() + HORIZON_MS) as EpochMs;
  }

  /** Loads what is due soon and keeps doing so. */
  async start(): Promise<void> {
    await this.refill();
  }

  /** Looks at once: timers may have lost their holder. */
  async refillNow(): Promise<void> {
    if (this.closed || this.cancelRefill === null) return;
    this.cancelRefill();
    this.cancelRefill = null;
    await this.refill().catch((error) => {
      this.refillLater();
      throw error;
    });
  }

  private async refill(): Promise<void> {
    if (this.closed) return;
    const until = (this.clock.now() + this.horizonMs) as EpochMs;
    const due = await this.store.dueTimers(until, REFILL_BATCH);
    let added = 0;
    for (const timer of due) {
      if (!this.isHeldHere(timer)) continue;
      const { arn, key, dueAt } = timer;
      // What memory holds was set after a commit and may be newer: a heartbeat moves its timer.
      const name = nameOf(arn, key);
      if (this.entries.has(name) || this.firing.has(name)) continue;
      this.insert({ arn, key, dueAt });
      added++;
    }
    // A full batch means more may be due before the horizon: ask again from the last one seen.
    const full = due.length === REFILL_BATCH;
    this.loadedUntil = full ? (due.at(-1)?.dueAt ?? until) : until;
    const pause = this.share === null ? BUSY_PAUSE_MS : OTHERS_PAUSE_MS;
    const next = added > 0 ? 0 : this.clock.now() + pause;
    const again = full ? Math.max(this.loadedUntil, next) : this.clock.now() + this.horizonMs / 2;
    if (again !== Number.POSITIVE_INFINITY) this.refillAt(again as EpochMs);
    this.arm();
  }

  /** The process that set it, if it lives; else, of all that live, one. */
  private isHeldHere({ arn, dueAt, holder }: DueTimer): boolean {
    const { share } = this;
    if (share === null || holder === share.id) return true;
    const held = holder !== undefined && share.isAlive(holder);
    if (held && dueAt > this.clock.now() - HOLDER_LATE_MS) return false;
    return share.isMine(arn);
  }

  private refillAt(at: EpochMs): void {
    this.cancelRefill = this.clock.at(at, () => {
      this.refill().catch((error) => {
        this.onError(error);
        this.refillLater();
      });
    });
  }

  /** The store is away: timers go on when it is back. */
  private refillLater(): void {
    if (!this.closed) this.refillAt((this.clock.now() + RETRY_MS) as EpochMs);
  }

  /** Sets or moves a timer that the store holds already. */
  set(arn: ExecutionArn, key: string, dueAt: EpochMs): void {
    const until = this.share === null ? this.loadedUntil : this.horizon + SLACK_MS;
    if (dueAt > until && this.loadedUntil > 0) {
      this.entries.delete(nameOf(arn, key));
      return;
    }
    this.insert({ arn, key, dueAt });
    this.arm();
  }

  /** When a timer that memory holds is due; null for one that has fired, or is far off. */
  dueAt(arn: ExecutionArn, key: string): EpochMs | null {
    return this.entries.get(nameOf(arn, key))?.dueAt ?? null;
  }

  drop(arn: ExecutionArn, key: string): void {
    // Most tasks have no timers, and each drops its two when it ends.
    if (this.entries.size > 0) this.entries.delete(nameOf(arn, key));
  }

  private insert(entry: Entry): void {
    const name = nameOf(entry.arn, entry.key);
    const known = this.entries.get(name);
    if (known !== undefined && known.dueAt === entry.dueAt) return;
    this.entries.set(name, entry);
    push(this.heap, entry);
  }

  private arm(): void {
    const first = this.peek();
    const due = first?.dueAt ?? Number.POSITIVE_INFINITY;
    if (due >= this.wakeAt || this.closed) return;
    this.cancelWake?.();
    this.wakeAt = due;
    this.cancelWake = this.clock.at(due as EpochMs, () => this.fire());
  }

  /** The earliest live entry; moved and dropped ones are skipped. */
  private peek(): Entry | undefined {
    for (let first = this.heap[0]; first !== undefined; first = this.heap[0]) {
      if (this.entries.get(nameOf(first.arn, first.key)) === first) return first;
      pop(this.heap);
    }
    return undefined;
  }

  private fire(): void {
    this.wakeAt = Number.POSITIVE_INFINITY;
    this.cancelWake = null;
    const now = this.clock.now();
    const due = new Map<ExecutionArn, string[]>();
    for (let entry = this.peek(); entry && entry.dueAt <= now; entry = this.peek()) {
      pop(this.heap);
      this.entries.delete(nameOf(entry.arn, entry.key));
      const keys = due.get(entry.arn);
      if (keys === undefined) due.set(entry.arn, [entry.key]);
      else keys.push(entry.key);
    }
    this.arm();
    for (const [arn, keys] of due) this.fireTogether(arn, keys);
  }

  private fireTogether(arn: ExecutionArn, keys: readonly string[]): void {
    for (const key of keys) this.firing.add(nameOf(arn, key));
    const done = (): void => {
      for (const key of keys) this.firing.delete(nameOf(arn, key));
    };
    this.deliver(arn, keys).then(done, (error) => {
      done();
      this.onError(error);
    });
  }

  close(): void {
    this.closed = true;
    this.cancelWake?.();
    this.cancelRefill?.();
  }
}

function nameOf(arn: string, key: string): string {
  return `${arn} ${key}`;
}

function push(heap: Entry[], entry: Entry): void {
  heap.push(entry);
  let index = heap.length - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent] as Entry;
    if (above.dueAt <= entry.dueAt) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    const right = heap[child + 1];
    if (right !== undefined && right.dueAt < (heap[child] as Entry).dueAt) child++;
    const below = heap[child] as Entry;
    if (below.dueAt >= last.dueAt) break;
    heap[index] = below;
    index = child;
  }
  heap[index] = last;
}
