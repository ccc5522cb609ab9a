/**
 * Facts that other processes commit, for those who wait here: heard of by notice, found by looking
 * when no notice came. Only executions somebody waits for are looked at.
 */
import type { Fact } from '../core/fact.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Clock } from './clock.js';
import { loadJournal } from './journal.js';
import type { Peers } from './peers.js';
import type { Troubles } from './troubles.js';

/** An execution that is driven here ends mostly before this: nobody has to be asked. */
const FIRST_LOOK_MS = 20;
const LONGEST_LOOK_MS = 2_000;
/** How long others remember that somebody waits here. */
export const WATCH_MS = 15_000;

interface Watched {
  seq: number;
  cancel: () => void;
  pauseMs: number;
  toldAt: number;
  looking: Promise<void> | null;
  again: boolean;
  /** When this process last committed facts of it. */
  drivenAt: number;
}

export class RemoteFacts {
  private readonly watched = new Map<ExecutionArn, Watched>();
  /** Executions that others wait for, and until when. */
  private readonly asked = new Map<ExecutionArn, number>();

  constructor(
    private readonly peers: Peers,
    private readonly clock: Clock,
    private readonly troubles: Troubles,
    private readonly publish: (arn: ExecutionArn, facts: readonly Fact[]) => void,
  ) {}

  watch(arn: ExecutionArn): void {
    if (this.watched.has(arn)) return;
    const entry: Watched = {
      seq: -1,
      pauseMs: FIRST_LOOK_MS,
      toldAt: 0,
      looking: null,
      again: false,
      drivenAt: Number.NEGATIVE_INFINITY,
      cancel: this.lookIn(FIRST_LOOK_MS, arn),
    };
    this.watched.set(arn, entry);
  }

  private lookIn(ms: number, arn: ExecutionArn): () => void {
    return this.clock.at((this.clock.now() + ms) as EpochMs, () => this.lookAgain(arn));
  }

  /** While it is driven here, nobody else has to be asked. */
  private lookAgain(arn: ExecutionArn): void {
    const entry = this.watched.get(arn);
    if (entry === undefined) return;
    if (this.clock.now() - entry.drivenAt >= entry.pauseMs) this.look(arn);
    else entry.cancel = this.lookIn(entry.pauseMs, arn);
  }

  unwatch(arn: ExecutionArn): void {
    this.watched.get(arn)?.cancel();
    this.watched.delete(arn);
  }

  /** Facts committed here; tells those who wait elsewhere. */
  committed(arn: ExecutionArn, facts: readonly Fact[]): void {
    const entry = this.watched.get(arn);
    if (entry !== undefined) {
      entry.seq = Math.max(entry.seq, facts.at(-1)?.seq ?? 0);
      entry.drivenAt = this.clock.now();
    }
    const until = this.asked.get(arn);
    if (until === undefined) return;
    if (until > this.clock.now()) this.peers.tell({ is: 'facts', arn });
    else this.asked.delete(arn);
  }

  /** Another process waits for facts of this execution. */
  wanted(arn: ExecutionArn): void {
    const now = this.clock.now();
    this.asked.delete(arn);
    this.asked.set(arn, now + WATCH_MS);
    for (const [known, until] of this.asked) {
      if (until > now) break;
      this.asked.delete(known);
    }
  }

  /** Looks at once, because another process has committed. */
  look(arn: ExecutionArn): void {
    const entry = this.watched.get(arn);
    if (entry === undefined) return;
    if (entry.looking !== null) {
      entry.again = true;
      return;
    }
    entry.cancel();
    entry.looking = this.find(arn, entry)
      .catch((error) => this.troubles.report('A waiting client cannot be told.', error, { arn }))
      .finally(() => {
        entry.looking = null;
        if (this.watched.get(arn) !== entry) return;
        const at = entry.again ? 0 : entry.pauseMs;
        entry.again = false;
        entry.pauseMs = Math.min(2 * entry.pauseMs, LONGEST_LOOK_MS);
        entry.cancel = this.lookIn(at, arn);
      });
  }

  private async find(arn: ExecutionArn, entry: Watched): Promise<void> {
    const now = this.clock.now();
    if (now - entry.toldAt > WATCH_MS / 3) {
      entry.toldAt = now;
      this.peers.tell({ is: 'watch', arn });
    }
    const head = await this.peers.store.head(arn);
    // A store that went back has lost it: whoever waits is to look.
    if (head === null) this.publish(arn, []);
    if (head === null || head.seq <= entry.seq) return;
    const journal = await loadJournal(this.peers.store, arn);
    const fresh = (journal?.facts ?? []).filter(({ seq }) => seq > entry.seq);
    entry.seq = Math.max(entry.seq, fresh.at(-1)?.seq ?? 0);
    if (fresh.length > 0 && this.watched.get(arn) === entry) this.publish(arn, fresh);
  }

  close(): void {
    for (const { cancel } of this.watched.values()) cancel();
    this.watched.clear();
  }
}
