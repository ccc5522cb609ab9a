/** Executions in memory: their folded state, and one mailbox each so that turns never interleave. */
import type { Effect } from '../core/effects.js';
import type { Fact } from '../core/fact.js';
import { fold } from '../core/evolve.js';
import type { ExecutionState } from '../core/state.js';
import type { Digest, ExecutionArn } from '../lib/brand.js';
import { EMPTY_DIGEST } from '../lib/digest.js';
import type { Store } from '../store/store.js';
import { loadJournal } from './journal.js';

/** Idle executions kept folded; the others are folded again when something happens to them. */
const MAX_IDLE = 2_000;

export interface Live {
  readonly arn: ExecutionArn;
  state: ExecutionState | null;
  digest: Digest;
  loaded: boolean;
  /** Tail of the mailbox: every turn is chained to the one before. */
  tail: Promise<unknown>;
  /** Turns waiting or running; an execution in use is never dropped. */
  busy: number;
  /** A commit whose reply was lost; what it promised is handed out once the store says it is there. */
  unsettled: Unsettled | null;
}

export interface Unsettled {
  readonly digest: Digest;
  readonly state: ExecutionState;
  readonly facts: readonly Fact[];
  readonly effects: readonly Effect[];
}

export class LiveExecutions {
  private readonly live = new Map<ExecutionArn, Live>();

  private queued = 0;

  constructor(private readonly store: Store) {}

  /**
   * Runs `work` after everything queued before it for the same execution; `afresh` with nothing from
   * memory, the journal folded again.
   */
  enqueue<T>(arn: ExecutionArn, work: (live: Live) => Promise<T>, afresh = false): Promise<T> {
    const live = this.take(arn);
    live.busy++;
    this.queued++;
    const run = live.tail.then(async () => {
      if (afresh) this.forget(live);
      if (!live.loaded) await this.load(live);
      return work(live);
    });
    live.tail = run.catch(() => undefined).finally(() => this.release(live));
    return run;
  }

  private take(arn: ExecutionArn): Live {
    const known = this.live.get(arn);
    if (known !== undefined) return known;
    const made: Live = {
      arn,
      state: null,
      digest: EMPTY_DIGEST,
      loaded: false,
      tail: Promise.resolve(),
      busy: 0,
      unsettled: null,
    };
    this.live.set(arn, made);
    return made;
  }

  /** Folds the stored journal. */
  async load(live: Live): Promise<void> {
    const journal = await loadJournal(this.store, live.arn);
    live.state = journal === null ? null : fold(journal.facts);
    live.digest = journal?.digest ?? EMPTY_DIGEST;
    live.loaded = true;
  }

  /** Forgets what memory holds: the next turn folds the stored journal. */
  forget(live: Live): void {
    live.loaded = false;
    live.state = null;
    live.digest = EMPTY_DIGEST;
  }

  /** The store may have gone back: each is folded again before its next turn. */
  forgetAll(): void {
    for (const { arn } of [...this.live.values()]) {
      this.enqueue(arn, async (live) => {
        if (live.unsettled === null) this.forget(live);
      }).catch(() => undefined);
    }
  }

  private release(live: Live): void {
    live.busy--;
    this.queued--;
    if (live.busy > 0 || live.unsettled !== null) return;
    const over = live.state === null || live.state.status !== 'RUNNING';
    if (over) {
      this.live.delete(live.arn);
      return;
    }
    // Most recently used last; the oldest idle one goes when there are too many.
    this.live.delete(live.arn);
    this.live.set(live.arn, live);
    if (this.live.size <= MAX_IDLE) return;
    for (const candidate of this.live.values()) {
      if (candidate.busy > 0 || candidate.unsettled !== null) continue;
      this.live.delete(candidate.arn);
      return;
    }
  }

  /** The folded state if it is in memory and nothing is queued; saves a load. */
  peek(arn: ExecutionArn): ExecutionState | null {
    const live = this.live.get(arn);
    return live?.loaded && live.busy === 0 ? live.state : null;
  }

  /** Turns waiting or running, of all executions. */
  get waiting(): number {
    return this.queued;
  }

  async idle(): Promise<void> {
    await Promise.all([...this.live.values()].map((live) => live.tail));
  }
}
