/** Failures of a user's run inside core, and the fixed texts AWS uses for them. */
import { StatesError } from '../expr/scope.js';
import type { Failure } from './fact.js';
import { MAX_CAUSE_CHARACTERS } from './limits.js';
import type { Frame } from './state.js';

/** A failure whose cause is complete: no "An error occurred while executing the state" in front. */
export class StateFailure extends Error {
  override readonly name = 'StateFailure';
  constructor(readonly failure: Failure) {
    super(`${failure.error}: ${failure.cause}`);
  }
}

export const RUNTIME = 'States.Runtime';
export const TIMEOUT = 'States.Timeout';
export const QUERY_EVALUATION = 'States.QueryEvaluationError';
export const DATA_LIMIT = 'States.DataLimitExceeded';

export function runtimeError(cause: string): StatesError {
  return new StatesError(RUNTIME, cause);
}

export function resultTooLarge(name: string): StateFailure {
  return new StateFailure({
    error: DATA_LIMIT,
    cause: `The state/task '${name}' returned a result with a size exceeding the maximum number of bytes service limit.`,
  });
}

export function parametersTooLarge(name: string): StateFailure {
  return new StateFailure({
    error: DATA_LIMIT,
    cause: `The state/task '${name}' provided parameters with a size exceeding the maximum number of bytes service limit.`,
  });
}

export function variablesTooLarge(): StatesError {
  return new StatesError(
    DATA_LIMIT,
    'The size of the variables assigned exceeds the maximum number of bytes service limit.',
  );
}

/** The failure a thrown error stands for, or null when the error is a bug of ours. */
export function failureOf(error: unknown, frame: Frame): Failure | null {
  if (error instanceof StateFailure) return error.failure;
  if (!(error instanceof StatesError)) return null;
  const where = `An error occurred while executing the state '${frame.state}' (entered at the event id #${frame.enteredEventId}). `;
  return withinLimits({ error: error.error, cause: where + error.cause });
}

/** A cause of any length, as AWS can show it. */
export function withinLimits(failure: Failure): Failure {
  const { error, cause } = failure;
  if (cause === null || cause.length <= MAX_CAUSE_CHARACTERS) return failure;
  return { error, cause: cause.slice(0, MAX_CAUSE_CHARACTERS) };
}
