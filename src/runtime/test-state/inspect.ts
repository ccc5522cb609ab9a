/**
 * One state by itself, through the same code that runs it in production: entered, worked on, and
 * ended by a mocked or real answer. What passes by on the way is the inspection.
 */
import { compileMachine } from '../../core/compiler.js';
import type { Env, Stage } from '../../core/env.js';
import type { Fact, FactOf, Failure, Outcome } from '../../core/fact.js';
import { failState, finish, guard } from '../../core/finish.js';
import { AWS_LIMITS, INLINE_MAP_CONCURRENCY } from '../../core/limits.js';
import { type State, stateOf } from '../../core/machine.js';
import { ROOT_FRAME } from '../../core/state.js';
import { endTask } from '../../core/states/task.js';
import { Turn } from '../../core/turn.js';
import type { EpochMs, Nonce, RevisionId } from '../../lib/brand.js';
import { getOwn, isArray, type Json, type JsonObject } from '../../lib/json.js';

export interface InspectOptions {
  readonly name: string;
  readonly definition: JsonObject;
  readonly queryLanguage: 'JSONPath' | 'JSONata';
  readonly input: Json;
  readonly variables: JsonObject;
  /** Replaces the Context Object. */
  readonly context: JsonObject | null;
  readonly identity: FactOf<'ExecutionStarted'>['identity'];
  readonly now: EpochMs;
  readonly random: () => number;
  readonly uuid: () => string;
  /** The answer of the state's work; null lets the state work by itself. */
  readonly mock: Outcome | null;
  /** Attempts already used up, for every retrier. */
  readonly retryCount: number;
  readonly failedIterations: number;
  /** Does a real task. */
  runTask(scheduled: FactOf<'TaskScheduled'>, turn: Turn): Promise<Outcome>;
}

export type InspectionStatus = 'SUCCEEDED' | 'FAILED' | 'RETRIABLE' | 'CAUGHT_ERROR';

export interface Inspection {
  readonly status: InspectionStatus;
  readonly output: Json | undefined;
  readonly failure: Failure | null;
  readonly nextState: string | null;
  readonly data: InspectionData;
}

export interface InspectionData {
  readonly stages: ReadonlyMap<Stage | 'input', Json>;
  readonly maxConcurrency: number | null;
  readonly toleratedFailureCount: number | null;
  readonly toleratedFailurePercentage: number | null;
  readonly errorDetails: {
    readonly catchIndex?: number;
    readonly retryIndex?: number;
    readonly retryBackoffIntervalSeconds?: number;
  } | null;
}

const THRESHOLD: Failure = {
  error: 'States.ExceedToleratedFailureThreshold',
  cause: 'The specified tolerated failure threshold was exceeded',
};

export async function inspectState(options: InspectOptions): Promise<Inspection> {
  const stages = new Map<Stage | 'input', Json>([['input', options.input]]);
  const turn = beginTurn(options, (stage, value) => stages.set(stage, value));
  const state = stateOf(turn, ROOT_FRAME);
  turn.event(ROOT_FRAME, { type: 'StateEntered', kind: state.kind, name: state.name });
  useUpAttempts(turn, state, options.retryCount);
  await guard(turn, ROOT_FRAME, () => state.start(turn, ROOT_FRAME));
  await answer(turn, state, options, stages);
  return summarise(turn, state, stages);
}

function beginTurn(options: InspectOptions, trace: (stage: Stage, value: Json) => void): Turn {
  const { name, definition, queryLanguage } = options;
  const machine = compileMachine({
    QueryLanguage: queryLanguage,
    StartAt: name,
    States: { [name]: definition },
  });
  const env: Env = {
    now: options.now,
    random: options.random,
    uuid: options.uuid,
    limits: AWS_LIMITS,
    nonce: () => options.uuid() as Nonce,
    taskToken: () => options.uuid(),
    trace,
    ...(options.context === null ? {} : { contextObject: options.context }),
  };
  const turn = new Turn(machine, null, env);
  const started = {
    type: 'ExecutionStarted',
    factVersion: 1,
    identity: options.identity,
    revision: 'test-state' as RevisionId,
    start: name,
    input: options.input,
    deadlineAt: null,
    traceHeader: null,
  } as const;
  turn.event(ROOT_FRAME, started, 0);
  // Variables arrive as if an earlier state had assigned them.
  turn.note(ROOT_FRAME, {
    type: 'StateExited',
    kind: 'Pass',
    name,
    assigned: options.variables,
    next: name,
  });
  return turn;
}

function useUpAttempts(turn: Turn, state: State, count: number): void {
  if (count === 0) return;
  state.retriers.forEach((_retrier, retrier) => {
    turn.note(ROOT_FRAME, {
      type: 'AttemptFailed',
      failure: { error: null, cause: null },
      recovery: { do: 'retry', retrier, attempt: count, at: turn.env.now },
    });
  });
  turn.note(ROOT_FRAME, { type: 'RetryStarted' });
}

/** Ends the state's work with the mock, or with what the real task answers. */
async function answer(
  turn: Turn,
  state: State,
  options: InspectOptions,
  stages: Map<Stage | 'input', Json>,
): Promise<void> {
  const { phase } = turn.frame(ROOT_FRAME);
  if (phase.is === 'task') {
    const scheduled = lastFact(turn, 'TaskScheduled');
    const outcome = options.mock ?? (await options.runTask(scheduled, turn));
    if (outcome.ok) stages.set('result', outcome.output);
    await endTask(turn, ROOT_FRAME, outcome, 'run');
    return;
  }
  if (phase.is === 'waiting') {
    await guard(turn, ROOT_FRAME, () => finish(turn, ROOT_FRAME, state, options.input));
    return;
  }
  if (options.mock === null || (phase.is !== 'fan-out' && phase.is !== 'map-run')) return;
  const outcome = exceeded(turn, options)
    ? ({ ok: false, failure: THRESHOLD } as const)
    : options.mock;
  if (!outcome.ok) {
    await failState(turn, ROOT_FRAME, outcome.failure, { fromChild: true });
    return;
  }
  const kind = state.kind === 'Map' ? 'Map' : 'Parallel';
  turn.event(ROOT_FRAME, { type: 'FanOutEnded', kind, ok: true, discard: true });
  await guard(turn, ROOT_FRAME, () => finish(turn, ROOT_FRAME, state, outcome.output));
}

/** Recorded: only a declared threshold is judged (test_map_state_failure_count[TRACE-BASE_MAP_STATE]). */
function exceeded(turn: Turn, options: InspectOptions): boolean {
  const request = find(turn, 'MapRunStarted')?.request;
  if (request === undefined || options.mock?.ok !== true) return false;
  const { toleratedCount, toleratedPercentage, items } = request;
  const failed = options.failedIterations;
  if (toleratedCount !== null && failed > toleratedCount) return true;
  const total = isArray(items) ? items.length : 0;
  return toleratedPercentage !== null && total > 0 && (100 * failed) / total > toleratedPercentage;
}

function summarise(turn: Turn, state: State, stages: Map<Stage | 'input', Json>): Inspection {
  const attempt = ownAttempt(turn);
  const exited = lastExit(turn);
  const data = {
    ...inspectionOf(turn, state, stages),
    errorDetails: errorDetails(turn, state, attempt),
  };
  if (attempt === undefined) {
    const { value } = turn.frame(ROOT_FRAME);
    return {
      status: 'SUCCEEDED',
      output: value,
      failure: null,
      nextState: exited?.next ?? null,
      data,
    };
  }
  const { failure, recovery } = attempt;
  if (recovery.do === 'retry') {
    return { status: 'RETRIABLE', output: undefined, failure, nextState: null, data };
  }
  if (recovery.do === 'catch' && exited !== undefined) {
    const { value } = turn.frame(ROOT_FRAME);
    return { status: 'CAUGHT_ERROR', output: value, failure, nextState: exited.next, data };
  }
  const ended = find(turn, 'ExecutionEnded');
  return {
    status: 'FAILED',
    output: undefined,
    failure: ended?.failure ?? failure,
    nextState: null,
    data,
  };
}

/** Which stages AWS shows, by state type (recorded cases of area test_state). */
function inspectionOf(
  turn: Turn,
  state: State,
  stages: Map<Stage | 'input', Json>,
): Omit<InspectionData, 'errorDetails'> {
  const hidden: Record<string, readonly Stage[]> = {
    Parallel: ['afterInputPath', 'afterParameters', 'afterArguments', 'result'],
    Map: ['afterParameters', 'afterArguments', 'result'],
  };
  for (const stage of hidden[state.kind] ?? []) stages.delete(stage);
  const literal = state.kind === 'Pass' ? getOwn(state.definition, 'Result') : undefined;
  if (literal !== undefined && state.flow.language === 'JSONPath') stages.set('result', literal);
  const none = {
    stages,
    maxConcurrency: null,
    toleratedFailureCount: null,
    toleratedFailurePercentage: null,
  };
  if (state.kind !== 'Map') return none;
  const request = find(turn, 'MapRunStarted')?.request;
  const inline = find(turn, 'FanOutStarted');
  const items = request?.items ?? inline?.items ?? null;
  if (items !== null && state.flow.language === 'JSONPath') stages.set('afterItemsPath', items);
  if (request !== undefined) {
    return {
      stages,
      maxConcurrency: request.maxConcurrency,
      toleratedFailureCount: request.toleratedCount,
      toleratedFailurePercentage: request.toleratedPercentage,
    };
  }
  if (inline === undefined) return none;
  return { ...none, maxConcurrency: inline.limit === INLINE_MAP_CONCURRENCY ? 0 : inline.limit };
}

/** The retrier that fits is named even when it is exhausted (recorded: retrier_retry_count). */
function errorDetails(
  turn: Turn,
  state: State,
  attempt: FactOf<'AttemptFailed'> | undefined,
): InspectionData['errorDetails'] {
  if (attempt === undefined || state.kind === 'Fail') return null;
  const { failure, recovery } = attempt;
  if (recovery.do === 'retry') {
    const seconds = Math.round((recovery.at - turn.env.now) / 1000);
    return { retryIndex: recovery.retrier, retryBackoffIntervalSeconds: seconds };
  }
  const retryIndex = state.retriers.findIndex(
    ({ errors }) => errors.includes(failure.error ?? '') || errors.includes('States.ALL'),
  );
  const details = {
    ...(retryIndex === -1 ? {} : { retryIndex }),
    ...(recovery.do === 'catch' ? { catchIndex: recovery.catcher } : {}),
  };
  return Object.keys(details).length === 0 ? null : details;
}

function find<T extends Fact['type']>(turn: Turn, type: T): FactOf<T> | undefined {
  return turn.facts.findLast((fact): fact is FactOf<T> => fact.type === type);
}

function lastFact<T extends Fact['type']>(turn: Turn, type: T): FactOf<T> {
  const fact = find(turn, type);
  if (fact === undefined) throw new Error(`No ${type} in this turn.`);
  return fact;
}

/** The failure of the attempt under test; the ones before RetryStarted only used up retries. */
function ownAttempt(turn: Turn): FactOf<'AttemptFailed'> | undefined {
  const begun = turn.facts.findLastIndex((fact) => fact.type === 'RetryStarted');
  const attempt = turn.facts.findLastIndex((fact) => fact.type === 'AttemptFailed');
  return attempt > begun ? (turn.facts[attempt] as FactOf<'AttemptFailed'>) : undefined;
}

/** The exit of the state itself: the first one only carried the variables in. */
function lastExit(turn: Turn): FactOf<'StateExited'> | undefined {
  const exit = find(turn, 'StateExited');
  return exit?.event === null ? undefined : exit;
}
