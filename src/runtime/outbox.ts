/**
 * What a turn promised to the outside, handed out after its commit: timers to the scheduler, tasks to
 * handlers and activity workers, Map Runs to their driver, cancels to whoever works.
 */
import type { Effect } from '../core/effects.js';
import type { Fact, FactOf } from '../core/fact.js';
import type { ExecutionState } from '../core/state.js';
import type { TaskRef } from '../core/stimulus.js';
import { assert } from '../lib/assert.js';
import type { ExecutionArn, Seq } from '../lib/brand.js';
import type { ActivityOrder } from './activities.js';
import type { TaskOrder } from './dispatcher.js';
import type { MapRuns } from './map-runs/map-runs.js';
import type { Scheduler } from './scheduler.js';

export interface OutboxWorld {
  readonly scheduler: Scheduler;
  /** Runs a task, here or elsewhere. */
  startTask(order: TaskOrder): void;
  offerActivity(activityArn: string, order: ActivityOrder): void;
  /** Nobody waits for this work any more, wherever it runs. */
  cancel(arn: ExecutionArn, by: Seq): void;
  readonly mapRuns: MapRuns;
  childEnded(state: ExecutionState): void;
  makeToken(arn: ExecutionArn, task: TaskRef): string;
  /** More can happen without the outside: another turn. */
  goOn(arn: ExecutionArn): void;
}

export class Outbox {
  private closed = false;

  constructor(private readonly world: OutboxWorld) {}

  /** The outside learns of a turn only here, after its commit. */
  handOut(state: ExecutionState, effects: readonly Effect[], facts: readonly Fact[]): void {
    const { scheduler } = this.world;
    const arn = state.identity.arn as ExecutionArn;
    for (const effect of effects) {
      switch (effect.do) {
        case 'set-timer':
          scheduler.set(arn, effect.key, effect.dueAt);
          break;
        case 'drop-timer':
          scheduler.drop(arn, effect.key);
          break;
        case 'begin':
          this.begin(state, effect.by, facts, false);
          break;
        case 'finish':
          if (effect.cancel) this.world.cancel(arn, effect.by);
          break;
      }
    }
    if (state.status !== 'RUNNING') this.world.childEnded(state);
    if (state.status === 'RUNNING' && state.ready.size > 0) this.world.goOn(arn);
  }

  /** Starts the work that fact `by` asked for, unless it is over already. */
  begin(
    state: ExecutionState,
    by: Seq,
    facts: readonly Fact[],
    recovered: boolean,
    start: (order: TaskOrder) => void = (order) => this.world.startTask(order),
  ): void {
    if (this.closed) return;
    const { mapRuns } = this.world;
    const arn = state.identity.arn as ExecutionArn;
    for (const frame of state.frames.values()) {
      const { phase } = frame;
      if (phase.is === 'map-run' && phase.by === by) {
        return mapRuns.begin(state, frame.id, phase);
      }
      if (phase.is !== 'task' || phase.scheduled !== by) continue;
      const task: TaskRef = { frame: frame.id, scheduled: by, nonce: phase.nonce };
      if (phase.resource.kind === 'activity') {
        if (!phase.started) this.world.offerActivity(phase.resource.arn, { arn, task });
        return;
      }
      const waits = phase.resource.pattern === 'wait-for-task-token';
      start({
        state,
        scheduled: scheduledFact(facts, by),
        stateName: frame.state,
        visit: frame.enteredEventId,
        attempt: frame.attempts.reduce((sum, used) => sum + used, 0),
        submission: phase.submission ?? null,
        taskToken: waits ? this.world.makeToken(arn, task) : null,
        recovered,
      });
      return;
    }
  }

  /** Begins nothing any more. */
  close(): void {
    this.closed = true;
  }
}

/** The facts behind `state` as they were just read; throws when the store has gone back meanwhile. */
export function factsBehind(
  state: ExecutionState,
  journal: { readonly facts: readonly Fact[] } | null,
): readonly Fact[] {
  const facts = journal?.facts ?? [];
  if (facts.length >= state.seq) return facts;
  throw new Error('The store has gone back while work was begun; it is tried again.');
}

export function scheduledFact(facts: readonly Fact[], seq: Seq): FactOf<'TaskScheduled'> {
  const fact = facts.find((candidate) => candidate.seq === seq);
  assert(fact?.type === 'TaskScheduled', `Fact ${seq} schedules a task.`);
  return fact;
}
