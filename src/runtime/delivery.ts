/** Brings stimuli to executions: once for a caller who waits, or again and again while the store is away. */
import type { Fact } from '../core/fact.js';
import type { Stimulus } from '../core/stimulus.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Clock } from './clock.js';
import type { LiveExecutions } from './live.js';
import { isFault, type Troubles } from './troubles.js';
import type { Turns } from './turns.js';

/** Pauses between deliveries while the store is out of reach: doubling from the first to the longest. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;

export interface DeliveryWorld {
  readonly live: LiveExecutions;
  readonly turns: Turns;
  readonly clock: Clock;
  readonly troubles: Troubles;
  /** Whether this engine drives the execution. */
  drives(arn: ExecutionArn): boolean;
}

export class Delivery {
  /** Cancels of pauses under way. */
  private readonly pauses = new Set<() => void>();
  private closed = false;

  constructor(private readonly world: DeliveryWorld) {}

  /** One stimulus, one turn, one commit; resolves to the facts that became durable. */
  deliver(arn: ExecutionArn, stimulus: Stimulus): Promise<readonly Fact[]> {
    const { live, turns } = this.world;
    return live.enqueue(arn, (held) => turns.run(held, stimulus));
  }

  /** Never rejects; resolves when the stimulus is dealt with or given up. */
  async inBackground(arn: ExecutionArn, stimulus: Stimulus): Promise<void> {
    if (this.closed || !this.world.drives(arn)) return;
    await this.surely(arn, stimulus).catch((error) => this.world.troubles.quarantine(arn, error));
  }

  /** Tries again while the store is out of reach; a bug or a damaged journal ends it. */
  async surely(arn: ExecutionArn, stimulus: Stimulus): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        await this.deliver(arn, stimulus);
        return;
      } catch (error) {
        if (this.closed) return;
        this.world.troubles.quarantine(arn, error);
        if (isFault(error)) return;
      }
      await this.pause(pauseMs);
      if (this.closed) return;
    }
  }

  private pause(ms: number): Promise<void> {
    const { clock } = this.world;
    return new Promise((resolve) => {
      const end = (): void => {
        this.pauses.delete(cancel);
        resolve();
      };
      const cancelTimer = clock.at((clock.now() + ms) as EpochMs, end);
      const cancel = (): void => {
        cancelTimer();
        end();
      };
      this.pauses.add(cancel);
    });
  }

  /** Takes up nothing any more; what waits for the store is given up. */
  close(): void {
    this.closed = true;
    for (const cancel of this.pauses) cancel();
  }
}
