/**
 * Projection: facts -> the events of GetExecutionHistory, numbered and chained as AWS does.
 * Facts leave out what the frame already holds, so the projection folds along.
 */
import type { Draft } from '../core/draft.js';
import { apply } from '../core/evolve.js';
import type { Fact, FactOf, Failure, StateKind, TaskResource } from '../core/fact.js';
import type { Frame } from '../core/state.js';
import { assertNever } from '../lib/assert.js';
import { fromEntries, type Json, type JsonObject } from '../lib/json.js';

/** One event in the API's own shape; `timestamp` is epoch milliseconds here, seconds on the wire. */
export interface HistoryEvent {
  readonly id: number;
  readonly previousEventId: number;
  readonly timestamp: number;
  readonly type: string;
  /** `stateEnteredEventDetails`, … : at most one member. */
  readonly details: { readonly name: string; readonly value: JsonObject } | null;
}

type Shown = { readonly type: string; readonly details?: readonly [string, JsonObject] };

const NOT_TRUNCATED = { truncated: false };

/** Ids of the events that are wanted, both ends included. */
export interface EventRange {
  readonly from: number;
  readonly to: number;
}

const ALL: EventRange = { from: 1, to: Number.POSITIVE_INFINITY };

/** Texts of inputs and outputs are made for the wanted events only: a page of a long history is small. */
export function projectHistory(facts: Iterable<Fact>, wanted: EventRange = ALL): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  let draft: Draft | null = null;
  for (const fact of facts) {
    const before: Frame | null = draft?.frames.get(fact.frame) ?? null;
    const mapName = draft === null ? '' : (draft.frames.get(fact.frame)?.state ?? '');
    const wasTask = before?.phase.is === 'task' ? before.phase.resource : null;
    draft = apply(draft, fact);
    if (fact.event === null || fact.event.id < wanted.from) continue;
    if (fact.event.id > wanted.to) break;
    const { type, details } = show(fact, { before, mapName, resource: wasTask, draft });
    events.push({
      id: fact.event.id,
      previousEventId: fact.event.previousId,
      timestamp: fact.at,
      type,
      details: details === undefined ? null : { name: details[0], value: details[1] },
    });
  }
  return events;
}

interface Around {
  /** The fact's frame as it was before the fact. */
  readonly before: Frame | null;
  readonly mapName: string;
  readonly resource: TaskResource | null;
  readonly draft: Draft;
}

function show(fact: Fact, around: Around): Shown {
  switch (fact.type) {
    case 'ExecutionStarted':
      return { type: fact.type, details: ['executionStartedEventDetails', started(fact)] };
    case 'StateEntered':
      return {
        type: `${fact.kind}StateEntered`,
        details: [
          'stateEnteredEventDetails',
          { name: fact.name, ...input(around.before?.value ?? null) },
        ],
      };
    case 'StateExited':
      return {
        type: exitedType(fact.kind),
        details: ['stateExitedEventDetails', exited(fact, around)],
      };
    case 'TaskScheduled':
      return scheduled(fact, around);
    case 'TaskStarted':
      return taskStarted(fact, around.resource);
    case 'TaskSubmitted':
      return taskShown('Submitted', around.resource, output(fact.output));
    case 'TaskSucceeded':
      return taskShown('Succeeded', around.resource, output(fact.output));
    case 'TaskFailed':
      return taskShown(FAILED_STAGES[fact.stage], around.resource, failed(fact.failure));
    case 'EvaluationFailed':
      return {
        type: 'EvaluationFailed',
        details: [
          'evaluationFailedEventDetails',
          {
            ...failed(fact.failure),
            ...(fact.location === null ? {} : { location: fact.location }),
            state: fact.state,
          },
        ],
      };
    case 'FanOutStarted':
      return fact.kind === 'Parallel'
        ? { type: 'ParallelStateStarted' }
        : {
            type: 'MapStateStarted',
            details: ['mapStateStartedEventDetails', { length: fact.width }],
          };
    case 'MapStateStarted':
      return { type: fact.type, details: ['mapStateStartedEventDetails', { length: fact.length }] };
    case 'ChildStarted':
      return iteration('Started', fact.index, around.mapName);
    case 'ChildEnded':
      return iteration(fact.outcome.ok ? 'Succeeded' : 'Failed', fact.index, around.mapName);
    case 'FrameAborted':
      return fact.what === 'MapIteration'
        ? iteration('Aborted', fact.index, around.mapName)
        : { type: `${fact.what}StateAborted` };
    case 'FanOutEnded':
      return { type: `${fact.kind}State${fact.ok ? 'Succeeded' : 'Failed'}` };
    case 'MapRunStarted':
      return {
        type: fact.type,
        details: ['mapRunStartedEventDetails', { mapRunArn: fact.request.mapRunArn }],
      };
    case 'MapRunRedriven':
      return {
        type: fact.type,
        details: [
          'mapRunRedrivenEventDetails',
          { mapRunArn: fact.mapRunArn, redriveCount: fact.redriveCount },
        ],
      };
    case 'MapRunEnded':
      if (fact.aborted) return { type: 'MapRunAborted' };
      return fact.outcome.ok
        ? { type: 'MapRunSucceeded' }
        : {
            type: 'MapRunFailed',
            details: ['mapRunFailedEventDetails', failed(fact.outcome.failure)],
          };
    case 'ExecutionEnded':
      return ended(fact, around);
    case 'ExecutionRedriven':
      return {
        type: fact.type,
        details: ['executionRedrivenEventDetails', { redriveCount: fact.redriveCount }],
      };
    case 'WaitStarted':
    case 'AttemptFailed':
    case 'RetryStarted':
    case 'ExecutionForked':
    case 'FrameEdited':
      throw new Error(`${fact.type} is a private fact.`);
    default:
      return assertNever(fact);
  }
}

function started(fact: FactOf<'ExecutionStarted'>): JsonObject {
  const { identity } = fact;
  return {
    ...input(fact.input),
    roleArn: identity.roleArn,
    ...(identity.stateMachineVersionArn === null
      ? {}
      : { stateMachineVersionArn: identity.stateMachineVersionArn }),
    ...(identity.stateMachineAliasArn === null
      ? {}
      : { stateMachineAliasArn: identity.stateMachineAliasArn }),
  };
}

function exitedType(kind: StateKind): string {
  return `${kind}StateExited`;
}

function exited(fact: FactOf<'StateExited'>, around: Around): JsonObject {
  const value = fact.output === undefined ? (around.before?.value ?? null) : fact.output;
  const base = { name: fact.name, ...output(value) };
  if (fact.assigned === undefined) return base;
  // Each variable is a JSON string (AWS-BEHAVIOURS 20).
  const variables = Object.entries(fact.assigned).map(([name, assigned]): [string, Json] => [
    name,
    JSON.stringify(assigned),
  ]);
  return {
    ...base,
    assignedVariables: fromEntries(variables),
    assignedVariablesDetails: NOT_TRUNCATED,
  };
}

function scheduled(fact: FactOf<'TaskScheduled'>, around: Around): Shown {
  const { resource } = fact;
  const timeout = fact.timeoutSeconds === null ? {} : { timeoutInSeconds: fact.timeoutSeconds };
  const heartbeat =
    fact.heartbeatSeconds === null ? {} : { heartbeatInSeconds: fact.heartbeatSeconds };
  const role = fact.credentials?.['RoleArn'];
  const credentials = role === undefined ? {} : { taskCredentials: { roleArn: role } };
  const parameters = JSON.stringify(fact.parameters);
  if (resource.kind === 'task') {
    const region = around.draft.identity.arn.split(':')[3] ?? '';
    const details = {
      parameters,
      region,
      resource: resource.action,
      resourceType: resource.type,
      ...timeout,
      ...heartbeat,
      ...credentials,
    };
    return { type: 'TaskScheduled', details: ['taskScheduledEventDetails', details] };
  }
  const details = { input: parameters, inputDetails: NOT_TRUNCATED, resource: resource.arn };
  return resource.kind === 'activity'
    ? {
        type: 'ActivityScheduled',
        details: ['activityScheduledEventDetails', { ...details, ...timeout, ...heartbeat }],
      }
    : {
        type: 'LambdaFunctionScheduled',
        details: [
          'lambdaFunctionScheduledEventDetails',
          { ...details, ...timeout, ...credentials },
        ],
      };
}

function taskStarted(fact: FactOf<'TaskStarted'>, resource: TaskResource | null): Shown {
  if (resource?.kind === 'lambda-function') return { type: 'LambdaFunctionStarted' };
  if (resource?.kind === 'activity') {
    const details = fact.workerName === null ? {} : { workerName: fact.workerName };
    return { type: 'ActivityStarted', details: ['activityStartedEventDetails', details] };
  }
  return taskShown('Started', resource, {});
}

const FAILED_STAGES = {
  run: 'Failed',
  timeout: 'TimedOut',
  schedule: 'ScheduleFailed',
  start: 'StartFailed',
  submit: 'SubmitFailed',
} as const;

/** An event of a task, under the name its kind of resource has. */
function taskShown(suffix: string, resource: TaskResource | null, details: JsonObject): Shown {
  if (resource?.kind === 'lambda-function') {
    return {
      type: `LambdaFunction${suffix}`,
      details: [`lambdaFunction${suffix}EventDetails`, details],
    };
  }
  if (resource?.kind === 'activity') {
    return { type: `Activity${suffix}`, details: [`activity${suffix}EventDetails`, details] };
  }
  const named = {
    resource: resource?.action ?? '',
    resourceType: resource?.type ?? '',
    ...details,
  };
  return { type: `Task${suffix}`, details: [`task${suffix}EventDetails`, named] };
}

function iteration(what: string, index: number, name: string): Shown {
  return {
    type: `MapIteration${what}`,
    details: [`mapIteration${what}EventDetails`, { index, name }],
  };
}

function ended(fact: FactOf<'ExecutionEnded'>, around: Around): Shown {
  switch (fact.status) {
    case 'SUCCEEDED': {
      const value = fact.output === undefined ? (around.before?.value ?? null) : fact.output;
      return {
        type: 'ExecutionSucceeded',
        details: ['executionSucceededEventDetails', output(value)],
      };
    }
    case 'FAILED':
      return { type: 'ExecutionFailed', details: ['executionFailedEventDetails', cause(fact)] };
    case 'TIMED_OUT':
      return { type: 'ExecutionTimedOut', details: ['executionTimedOutEventDetails', cause(fact)] };
    case 'ABORTED':
      return { type: 'ExecutionAborted', details: ['executionAbortedEventDetails', cause(fact)] };
    default:
      return assertNever(fact.status);
  }
}

function cause(fact: FactOf<'ExecutionEnded'>): JsonObject {
  return fact.failure === null ? {} : failed(fact.failure);
}

function failed(failure: Failure): JsonObject {
  return {
    ...(failure.error === null ? {} : { error: failure.error }),
    ...(failure.cause === null ? {} : { cause: failure.cause }),
  };
}

function input(value: Json): JsonObject {
  return { input: JSON.stringify(value), inputDetails: NOT_TRUNCATED };
}

function output(value: Json): JsonObject {
  return { output: JSON.stringify(value), outputDetails: NOT_TRUNCATED };
}
