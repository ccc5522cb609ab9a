/**
 * Turns: decide, one compare-and-set commit, and only then what it promised. A commit whose reply was
 * lost is settled by asking the store whether its digest is in the journal.
 */
import { decide } from '../core/decide.js';
import type { Env } from '../core/env.js';
import { fold } from '../core/evolve.js';
import type { Machine } from '../core/machine.js';
import type { Fact } from '../core/fact.js';
import type { ExecutionState } from '../core/state.js';
import type { Stimulus } from '../core/stimulus.js';
import { assert } from '../lib/assert.js';
import type { ExecutionArn, RevisionId, Seq } from '../lib/brand.js';
import type { Eventually } from '../lib/eventually.js';
import type { Store } from '../store/store.js';
import { type Holder, prepareCommit } from './journal.js';
import type { Live, LiveExecutions, Unsettled } from './live.js';
import type { Machines } from './machines.js';

/** Commits that conflict because another process was faster: reload and decide again, this often. */
const MAX_CONFLICTS = 20;

export interface TurnsWorld {
  readonly store: Store;
  readonly live: LiveExecutions;
  readonly machines: Machines;
  env(arn: ExecutionArn): Env;
  /** Who commits, where several processes share the store. */
  holder(): Holder | null;
  /** Whether another process has written after what memory holds; never where there is none. */
  isStale(live: Live): Promise<boolean>;
  /** Of timers that have fired, those that no heartbeat has moved since, and that are of this very state. */
  stillDue(state: ExecutionState, keys: readonly string[]): Eventually<readonly string[]>;
  /** Resolves after `ms`, or when the engine closes. */
  pause(ms: number): Promise<void>;
  /** The commit is durable: the outside may know. */
  settled(arn: ExecutionArn, turn: Unsettled): void;
  /** The store does not say what became of a commit. */
  unknown(arn: ExecutionArn, error: unknown): void;
}

interface Made {
  readonly facts: readonly Fact[];
  readonly state: ExecutionState;
  readonly fired: readonly string[];
  /** Facts of another execution, written before them; their effects are over. */
  readonly taken: readonly Fact[];
}

/** How often a revision that is not there is looked for, and the pauses between. */
const REVISION_LOOKS = 5;
const REVISION_PAUSE_MS = 1_000;

const NONE_TAKEN: readonly Fact[] = [];

export class Turns {
  constructor(private readonly world: TurnsWorld) {}

  /** One stimulus to an execution whose mailbox is held; the facts that became durable. */
  async run(live: Live, stimulus: Stimulus): Promise<readonly Fact[]> {
    if (live.unsettled !== null) await this.settle(live);
    for (let conflicts = 0; ; conflicts++) {
      const facts = await this.tryOnce(live, stimulus);
      if (facts !== null) return facts;
      if (conflicts === MAX_CONFLICTS)
        throw new Error(`${live.arn} changes faster than this turn.`);
      await this.world.live.load(live);
    }
  }

  /** Null when another writer was faster. */
  private async tryOnce(live: Live, given: Stimulus): Promise<readonly Fact[] | null> {
    const before = live.state;
    let stimulus = given;
    if (given.type === 'TimersDue' && before !== null) {
      const keys = await this.world.stillDue(before, given.keys);
      if (keys.length === 0) return [];
      stimulus = { type: 'TimersDue', keys };
    }
    if (before === null && stimulus.type !== 'Start') return [];
    const revision = before?.revision ?? (stimulus as { revision: RevisionId }).revision;
    const { machines } = this.world;
    const machine = machines.compiledOf(revision) ?? (await this.find(live, revision));
    if (machine === null) return [];
    // It was read again meanwhile.
    if (live.state !== before) return null;
    const decided = decide(machine, before, stimulus, this.world.env(live.arn));
    const { facts, state } = decided instanceof Promise ? await decided : decided;
    // Nothing follows from it, or memory does not know yet what it is about.
    if (facts.length === 0) return (await this.world.isStale(live)) ? null : facts;
    const fired = stimulus.type === 'TimersDue' ? stimulus.keys : [];
    return (await this.write(live, { facts, state, fired, taken: NONE_TAKEN })) ? facts : null;
  }

  /**
   * Null when a failover took the revision along, with the execution that memory still held. One that has
   * begun since is there without it until the process that began it has written it again.
   */
  private async find(live: Live, revision: RevisionId): Promise<Machine | null> {
    const { machines } = this.world;
    for (let looks = 0; looks < REVISION_LOOKS; looks++) {
      const found = await machines.find(live.state?.revision ?? revision);
      if (found !== null) return found;
      await this.world.live.load(live);
      if (live.state === null) return null;
      await this.world.pause(REVISION_PAUSE_MS);
    }
    return machines.machine(live.state?.revision ?? revision);
  }

  /** A new execution that begins with facts of another one; null when there is one of its name. */
  async fork(
    live: Live,
    taken: readonly Fact[],
    stimulus: Stimulus,
  ): Promise<readonly Fact[] | null> {
    const before = fold(taken);
    assert(before !== null, 'A fork takes over at least the start.');
    const machine = await this.world.machines.machine(before.revision);
    const { facts, state } = await decide(machine, before, stimulus, this.world.env(live.arn));
    return (await this.write(live, { facts, state, fired: [], taken })) ? facts : null;
  }

  /** False when another writer was faster. */
  private async write(live: Live, made: Made): Promise<boolean> {
    const { facts, state, fired, taken } = made;
    const { state: before, digest } = live;
    const previous = { seq: before?.seq ?? (0 as Seq), digest, state: before };
    const holder = this.world.holder();
    const { commit, effects } = prepareCommit(previous, { taken, facts }, state, fired, holder);
    const written = taken.length === 0 ? facts : [...taken, ...facts];
    live.unsettled = { digest: commit.digest, state, facts: written, effects };
    let answer: 'committed' | 'conflict';
    try {
      answer = await this.world.store.commit(commit);
    } catch (error) {
      answer = await this.replyLost(live, error);
    }
    if (answer === 'committed') this.settled(live);
    // A conflict may be with this very commit, when its first reply was lost on the way.
    else return this.settle(live);
    return true;
  }

  /** Applied or not: only the store knows. What memory holds is no longer trusted. */
  private async replyLost(live: Live, error: unknown): Promise<'committed'> {
    this.world.live.forget(live);
    try {
      if (await this.settle(live)) return 'committed';
    } catch (second) {
      this.world.unknown(live.arn, second);
    }
    throw error;
  }

  /** Finds out whether a commit without a reply is in the journal, and hands out what it promised. */
  private async settle(live: Live): Promise<boolean> {
    const { unsettled } = live;
    if (unsettled === null) return false;
    const commits = await this.world.store.load(live.arn);
    const applied = commits.findIndex((commit) => commit.digest === unsettled.digest);
    if (applied === -1) {
      live.unsettled = null;
      return false;
    }
    this.settled(live);
    // Others may have written after it.
    if (applied < commits.length - 1) await this.world.live.load(live);
    return true;
  }

  /** The commit is durable: memory follows, and the outside may know. */
  private settled(live: Live): void {
    const { unsettled } = live;
    if (unsettled === null) return;
    live.unsettled = null;
    live.state = unsettled.state;
    live.digest = unsettled.digest;
    live.loaded = true;
    this.world.settled(live.arn, unsettled);
  }
}
