/**
 * Timers of the memory store in due order: a binary heap whose moved and dropped entries are skipped
 * when they surface, so that set, move and drop cost O(log n). Ties keep the order of setting.
 */
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { PendingTimer } from './care.js';
import type { DueTimer } from './store.js';

interface Entry extends DueTimer {
  readonly order: number;
}

export class TimerHeap {
  readonly #live = new Map<ExecutionArn, Map<string, Entry>>();
  readonly #heap: Entry[] = [];
  #order = 0;
  #size = 0;

  set(arn: ExecutionArn, key: string, dueAt: EpochMs, holder?: string): void {
    let keys = this.#live.get(arn);
    if (keys === undefined) this.#live.set(arn, (keys = new Map()));
    if (!keys.has(key)) this.#size += 1;
    const order = this.#order++;
    const entry: Entry = { arn, key, dueAt, order, ...(holder === undefined ? {} : { holder }) };
    keys.set(key, entry);
    this.#push(entry);
    if (this.#heap.length > 2 * this.#size + 1_000) this.#rebuild();
  }

  has(arn: ExecutionArn, key: string): boolean {
    return this.#live.get(arn)?.has(key) ?? false;
  }

  /** Timers of one execution by key. */
  of(arn: ExecutionArn): readonly PendingTimer[] {
    const entries = [...(this.#live.get(arn)?.values() ?? [])];
    return entries
      .map(({ key, dueAt }) => ({ key, dueAt }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  dueAt(arn: ExecutionArn, key: string): EpochMs | null {
    return this.#live.get(arn)?.get(key)?.dueAt ?? null;
  }

  drop(arn: ExecutionArn, key: string): void {
    const keys = this.#live.get(arn);
    if (keys === undefined || !keys.delete(key)) return;
    this.#size -= 1;
    if (keys.size === 0) this.#live.delete(arn);
  }

  dropAll(arn: ExecutionArn): void {
    this.#size -= this.#live.get(arn)?.size ?? 0;
    this.#live.delete(arn);
  }

  next(): DueTimer | null {
    this.#skipDead();
    return plain(this.#heap[0]);
  }

  /** Timers due at `now`, earliest first; they stay set. */
  due(now: EpochMs, limit: number): DueTimer[] {
    const taken: Entry[] = [];
    for (this.#skipDead(); taken.length < limit; this.#skipDead()) {
      const top = this.#heap[0];
      if (top === undefined || top.dueAt > now) break;
      taken.push(this.#pop());
    }
    for (const entry of taken) this.#push(entry);
    return taken.map((entry) => plain(entry) as DueTimer);
  }

  #skipDead(): void {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (this.#live.get(top.arn)?.get(top.key) === top) return;
      this.#pop();
    }
  }

  #rebuild(): void {
    this.#heap.length = 0;
    for (const keys of this.#live.values()) for (const entry of keys.values()) this.#push(entry);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!earlier(entry, heap[parent] as Entry)) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): Entry {
    const heap = this.#heap;
    const top = heap[0] as Entry;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && earlier(heap[child + 1] as Entry, heap[child] as Entry)) {
        child += 1;
      }
      if (!earlier(heap[child] as Entry, last)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

function earlier(a: Entry, b: Entry): boolean {
  return a.dueAt === b.dueAt ? a.order < b.order : a.dueAt < b.dueAt;
}

function plain(entry: Entry | undefined): DueTimer | null {
  if (entry === undefined) return null;
  const { order: _order, ...timer } = entry;
  return timer;
}
