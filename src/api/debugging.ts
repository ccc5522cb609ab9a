/** Opens debug sessions for clients of the API: from what they name to a debugger over it. */
import { compileText } from '../explain/explain.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import { Debugger } from '../simulate/debug/debugger.js';
import type { Gates } from '../simulate/debug/gates.js';
import { liveTimeline, type Overrides } from '../simulate/debug/live.js';
import { recordedTimeline } from '../simulate/debug/recorded.js';
import { type Session, Sessions } from '../simulate/debug/sessions.js';
import { simulatedTimeline } from '../simulate/debug/simulated.js';
import { defaultResponder } from '../simulate/mocks/defaults.js';
import { readMockFile } from '../simulate/mocks/file.js';
import { responderOf } from '../simulate/mocks/plan.js';
import type { Store } from '../store/store.js';
import { ApiError, executionDoesNotExist, invalid } from '../wire/errors.js';
import type { ApiContext } from './context.js';
import { resolveMachine } from './resolve.js';
import { expectMachineArn } from './arns.js';
import { startRequest } from './starting.js';

/** What a server needs to hold live executions back; without it only simulations and recordings. */
export interface LiveDebugging {
  readonly gates: Gates;
  readonly overrides: Overrides;
  /** The store behind the gates. */
  readonly store: Store;
}

export interface Debugging {
  readonly sessions: Sessions;
  readonly live: LiveDebugging | null;
}

export function createDebugging(
  uuid: () => string,
  now: () => EpochMs,
  live: LiveDebugging | null,
): Debugging {
  return { sessions: new Sessions(uuid, now), live };
}

export interface SessionWish {
  /** Just one of these three. */
  readonly definition: string | null;
  readonly stateMachineArn: string | null;
  readonly executionArn: ExecutionArn | null;
  readonly input: Json;
  readonly mocks: Json;
  readonly seed: number;
  readonly live: boolean;
}

export function openSession(api: ApiContext, wish: SessionWish): Promise<Session> {
  return api.debug.sessions.open(() => {
    if (wish.executionArn !== null) return openExecution(api, wish.executionArn);
    return wish.live ? startLive(api, wish) : simulateMachine(api, wish);
  });
}

async function simulateMachine(api: ApiContext, wish: SessionWish): Promise<Debugger> {
  const definition = await definitionOf(api, wish);
  const parsed = JSON.parse(definition) as JsonObject;
  // No functions: what a client sends is data.
  const plan = wish.mocks === null ? null : readMockFile(wish.mocks, 'mocks').plan;
  const timeline = await simulatedTimeline({
    definition,
    input: wish.input,
    executionName: 'debugged',
    responders: () => [
      ...(plan === null ? [] : [{ name: 'mock', answer: responderOf(plan) }]),
      ...(plan?.fallback === 'fail' ? [] : [defaultResponder(parsed)]),
    ],
    world: { seed: wish.seed },
  });
  return new Debugger(timeline, compileText(definition));
}

async function definitionOf(api: ApiContext, wish: SessionWish): Promise<string> {
  if (wish.definition === null) {
    const { revision } = await resolveMachine(api, expectMachineArn(wish.stateMachineArn ?? ''));
    return revision.definition;
  }
  const { diagnostics } = api.definitions.validate(wish.definition, { type: 'STANDARD' });
  const error = diagnostics.find(({ severity }) => severity === 'ERROR');
  if (error !== undefined)
    throw new ApiError('InvalidDefinition', `${error.code}: ${error.message}`);
  return wish.definition;
}

async function openExecution(api: ApiContext, arn: ExecutionArn): Promise<Debugger> {
  const facts = await api.engine.facts(arn);
  const [first] = facts ?? [];
  if (facts === null || first?.type !== 'ExecutionStarted') throw executionDoesNotExist(arn);
  const revision = await api.engine.revision(first.revision);
  if (revision === null) throw executionDoesNotExist(arn);
  const state = await api.engine.state(arn);
  if (state?.status !== 'RUNNING') {
    return new Debugger(recordedTimeline(facts), compileText(revision.definition));
  }
  return attach(api, arn, revision.definition);
}

async function startLive(api: ApiContext, wish: SessionWish): Promise<Debugger> {
  if (wish.stateMachineArn === null) throw invalid('live debugging needs a stateMachine');
  const input = JSON.stringify(wish.input);
  const request = await startRequest(api, { stateMachineArn: wish.stateMachineArn, input }, null);
  const arn = request.identity.arn as ExecutionArn;
  return attach(api, arn, request.revision.definition, () => api.engine.start(request));
}

async function attach(
  api: ApiContext,
  arn: ExecutionArn,
  definition: string,
  begin?: () => Promise<unknown>,
): Promise<Debugger> {
  const { live } = api.debug;
  if (live === null) throw invalid('This server does not hold live executions back.');
  if (live.gates.has(arn)) throw invalid('Another session debugs this execution.');
  const machine = compileText(definition);
  const { gates, overrides, store } = live;
  const options = { arn, engine: api.engine, store, gates, overrides, machine };
  const timeline = await liveTimeline(begin === undefined ? options : { ...options, begin });
  return new Debugger(timeline, machine);
}
