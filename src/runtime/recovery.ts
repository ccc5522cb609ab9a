/** Takes up what a stop or a crash held back: the outbox of the store, Map Runs, timers. */
import type { ExecutionState } from '../core/state.js';
import type { Stimulus } from '../core/stimulus.js';
import type { ExecutionArn, Seq } from '../lib/brand.js';
import type { Store } from '../store/store.js';
import { loadJournal } from './journal.js';
import type { Live } from './live.js';
import { factsBehind, type Outbox } from './outbox.js';
import type { Scheduler } from './scheduler.js';

const RECOVERY_BATCH = 500;

export interface RecoveryWorld {
  readonly store: Store;
  readonly outbox: Outbox;
  readonly scheduler: Scheduler;
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

  /** An execution that another engine has driven: all its work begins again here. */
  async takeUp(arn: ExecutionArn, state: ExecutionState | null): Promise<void> {
    for (const { phase } of state?.frames.values() ?? []) {
      if (phase.is === 'task') await this.redispatch(arn, phase.scheduled);
      if (phase.is === 'map-run') await this.redispatch(arn, phase.by);
    }
    this.world.inBackground(arn, { type: 'Continue' });
  }

  /** One execution as the store has it: its timers are set, its promised work begins. */
  async takeUpPending(arn: ExecutionArn): Promise<void> {
    const { store, scheduler, inBackground } = this.world;
    const { timers, outbox } = await store.care.pending(arn);
    for (const { key, dueAt } of timers) scheduler.set(arn, key, dueAt);
    for (const { effect } of outbox) {
      const { by } = effect as { by?: Seq };
      if (by === undefined) inBackground(arn, { type: 'Continue' });
      else await this.redispatch(arn, by);
    }
  }

  /** Begins again the work that fact `by` asked for; when the store is away, as soon as it is back. */
  redispatch(arn: ExecutionArn, by: Seq): Promise<void> {
    const { drive, outbox, store, insist } = this.world;
    const begin = (): Promise<void> =>
      drive(arn, async (held) => {
        if (held.state === null) return;
        const journal = await loadJournal(store, arn);
        outbox.begin(held.state, by, factsBehind(held.state, journal), true);
      });
    return begin().catch(() => {
      // Not awaited: the others are taken up meanwhile.
      insist(arn, begin);
    });
  }
}
