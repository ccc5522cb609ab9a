/** Forks a recorded run in a fresh world with the same script, and drives the fork to its end. */
import { compileMachine } from '../../src/core/compiler.js';
import type { Fact } from '../../src/core/fact.js';
import { type ForkPlan, planOf } from '../../src/core/fork/plan.js';
import { type ForkWish, type PreparedFork, prepareFork } from '../../src/core/fork/prepare.js';
import type { ExecutionState } from '../../src/core/state.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { resultOf, startRequest, openWorld, type World } from './run-machine.js';
import type { Script } from './scripted-handlers.js';

export const FORK_ARN =
  'arn:aws:states:us-east-1:123456789012:execution:Machine:forked' as ExecutionArn;

export interface ForkRun extends World {
  readonly prepared: PreparedFork;
  readonly plan: ForkPlan;
  readonly state: ExecutionState;
  readonly facts: readonly Fact[];
  readonly result: Json;
}

export function prepare(
  facts: readonly Fact[],
  wish: ForkWish,
  definition: JsonObject,
): PreparedFork {
  const { identity, revision } = startRequest(definition, {}, { name: 'forked' });
  const machine = compileMachine(definition);
  const now = (facts.at(-1) as Fact).at;
  return prepareFork(facts, wish, { identity, revision: revision.id, machine, now });
}

export async function forkMachine(
  facts: readonly Fact[],
  wish: ForkWish,
  definition: JsonObject,
  script: Script = {},
): Promise<ForkRun> {
  // Time does not go back: the fork is made after all of its origin.
  const world = await openWorld(script, { startAt: (facts.at(-1) as Fact).at });
  const { revision } = startRequest(definition, {}, { name: 'forked' });
  const prepared = prepare(facts, wish, definition);
  const plan = planOf(facts, prepared, compileMachine(definition));
  await world.engine.fork({ prepared, revision });
  const state = await world.clock.runUntil(world.engine.ended(FORK_ARN));
  const made = (await world.engine.facts(FORK_ARN)) ?? [];
  return { ...world, prepared, plan, state, facts: made, result: resultOf(state) };
}
