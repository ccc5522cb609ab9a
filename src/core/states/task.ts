/** Task: asks the outside to do something, and takes its answer, timeout or silence. */
import { compileJsonataTemplate } from '../../expr/jsonata.js';
import { compileTemplate } from '../../expr/template.js';
import { assert } from '../../lib/assert.js';
import type { EpochMs, FrameId, Nonce } from '../../lib/brand.js';
import { chain, type Eventually } from '../../lib/eventually.js';
import { getOwn, type Json, type JsonObject } from '../../lib/json.js';
import { evaluateIn } from '../bindings.js';
import type { StateContext } from '../compiler.js';
import { FrameScope } from '../context.js';
import { compileFlow } from '../data-flow.js';
import type { Failure, Outcome, TaskResource } from '../fact.js';
import {
  parametersTooLarge,
  resultTooLarge,
  withinLimits,
  runtimeError,
  TIMEOUT,
} from '../failure.js';
import { failState, finish, guard } from '../finish.js';
import { type State, stateOf } from '../machine.js';
import { exceedsBytes } from '../payload.js';
import { limitName, parseResource } from '../resource.js';
import { compilePathSource, compileSource, readTyped, type Source } from '../source.js';
import type { Turn } from '../turn.js';
import { baseState } from './base-state.js';

export function compileTask(definition: JsonObject, context: StateContext): State {
  const { language } = context;
  const flow = compileFlow(
    definition,
    language,
    language === 'JSONata' ? 'Arguments' : 'Parameters',
  );
  const resource = parseResource(getOwn(definition, 'Resource') as string);
  const timeout = secondsSource(definition, 'TimeoutSeconds', language);
  const heartbeat = secondsSource(definition, 'HeartbeatSeconds', language);
  const credentials = compileCredentials(getOwn(definition, 'Credentials'), language);
  const state: State = {
    ...baseState('Task', definition, context, flow),
    start: (turn, id) => {
      const nonce = turn.env.nonce();
      const scope = taskScope(turn, id, resource, nonce);
      const effective = scope.with(flow.effectiveInput(scope));
      return chain(flow.arguments(effective), (parameters) =>
        chain(credentials(effective), (assumed) =>
          chain(readSeconds(timeout, 'TimeoutSeconds', effective), (timeoutSeconds) =>
            chain(readSeconds(heartbeat, 'HeartbeatSeconds', effective), (heartbeatSeconds) =>
              chain(expectActivity(turn, resource), () =>
                schedule(turn, id, {
                  resource,
                  parameters,
                  credentials: assumed,
                  nonce,
                  timeoutSeconds,
                  heartbeatSeconds,
                }),
              ),
            ),
          ),
        ),
      );
    },
  };
  return state;
}

/** The scope with `$$.Task.Token` where the integration waits for an answer. */
function taskScope(turn: Turn, id: FrameId, resource: TaskResource, nonce: Nonce): FrameScope {
  const frame = turn.frame(id);
  // Recorded (test_sync_with_task_token): `.sync` states have a token too.
  const waits = resource.pattern !== 'request-response';
  const { arn } = turn.state.identity;
  return new FrameScope(turn, frame, frame.value, {
    retryable: true,
    ...(waits
      ? { taskToken: turn.env.taskToken(arn, { frame: id, scheduled: turn.nextSeq, nonce }) }
      : {}),
  });
}

/** An activity may be deleted while machines still name it: nobody could ever take the task. */
function expectActivity(turn: Turn, { kind, arn }: TaskResource): Eventually<void> {
  const { activityExists } = turn.env;
  if (kind !== 'activity' || activityExists === undefined) return undefined;
  return chain(activityExists(arn), (exists) => {
    if (!exists) throw runtimeError(`The activity ${arn} does not exist.`);
  });
}

interface Work {
  readonly resource: TaskResource;
  readonly parameters: Json;
  readonly credentials: JsonObject | null;
  readonly nonce: Nonce;
  readonly timeoutSeconds: number | null;
  readonly heartbeatSeconds: number | null;
}

function schedule(turn: Turn, id: FrameId, work: Work): undefined {
  if (exceedsBytes(work.parameters, turn.env.limits.payloadBytes)) {
    throw parametersTooLarge(limitName(work.resource));
  }
  const timeoutAt =
    work.timeoutSeconds === null ? null : ((turn.now + work.timeoutSeconds * 1000) as EpochMs);
  turn.event(id, { type: 'TaskScheduled', ...work, timeoutAt });
  // An activity starts when a worker takes it; anything else starts with the commit.
  if (work.resource.kind !== 'activity') turn.event(id, { type: 'TaskStarted', workerName: null });
  return undefined;
}

/** The outside answered. */
export function endTask(
  turn: Turn,
  id: FrameId,
  outcome: Outcome,
  stage: 'run' | 'schedule' | 'start' | 'submit',
): Eventually<void> {
  const { phase } = turn.frame(id);
  assert(phase.is === 'task', 'The frame runs a task.');
  const { scheduled, resource } = phase;
  if (!outcome.ok) return failTask(turn, id, withinLimits(outcome.failure), stage);
  if (exceedsBytes(outcome.output, turn.env.limits.payloadBytes)) {
    // Recorded: TaskFailed with DataLimitExceeded, which a Catch may take (reference 9).
    return failTask(turn, id, resultTooLarge(limitName(resource)).failure, 'run');
  }
  turn.event(id, { type: 'TaskSucceeded', scheduled, output: outcome.output });
  const state = stateOf(turn, id);
  return guard(turn, id, () => finish(turn, id, state, outcome.output));
}

export function failTask(
  turn: Turn,
  id: FrameId,
  failure: Failure,
  stage: 'run' | 'timeout' | 'schedule' | 'start' | 'submit',
  missedHeartbeat = false,
): Eventually<void> {
  showTaskFailure(turn, id, failure, stage);
  return failState(turn, id, failure, { missedHeartbeat });
}

/** The event of a failed task alone; what follows is decided afterwards. */
export function showTaskFailure(
  turn: Turn,
  id: FrameId,
  failure: Failure,
  stage: 'run' | 'timeout' | 'schedule' | 'start' | 'submit',
): void {
  const { phase } = turn.frame(id);
  assert(phase.is === 'task', 'The frame runs a task.');
  turn.event(id, { type: 'TaskFailed', scheduled: phase.scheduled, failure, stage });
}

export const TIMED_OUT: Failure = { error: TIMEOUT, cause: null };

function secondsSource(definition: JsonObject, field: string, language: string): Source | null {
  const path = getOwn(definition, `${field}Path`);
  if (typeof path === 'string') return compilePathSource(path);
  const value = getOwn(definition, field);
  return value === undefined ? null : compileSource(value, field, language);
}

function readSeconds(
  source: Source | null,
  field: string,
  scope: FrameScope,
): Eventually<number | null> {
  if (source === null) return null;
  return chain(readTyped(source, scope, 'number', field), (value) => {
    if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
    const name = source.from === 'path' ? `${field}Path` : field;
    throw runtimeError(
      `The ${name} parameter must be a positive integer but was: ${JSON.stringify(value)}`,
    );
  });
}

type CredentialsReader = (scope: FrameScope) => Eventually<JsonObject | null>;

function compileCredentials(value: Json | undefined, language: string): CredentialsReader {
  if (value === undefined) return () => null;
  if (language === 'JSONata') {
    const template = compileJsonataTemplate(value, 'Credentials');
    return (scope) => chain(evaluateIn(template, scope), (made) => made as JsonObject);
  }
  const template = compileTemplate(value);
  return (scope) => template.evaluate(scope) as JsonObject;
}
