/**
 * Scheduled activity tasks on their way to the workers that poll: in the memory of the one process, or
 * in the queue that several share.
 */
import type { Fact } from '../core/fact.js';
import type { Stimulus, TaskRef } from '../core/stimulus.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import { Activities, type ActivityOrder } from './activities.js';
import type { Clock } from './clock.js';
import type { ActivityTask } from './face.js';
import { scheduledFact } from './outbox.js';
import type { SharedActivities } from './peers.js';
import type { Troubles } from './troubles.js';

/** A task that could not be queued is offered again after this. */
const OFFER_AGAIN_MS = 1_000;

export interface ActivityWorld {
  /** Null: this process is alone. */
  readonly shared: SharedActivities | null;
  readonly clock: Clock;
  readonly troubles: Troubles;
  deliver(arn: ExecutionArn, stimulus: Stimulus): Promise<readonly Fact[]>;
  facts(arn: ExecutionArn): Promise<readonly Fact[] | null>;
  makeToken(arn: ExecutionArn, task: TaskRef): string;
}

export class ActivityWork {
  private readonly own = new Activities();
  private closed = false;

  constructor(private readonly world: ActivityWorld) {}

  offer(activityArn: string, order: ActivityOrder): void {
    const { clock, shared, troubles } = this.world;
    if (this.closed) return;
    if (shared === null) return this.own.offer(activityArn, order);
    shared.offer(activityArn, order).catch((error) => {
      if (this.closed) return;
      troubles.report('An activity task could not be queued; it is tried again.', error);
      const at = (clock.now() + OFFER_AGAIN_MS) as EpochMs;
      clock.at(at, () => this.offer(activityArn, order));
    });
  }

  /** The oldest task, begun; null when `signal` aborts first. */
  async take(
    activityArn: string,
    workerName: string | null,
    signal: AbortSignal,
  ): Promise<ActivityTask | null> {
    const { shared } = this.world;
    for (;;) {
      const order = await (shared === null
        ? this.own.poll(activityArn, signal)
        : shared.take(activityArn, signal));
      if (order === null) return null;
      const { arn, task } = order;
      const started = { type: 'ActivityStarted', task, workerName } as const;
      const facts = await this.world.deliver(arn, started).catch((error) => {
        // Nobody knows whether it has begun: the next worker asks again. A shared order comes back.
        if (shared === null) this.own.offer(activityArn, order);
        throw error;
      });
      await shared?.done(activityArn, order);
      // The task ended while it waited: look for the next one.
      if (facts.length === 0) continue;
      const { parameters } = scheduledFact((await this.world.facts(arn)) ?? [], task.scheduled);
      return { taskToken: this.world.makeToken(arn, task), input: parameters };
    }
  }

  close(): void {
    this.closed = true;
  }
}
