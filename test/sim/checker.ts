/**
 * Watches every commit that reaches the disk and holds it to the laws: contiguous facts, no facts
 * after the end, results counted once, limits of concurrency, indexes that follow from the journal,
 * nothing that nobody would wake, timers never early. The state in memory is compared by `compare`.
 */
import { effectsOf, pendingEnds } from '../../src/core/effects.js';
import { evolve, fold } from '../../src/core/evolve.js';
import type { Fact, FactOf } from '../../src/core/fact.js';
import type { ExecutionState } from '../../src/core/state.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import { rowOf } from '../../src/runtime/journal.js';
import type { MemoryStore } from '../../src/store/memory.js';
import type { Commit } from '../../src/store/store.js';
import {
  assertJournalLaws,
  assertNothingIsStuck,
  assertSame,
  isSpentTimer,
  liveIndexes,
} from './laws.js';

export class LawBroken extends Error {
  override readonly name = 'LawBroken';
}

interface Watched {
  readonly facts: Fact[];
  state: ExecutionState;
  readonly timers: Set<string>;
  readonly outbox: Set<string>;
  /** Tasks whose result has been counted. */
  readonly counted: Set<number>;
  readonly scheduled: Map<number, FactOf<'TaskScheduled'>>;
}

export class Checker {
  readonly executions = new Map<ExecutionArn, Watched>();
  commits = 0;
  /** Until the facts that a rollback has left are taken in. */
  private reloading: Promise<void> | null = null;
  private dirty = new Set<ExecutionArn>();
  /** Wall-clock laws hold only while nobody has set the clock. */
  clockWasSet = false;

  factsOf(arn: ExecutionArn): readonly Fact[] {
    return this.executions.get(arn)?.facts ?? [];
  }

  get allOver(): boolean {
    for (const { state } of this.executions.values()) if (state.status === 'RUNNING') return false;
    return true;
  }

  /** Folds what is left on the disk after a rollback. */
  async reload(store: MemoryStore): Promise<void> {
    // Read at once: what is committed while the facts are taken in comes after them.
    const journals = [...this.executions.keys()].map(async (arn) => ({
      arn,
      commits: await store.load(arn),
    }));
    this.executions.clear();
    this.reloading = Promise.all(journals).then((read) => {
      this.reloading = null;
      for (const { arn, commits } of read) {
        for (const { facts } of commits) this.take(arn, JSON.parse(facts) as Fact[]);
      }
    });
    await this.reloading;
  }

  /** Takes the commit in at once; resolves when the indexes are compared. */
  async committed(commit: Commit, store: MemoryStore): Promise<void> {
    this.commits++;
    if (this.reloading !== null) await this.reloading;
    const { arn } = commit;
    this.dirty.add(arn);
    const watched = this.take(arn, JSON.parse(commit.facts) as Fact[]);
    const { state } = watched;
    expectSame(commit.row, rowOf(state), `The row of ${arn} is not that of its journal`);
    for (const key of watched.timers) if (isSpentTimer(state, key)) watched.timers.delete(key);
    const outbox = new Set(watched.outbox);
    if (state.status === 'RUNNING' && state.ready.size > 0) outbox.add('continue');
    const derived = { timers: [...watched.timers].sort(), outbox: [...outbox].sort() };
    assertNothingIsStuck(state, derived);
    const live = await liveIndexes(store, arn);
    expectSame(live, derived, `The indexes of ${arn} do not follow from its journal`);
  }

  private take(arn: ExecutionArn, facts: readonly Fact[]): Watched {
    let watched = this.executions.get(arn);
    if (watched === undefined) {
      const first = facts[0];
      if (first?.type !== 'ExecutionStarted') throw new LawBroken(`${arn} begins with nothing.`);
      watched = {
        facts: [],
        state: evolve(null, first),
        timers: new Set(),
        outbox: new Set(),
        counted: new Set(),
        scheduled: new Map(),
      };
      this.executions.set(arn, watched);
    }
    for (const fact of facts) this.follow(watched, fact);
    const { state } = watched;
    if (state.status !== 'RUNNING') for (const effect of pendingEnds(state)) index(watched, effect);
    return watched;
  }

  private follow(watched: Watched, fact: Fact): void {
    const last = watched.facts.at(-1);
    if (fact.seq !== watched.facts.length + 1) throw new LawBroken(`Fact ${fact.seq} is no next.`);
    if (last !== undefined) {
      if (fact.at < last.at) throw new LawBroken(`Fact ${fact.seq} is before the one before it.`);
      if (last.type === 'ExecutionEnded' && fact.type !== 'ExecutionRedriven') {
        throw new LawBroken(`${fact.type} follows the end.`);
      }
      this.judge(watched, fact);
      watched.state = evolve(watched.state, fact);
    }
    watched.facts.push(fact);
    for (const effect of effectsOf(fact)) index(watched, effect);
    const phase = watched.state.frames.get(fact.frame)?.phase;
    if (phase?.is === 'fan-out' && phase.live > phase.limit) {
      throw new LawBroken(`${phase.live} children run where ${phase.limit} may.`);
    }
  }

  private judge(watched: Watched, fact: Fact): void {
    if (fact.type === 'TaskScheduled') watched.scheduled.set(fact.seq, fact);
    if (fact.type === 'TaskSucceeded' || fact.type === 'TaskFailed') {
      if (watched.counted.has(fact.scheduled)) {
        throw new LawBroken(`The result of task ${fact.scheduled} is counted twice.`);
      }
      watched.counted.add(fact.scheduled);
    }
    const before = watched.state.frames.get(fact.frame)?.phase;
    const woken = fact.type === 'RetryStarted' || fact.type === 'StateExited';
    if (woken && before?.is === 'waiting' && fact.at < before.until && !this.clockWasSet) {
      throw new LawBroken(`The timer of fact ${before.setBy} fired too early.`);
    }
  }

  /** Executions with commits since the last call. */
  changed(): ReadonlySet<ExecutionArn> {
    const { dirty } = this;
    this.dirty = new Set();
    return dirty;
  }

  /** What an engine holds in memory, if it is as new as the disk. */
  compare(arn: ExecutionArn, memory: ExecutionState): void {
    const watched = this.executions.get(arn);
    if (watched === undefined || watched.state.seq !== memory.seq) return;
    assertSame(memory, watched.state, `Memory differs from the journal of ${arn}.`);
  }

  /** Laws over whole journals. */
  atEnd(): void {
    for (const { facts, state } of this.executions.values()) {
      assertJournalLaws(facts);
      assertSame(state, fold(facts), 'Folding step by step differs from folding at once.');
    }
  }
}

function index(watched: Watched, effect: ReturnType<typeof effectsOf>[number]): void {
  if (effect.do === 'set-timer') watched.timers.add(effect.key);
  if (effect.do === 'drop-timer') watched.timers.delete(effect.key);
  if (effect.do === 'begin') watched.outbox.add(`work:${effect.by}`);
  if (effect.do === 'finish') watched.outbox.delete(`work:${effect.by}`);
}

function expectSame(left: unknown, right: unknown, sentence: string): void {
  const [a, b] = [JSON.stringify(left), JSON.stringify(right)];
  if (a !== b) throw new LawBroken(`${sentence}:\n  ${a}\n  ${b}`);
}
