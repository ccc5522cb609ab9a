/** Brings stimuli to executions: once for a caller who waits, or again and again while the store is away. */
import type { Fact } from '../core/fact.js';
import type { Stimulus } from '../core/stimulus.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Clock } from './clock.js';
import { JournalCorrupt } from './journal.js';
import type { Live, LiveExecutions } from './live.js';
import { ExecutionQuarantined, type Quarantine } from './quarantine.js';
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
  readonly quarantine: Quarantine;
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
    const { quarantine, turns } = this.world;
    const run = (held: Live): Promise<readonly Fact[]> => turns.run(held, stimulus);
    if (stimulus.type === 'Stop' && quarantine.suspects(arn)) return this.release(arn, run);
    return this.drive(arn, run);
  }

  /** A person may end what the engine cannot go on with, if its journal can be read. */
  private async release<T>(arn: ExecutionArn, run: (held: Live) => Promise<T>): Promise<T> {
    const facts = await this.world.live.enqueue(arn, run);
    await this.world.quarantine.release(arn);
    return facts;
  }

  /**
   * Works on an execution whose mailbox is held. A fault is tried once more with nothing from memory;
   * the second one quarantines the execution. Throws ExecutionQuarantined for one that is.
   */
  async drive<T>(arn: ExecutionArn, work: (held: Live) => Promise<T>): Promise<T> {
    const { live, quarantine } = this.world;
    if (quarantine.suspects(arn) && (await quarantine.holds(arn))) {
      throw new ExecutionQuarantined(arn);
    }
    try {
      return await live.enqueue(arn, work);
    } catch (error) {
      if (!isFault(error)) throw error;
      return this.driveAgain(arn, work, error);
    }
  }

  private async driveAgain<T>(
    arn: ExecutionArn,
    work: (held: Live) => Promise<T>,
    fault: unknown,
  ): Promise<T> {
    const { live, troubles } = this.world;
    troubles.report('A fault; it is tried once more from the journal.', fault, { arn });
    let seq: number | null = null;
    const again = (held: Live): Promise<T> => {
      seq = held.state?.seq ?? null;
      return work(held);
    };
    try {
      return await live.enqueue(arn, again, true);
    } catch (error) {
      if (isFault(error)) await this.hold(arn, error, seq);
      throw error;
    }
  }

  private async hold(arn: ExecutionArn, error: Error, seq: number | null): Promise<void> {
    const { clock, quarantine, troubles } = this.world;
    const reason = error instanceof JournalCorrupt ? 'journal' : 'engine';
    await quarantine
      .hold(arn, error, { reason, seq, now: clock.now() })
      .catch((second) => troubles.report('The quarantine could not be recorded.', second, { arn }));
  }

  /** Never rejects; resolves when the stimulus is dealt with or given up. */
  async inBackground(arn: ExecutionArn, stimulus: Stimulus): Promise<void> {
    if (this.closed || !this.world.drives(arn)) return;
    await this.surely(arn, stimulus).catch((error) => this.world.troubles.quarantine(arn, error));
  }

  /** Tries again while the store is out of reach; a bug or a damaged journal ends it. */
  async surely(arn: ExecutionArn, stimulus: Stimulus): Promise<void> {
    try {
      await this.deliver(arn, stimulus);
    } catch (error) {
      const tell = (why: unknown): void => this.world.troubles.quarantine(arn, why);
      const again = await this.waitOut(error, tell, FIRST_PAUSE_MS).catch(() => false);
      if (again) await this.insist(arn, () => this.deliver(arn, stimulus));
    }
  }

  /** Does `work` for an execution until the store has let it; never rejects. */
  insist(arn: ExecutionArn, work: () => Promise<unknown>): Promise<void> {
    return this.patiently(work, (error) => this.world.troubles.quarantine(arn, error)).catch(
      () => undefined,
    );
  }

  /** Until the store lets it or the engine closes; rejects on a fault. */
  async patiently(
    work: () => Promise<unknown>,
    tell: (error: unknown) => void = () => undefined,
  ): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        await work();
        return;
      } catch (error) {
        if (!(await this.waitOut(error, tell, pauseMs))) return;
      }
    }
  }

  /** True when the work is to be tried again, after a pause; false once the engine closes; rejects on a fault. */
  private async waitOut(
    error: unknown,
    tell: (error: unknown) => void,
    pauseMs: number,
  ): Promise<boolean> {
    if (this.closed) return false;
    tell(error);
    if (isFault(error) || error instanceof ExecutionQuarantined) throw error;
    await this.pause(pauseMs);
    return !this.closed;
  }

  /** Resolves after `ms`, or when the engine closes. */
  pause(ms: number): Promise<void> {
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
