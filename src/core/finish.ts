/**
 * How a state ends: with an output (StateExited), or with a failure that is retried, caught or raised
 * to the frame's parent, and at the root to the execution.
 */
import type { FrameId } from '../lib/brand.js';
import { chain, type Eventually, rescue } from '../lib/eventually.js';
import { fromEntries, type Json, type JsonObject } from '../lib/json.js';
import { FrameScope, NO_EXTRAS, RETRYABLE } from './context.js';
import type { Completion } from './data-flow.js';
import type { Failure } from './fact.js';
import {
  failureOf,
  QUERY_EVALUATION,
  resultTooLarge,
  RUNTIME,
  variablesTooLarge,
} from './failure.js';
import { failChild, succeedChild } from './fan-out.js';
import { isRetryable, type State, stateOf } from './machine.js';
import { exceedsBytes } from './payload.js';
import { chooseRecovery, errorOutput } from './retry.js';
import { ROOT_FRAME } from './state.js';
import type { Turn } from './turn.js';
import { StatesError } from '../expr/scope.js';

/** The scope of a frame's current state; `$` is its raw input. */
export function scopeOf(turn: Turn, id: FrameId, state: State): FrameScope {
  const frame = turn.frame(id);
  return new FrameScope(turn, frame, frame.value, isRetryable(state.kind) ? RETRYABLE : NO_EXTRAS);
}

/** Work is done with `result`: evaluates the data flow's second half and exits. */
export function finish(turn: Turn, id: FrameId, state: State, result: Json): Eventually<void> {
  return chain(state.flow.complete(scopeOf(turn, id, state), result), (completion) =>
    exitTo(turn, id, state, completion, state.next),
  );
}

/** Leaves the state for `next` (null: ends the frame); a Choice says by which rule (null: Default). */
export function exitTo(
  turn: Turn,
  id: FrameId,
  state: State,
  completion: Completion,
  next: string | null,
  rule?: number | null,
): Eventually<void> {
  const frame = turn.frame(id);
  const { output, assigned } = completion;
  const unchanged = output === frame.value;
  // An input slightly above the limit is accepted: the first state fails with it (recorded).
  const checked = unchanged && frame.enteredEventId !== FIRST_STATE_EVENT;
  if (!checked && exceedsBytes(output, turn.env.limits.payloadBytes)) {
    throw resultTooLarge(state.name);
  }
  checkAssigned(turn, id, assigned);
  turn.exited(id, {
    kind: state.kind,
    name: state.name,
    output: unchanged ? undefined : output,
    // Recorded (BASE_EMPTY): an empty Assign leaves no trace.
    assigned: assigned === null || Object.keys(assigned).length === 0 ? null : assigned,
    next,
    rule,
  });
  if (next === null) endFrame(turn, id);
  return undefined;
}

/** Event 1 is ExecutionStarted. */
const FIRST_STATE_EVENT = 2;

/** AWS: one Assign holds as much as a payload, and all variables together ten mebibytes. */
function checkAssigned(turn: Turn, id: FrameId, assigned: JsonObject | null): void {
  if (assigned === null) return;
  const { payloadBytes, variablesBytes } = turn.env.limits;
  if (exceedsBytes(assigned, payloadBytes)) throw variablesTooLarge();
  const { variables } = turn.frame(id);
  // None is larger than an Assign, so a few cannot be too much.
  const count = Object.keys(variables).length + Object.keys(assigned).length;
  if (count * payloadBytes <= variablesBytes) return;
  const all = fromEntries([...Object.entries(variables), ...Object.entries(assigned)]);
  if (exceedsBytes(all, variablesBytes)) throw variablesTooLarge();
}

function endFrame(turn: Turn, id: FrameId): void {
  if (id !== ROOT_FRAME) return succeedChild(turn, id);
  turn.event(id, { type: 'ExecutionEnded', status: 'SUCCEEDED', failure: null });
}

/** Runs the work of a state; whatever it throws becomes the state's failure. */
export function guard(turn: Turn, id: FrameId, work: () => Eventually<void>): Eventually<void> {
  return rescue(work, (error) => {
    const failure = failureOf(error, turn.frame(id));
    if (failure === null) throw error;
    return failed(turn, id, failure, error);
  });
}

/** A failure raised by the interpreter itself while it worked on the state. */
function failed(turn: Turn, id: FrameId, failure: Failure, error: unknown): Eventually<void> {
  if (failure.error === QUERY_EVALUATION) {
    const frame = turn.frame(id);
    const location = error instanceof StatesError ? (error.location ?? null) : null;
    // Recorded: it points to what the entered event points to, except in Wait states
    // (AWS-BEHAVIOURS 27).
    const untouched = frame.lastEventId === frame.enteredEventId;
    const previous =
      untouched && stateOf(turn, id).kind !== 'Wait' ? frame.enteredPreviousId : frame.lastEventId;
    turn.event(id, { type: 'EvaluationFailed', failure, location, state: frame.state }, previous);
  }
  return failState(turn, id, failure);
}

/** The current attempt of a state failed: retry, catch or raise. */
export function failState(
  turn: Turn,
  id: FrameId,
  failure: Failure,
  options: { readonly missedHeartbeat?: boolean; readonly fromChild?: boolean } = {},
): Eventually<void> {
  const state = stateOf(turn, id);
  const frame = turn.frame(id);
  const recovery = chooseRecovery(
    failure,
    state,
    frame.attempts,
    { now: turn.now, random: () => turn.env.random() },
    options.missedHeartbeat ?? false,
  );
  endFanOut(turn, id, state, failure, recovery.do, options.fromChild ?? false);
  turn.note(id, { type: 'AttemptFailed', failure, recovery });
  if (recovery.do === 'retry') return undefined;
  if (recovery.do === 'raise') return raise(turn, id, failure);
  const catcher = state.catchers[recovery.catcher];
  if (catcher === undefined) return raise(turn, id, failure);
  const scope = scopeOf(turn, id, state);
  return rescue(
    () =>
      chain(catcher.complete(scope, errorOutput(failure)), (completion) =>
        exitTo(turn, id, state, completion, catcher.next),
      ),
    (error) => {
      // A catcher that cannot be evaluated fails the state for good.
      const second = failureOf(error, turn.frame(id));
      if (second === null) throw error;
      return raise(turn, id, second);
    },
  );
}

/**
 * Map and Parallel show `…StateFailed` when no retry follows, unless the interpreter itself failed
 * with States.Runtime (AWS-BEHAVIOURS 12, 13, 26, 28).
 */
function endFanOut(
  turn: Turn,
  id: FrameId,
  state: State,
  failure: Failure,
  recovery: 'retry' | 'catch' | 'raise',
  fromChild: boolean,
): void {
  if (state.kind !== 'Map' && state.kind !== 'Parallel') return;
  const open = turn.frame(id).phase.is === 'fan-out';
  const discard = recovery !== 'raise';
  const body = { type: 'FanOutEnded', kind: state.kind, ok: false, discard } as const;
  if (recovery !== 'retry' && (fromChild || failure.error !== RUNTIME)) turn.event(id, body);
  else if (open) turn.note(id, body);
}

function raise(turn: Turn, id: FrameId, failure: Failure): Eventually<void> {
  if (id !== ROOT_FRAME) return failChild(turn, id, failure);
  turn.event(id, { type: 'ExecutionEnded', status: 'FAILED', failure });
  return undefined;
}
