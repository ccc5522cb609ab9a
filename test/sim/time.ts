/**
 * Time of one simulated world: delays run on a clock that only goes forward and only when everything
 * else is done; the wall clock that people and NTP set is an offset to it.
 */
import { VIRTUAL_EPOCH } from '../support/virtual-clock.js';

interface Timer {
  readonly at: number;
  readonly order: number;
  wake: (() => void) | null;
}

export class SimTime {
  /** Milliseconds since the world began. */
  elapsed = 0;
  private offset = 0;
  private order = 0;
  private readonly heap: Timer[] = [];

  wall(): number {
    return VIRTUAL_EPOCH + this.elapsed + this.offset;
  }

  jump(ms: number): void {
    this.offset += ms;
  }

  after(ms: number, wake: () => void): () => void {
    const timer: Timer = { at: this.elapsed + Math.max(0, ms), order: this.order++, wake };
    push(this.heap, timer);
    return () => {
      timer.wake = null;
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve);
    });
  }

  /** Goes to the next timer and fires it alone. False when there is none before `limit`. */
  advance(limit: number): boolean {
    for (let timer = this.heap[0]; timer !== undefined; timer = this.heap[0]) {
      if (timer.wake !== null && timer.at > limit) return false;
      pop(this.heap);
      if (timer.wake === null) continue;
      this.elapsed = Math.max(this.elapsed, timer.at);
      timer.wake();
      return true;
    }
    return false;
  }
}

function earlier(a: Timer, b: Timer): boolean {
  return a.at === b.at ? a.order < b.order : a.at < b.at;
}

function push(heap: Timer[], timer: Timer): void {
  let at = heap.push(timer) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!earlier(timer, heap[parent] as Timer)) break;
    heap[at] = heap[parent] as Timer;
    at = parent;
  }
  heap[at] = timer;
}

function pop(heap: Timer[]): void {
  const last = heap.pop() as Timer;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && earlier(heap[child + 1] as Timer, heap[child] as Timer)) child++;
    if (!earlier(heap[child] as Timer, last)) break;
    heap[at] = heap[child] as Timer;
    at = child;
  }
  heap[at] = last;
}
