/** One call from a definition to its end, in virtual time over a memory store. */
import type { Fact } from '../../src/core/fact.js';
import type { Limits } from '../../src/core/limits.js';
import type { ExecutionState } from '../../src/core/state.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { createEngine } from '../../src/runtime/engine.js';
import type { Engine, StartRequest } from '../../src/runtime/face.js';
import { revisionOf } from '../../src/runtime/machines.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';
import type { HistoryEvent } from '../../src/wire/history.js';
import { type Script, ScriptedHandlers, silentLog, testServices } from './scripted-handlers.js';
import { SeededRandom } from './seeded-random.js';
import { VirtualClock } from './virtual-clock.js';

export const TEST_ARN =
  'arn:aws:states:us-east-1:123456789012:execution:Machine:run' as ExecutionArn;

export function startRequest(
  definition: JsonObject,
  input: Json,
  options: { readonly name?: string; readonly type?: 'STANDARD' | 'EXPRESS' } = {},
): StartRequest {
  const { name = 'run', type = 'STANDARD' } = options;
  return {
    identity: {
      arn: `arn:aws:states:us-east-1:123456789012:execution:Machine:${name}`,
      name,
      stateMachineArn: 'arn:aws:states:us-east-1:123456789012:stateMachine:Machine',
      stateMachineName: 'Machine',
      stateMachineVersionArn: null,
      stateMachineAliasArn: null,
      mapRunArn: null,
      roleArn: 'arn:aws:iam::123456789012:role/test',
      type,
    },
    revision: revisionOf(JSON.stringify(definition), type),
    input,
    traceHeader: null,
  };
}

export interface World {
  readonly clock: VirtualClock;
  readonly store: Store;
  readonly handlers: ScriptedHandlers;
  readonly engine: Engine;
  readonly random: SeededRandom;
}

export interface WorldOptions {
  readonly seed?: number;
  readonly store?: Store;
  readonly limits?: Limits;
  /** Where the clock stands at first, epoch milliseconds. */
  readonly startAt?: number;
  /** Instead of one of its own. */
  readonly clock?: VirtualClock;
}

export async function openWorld(script: Script, options: WorldOptions = {}): Promise<World> {
  const clock = options.clock ?? new VirtualClock(options.startAt);
  const random = new SeededRandom(options.seed ?? 1);
  const store = options.store ?? new MemoryStore();
  const handlers = new ScriptedHandlers(script, clock);
  const engine = await createEngine({
    store,
    resources: handlers,
    services: testServices(),
    log: silentLog,
    clock,
    random: random.next,
    uuid: random.uuid,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  handlers.engine = engine;
  return { clock, store, handlers, engine, random };
}

export interface MachineRun extends World {
  readonly state: ExecutionState;
  readonly facts: readonly Fact[];
  readonly history: readonly HistoryEvent[];
  /** The output, or `{Error, Cause}` of a run that failed. */
  readonly result: Json;
  readonly tookMs: number;
}

export async function runMachine(
  definition: JsonObject,
  input: Json = {},
  script: Script = {},
  options: WorldOptions = {},
): Promise<MachineRun> {
  const world = await openWorld(script, options);
  const startedAt = world.clock.now();
  await world.engine.start(startRequest(definition, input));
  const state = await world.clock.runUntil(world.engine.ended(TEST_ARN));
  return { ...world, ...(await outcomeOf(world, state)), tookMs: world.clock.now() - startedAt };
}

async function outcomeOf(
  world: World,
  state: ExecutionState,
): Promise<Pick<MachineRun, 'state' | 'facts' | 'history' | 'result'>> {
  const facts = (await world.engine.facts(TEST_ARN)) ?? [];
  const history = (await world.engine.history(TEST_ARN)) ?? [];
  return { state, facts, history, result: resultOf(state) };
}

export function resultOf(state: ExecutionState): Json {
  const { outcome } = state;
  if (outcome === null) return { status: state.status };
  if (outcome.ok) return outcome.output;
  return { Error: outcome.failure.error, Cause: outcome.failure.cause };
}

/** `Type<-previous Type name` of every event: the shape of a history at a glance. */
export function shapeOf(history: readonly HistoryEvent[]): readonly string[] {
  return history.map((event) => {
    const name = event.details?.value.name;
    const shown = typeof name === 'string' ? ` ${name}` : '';
    return `${event.id}<-${event.previousEventId} ${event.type}${shown}`;
  });
}
