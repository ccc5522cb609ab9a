/** Scheduled activity tasks and the workers that poll for them; first come, first served. */
import type { TaskRef } from '../core/stimulus.js';
import type { ExecutionArn } from '../lib/brand.js';

export interface ActivityOrder {
  readonly arn: ExecutionArn;
  readonly task: TaskRef;
}

interface Poller {
  take(order: ActivityOrder | null): void;
}

export class Activities {
  private readonly orders = new Map<string, ActivityOrder[]>();
  private readonly pollers = new Map<string, Set<Poller>>();

  offer(activityArn: string, order: ActivityOrder): void {
    const [poller] = this.pollers.get(activityArn) ?? [];
    if (poller !== undefined) return poller.take(order);
    const waiting = this.orders.get(activityArn);
    if (waiting === undefined) this.orders.set(activityArn, [order]);
    else waiting.push(order);
  }

  /** The oldest order, or null when `signal` aborts first. */
  poll(activityArn: string, signal: AbortSignal): Promise<ActivityOrder | null> {
    const order = this.orders.get(activityArn)?.shift();
    if (order !== undefined) return Promise.resolve(order);
    if (signal.aborted) return Promise.resolve(null);
    return new Promise((resolve) => {
      const pollers = this.pollers.get(activityArn) ?? new Set<Poller>();
      this.pollers.set(activityArn, pollers);
      const give = (taken: ActivityOrder | null): void => {
        pollers.delete(poller);
        signal.removeEventListener('abort', onAbort);
        resolve(taken);
      };
      const poller: Poller = { take: give };
      const onAbort = (): void => give(null);
      pollers.add(poller);
      signal.addEventListener('abort', onAbort);
    });
  }
}
