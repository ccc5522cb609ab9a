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

/** More executions than can end in one millisecond. */
const MAX_OVER = 1_000;

export interface Live {
  readonly arn: ExecutionArn;
  state: ExecutionState | null;
  digest: Digest;
  loaded: boolean;
  /** The mailbox: turns that wait for the one under way, in their order. */
  readonly mailbox: (() => void)[];
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

/** What a turn finds: memory, or the journal folded anew, or an execution that is not there yet. */
type Beginning = 'known' | 'afresh' | 'new' | 'as it is';

export class LiveExecutions {
  private readonly live = new Map<ExecutionArn, Live>();

  /** Names of executions that have just ended. */
  private readonly justOver = new Set<ExecutionArn>();

  private queued = 0;

  constructor(private readonly store: Store) {}

  /**
   * Runs `work` after everything queued before it for the same execution; `afresh` with nothing from
   * memory, the journal folded again.
   */
  enqueue<T>(arn: ExecutionArn, work: (live: Live) => Promise<T>, afresh = false): Promise<T> {
    return this.inTurn(arn, work, afresh ? 'afresh' : 'known');
  }

  /**
   * The same for an execution that is about to start: nothing is read, it is taken not to exist. If it
   * does, the commit of the start conflicts, and only then its journal is read. Two equal starts in one
   * millisecond make equal commits, and the second must not be taken for the first whose reply was lost:
   * what has just ended is read.
   */
  enqueueNew<T>(arn: ExecutionArn, work: (live: Live) => Promise<T>): Promise<T> {
    return this.inTurn(arn, work, this.justOver.has(arn) ? 'known' : 'new');
  }

  private async inTurn<T>(
    arn: ExecutionArn,
    work: (live: Live) => Promise<T>,
    from: Beginning,
  ): Promise<T> {
    const live = this.take(arn);
    this.queued++;
    if (live.busy++ > 0) await new Promise<void>((resolve) => live.mailbox.push(resolve));
    try {
      if (from === 'new') live.loaded = true;
      if (from === 'afresh') this.forget(live);
      if (!live.loaded && from !== 'as it is') await this.load(live);
      return await work(live);
    } finally {
      if (from === 'new' && live.state === null) live.loaded = false;
      this.release(live);
      live.mailbox.shift()?.();
    }
  }

  private take(arn: ExecutionArn): Live {
    const known = this.live.get(arn);
    if (known !== undefined) return known;
    const made: Live = {
      arn,
      state: null,
      digest: EMPTY_DIGEST,
      loaded: false,
      mailbox: [],
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
      this.rememberOver(live.arn);
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

  private rememberOver(arn: ExecutionArn): void {
    this.justOver.add(arn);
    if (this.justOver.size <= MAX_OVER) return;
    const [oldest] = this.justOver;
    if (oldest !== undefined) this.justOver.delete(oldest);
  }

  /** The folded state that memory holds, even while a turn is under way; null: none. */
  inMemory(arn: ExecutionArn): ExecutionState | null {
    const live = this.live.get(arn);
    return live?.loaded ? live.state : null;
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

  /** Resolves when no turn that waits or runs now is left. */
  async idle(): Promise<void> {
    const held = [...this.live.keys()];
    await Promise.all(held.map((arn) => this.inTurn(arn, async () => undefined, 'as it is')));
  }
}
