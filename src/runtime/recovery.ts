/** Takes up what a stop or a crash held back: the outbox of the store, Map Runs, timers. */
import type { Stimulus } from '../core/stimulus.js';
import type { ExecutionArn, Seq } from '../lib/brand.js';
import type { Store } from '../store/store.js';
import { loadJournal } from './journal.js';
import type { Live } from './live.js';
import type { Outbox } from './outbox.js';

const RECOVERY_BATCH = 500;

export interface RecoveryWorld {
  readonly store: Store;
  readonly outbox: Outbox;
  drives(arn: ExecutionArn): boolean;
  /** Works on an execution whose mailbox is held. */
  drive<T>(arn: ExecutionArn, work: (held: Live) => Promise<T>): Promise<T>;
  inBackground(arn: ExecutionArn, stimulus: Stimulus): void;
  /** Does the work until the store has let it; never rejects. */
  insist(arn: ExecutionArn, work: () => Promise<unknown>): Promise<void>;
}

export class Recovery {
  constructor(private readonly world: RecoveryWorld) {}

  /** Hands out again what was promised before the last stop. Folds only executions that need it. */
  async run(): Promise<void> {
    const { store, drives, inBackground } = this.world;
    let token: string | null = null;
    do {
      const page: Awaited<ReturnType<Store['pendingEffects']>> = await store.pendingEffects(
        RECOVERY_BATCH,
        token,
      );
      for (const entry of page.items) {
        if (!drives(entry.arn)) continue;
        const effect = entry.effect as { what: string; by?: number };
        if (effect.what === 'continue') inBackground(entry.arn, { type: 'Continue' });
        else await this.redispatch(entry.arn, effect.by as Seq);
      }
      token = page.next;
    } while (token !== null);
  }

  /** Begins again the work that fact `by` asked for; when the store is away, as soon as it is back. */
  redispatch(arn: ExecutionArn, by: Seq): Promise<void> {
    const { drive, outbox, store, insist } = this.world;
    const begin = (): Promise<void> =>
      drive(arn, async (held) => {
        if (held.state === null) return;
        const journal = await loadJournal(store, arn);
        outbox.begin(held.state, by, journal?.facts ?? [], true);
      });
    return begin().catch(() => {
      // Not awaited: the others are taken up meanwhile.
      insist(arn, begin);
    });
  }
}
