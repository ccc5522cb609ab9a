/** Requests that wait: counted, and aborted when their client goes away. */
import type { ServerResponse } from 'node:http';
import { MAX_WAITERS } from './limits.js';

/** Aborts when the connection closes before the answer was sent. */
export function clientGone(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (response.destroyed) controller.abort(new Error('The client has gone.'));
  response.once('close', () => {
    if (!response.writableEnded) controller.abort(new Error('The client has gone.'));
  });
  return controller.signal;
}

/** Counts who waits for what, so that waiting is bounded. */
export class Waiters {
  private readonly counts = new Map<string, number>();
  private total = 0;

  /** False when `key` has `limit` waiters already, or the server has as many as it may. */
  enter(key: string, limit: number): boolean {
    const count = this.counts.get(key) ?? 0;
    if (count >= limit || this.total >= MAX_WAITERS) return false;
    this.counts.set(key, count + 1);
    this.total++;
    return true;
  }

  leave(key: string): void {
    const count = this.counts.get(key) ?? 0;
    if (count <= 1) this.counts.delete(key);
    else this.counts.set(key, count - 1);
    this.total--;
  }
}
