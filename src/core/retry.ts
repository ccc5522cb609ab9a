/**
 * What follows a failed attempt: `retry || catch || raise`. Counters are per retrier; the delay,
 * jitter included, is chosen once and recorded.
 */
import type { Completion } from './data-flow.js';
import type { Eventually } from '../lib/eventually.js';
import type { EpochMs } from '../lib/brand.js';
import { isArray, getOwn, type Json, type JsonObject } from '../lib/json.js';
import type { FrameScope } from './context.js';
import { compileCatchCompletion } from './data-flow.js';
import { RUNTIME, TIMEOUT } from './failure.js';
import type { Failure, Recovery } from './fact.js';

export interface Retrier {
  readonly errors: readonly string[];
  readonly intervalSeconds: number;
  readonly maxAttempts: number;
  readonly backoffRate: number;
  readonly maxDelaySeconds: number | null;
  readonly fullJitter: boolean;
}

export interface Catcher {
  readonly errors: readonly string[];
  readonly next: string;
  complete(scope: FrameScope, errorOutput: Json): Eventually<Completion>;
}

export function compileRetriers(definition: JsonObject): readonly Retrier[] {
  return list(definition, 'Retry').map((retrier) => ({
    errors: getOwn(retrier, 'ErrorEquals') as readonly string[],
    intervalSeconds: number(retrier, 'IntervalSeconds') ?? 1,
    maxAttempts: number(retrier, 'MaxAttempts') ?? 3,
    backoffRate: number(retrier, 'BackoffRate') ?? 2,
    maxDelaySeconds: number(retrier, 'MaxDelaySeconds'),
    fullJitter: getOwn(retrier, 'JitterStrategy') === 'FULL',
  }));
}

export function compileCatchers(
  definition: JsonObject,
  language: 'JSONPath' | 'JSONata',
): readonly Catcher[] {
  return list(definition, 'Catch').map((catcher, index) => ({
    errors: getOwn(catcher, 'ErrorEquals') as readonly string[],
    next: getOwn(catcher, 'Next') as string,
    complete: compileCatchCompletion(catcher, language, `Catch[${index}]/`),
  }));
}

/** Chooses the recovery of one failure. `attempts` are the retries used so far, by retrier. */
export function chooseRecovery(
  failure: Failure,
  rules: { readonly retriers: readonly Retrier[]; readonly catchers: readonly Catcher[] },
  attempts: readonly number[],
  env: { readonly now: EpochMs; random(): number },
  missedHeartbeat = false,
): Recovery {
  const isMatch = (rule: { readonly errors: readonly string[] }): boolean =>
    matchesError(rule.errors, failure.error) ||
    // The history of a missed heartbeat says States.Timeout; both names catch it (reference 9).
    (missedHeartbeat && rule.errors.includes('States.HeartbeatTimeout'));
  const retrier = rules.retriers.findIndex(isMatch);
  const rule = rules.retriers[retrier];
  if (rule !== undefined) {
    const attempt = (attempts[retrier] ?? 0) + 1;
    // An exhausted retrier hands over to Catch; later retriers are not tried (SPEC, Retry).
    if (attempt <= rule.maxAttempts) {
      const at = (env.now + delayMs(rule, attempt, () => env.random())) as EpochMs;
      return { do: 'retry', retrier, attempt, at };
    }
  }
  const catcher = rules.catchers.findIndex(isMatch);
  return catcher === -1 ? { do: 'raise' } : { do: 'catch', catcher };
}

/** Delay before retry `attempt` (from 1), in milliseconds; the cap applies before jitter. */
export function delayMs(rule: Retrier, attempt: number, random: () => number): number {
  const grown = rule.intervalSeconds * rule.backoffRate ** (attempt - 1);
  const capped = Math.min(grown, rule.maxDelaySeconds ?? Number.POSITIVE_INFINITY, 31_622_400);
  return Math.round((rule.fullJitter ? random() * capped : capped) * 1000);
}

/**
 * `States.ALL` matches everything but States.Runtime; `States.TaskFailed` everything but a timeout.
 * A failure without an error name is matched by States.ALL and States.TaskFailed only.
 */
export function matchesError(names: readonly string[], error: string | null): boolean {
  // Recorded (test_catch_states_runtime): not even a catcher that names States.Runtime gets it.
  if (error === RUNTIME) return false;
  for (const name of names) {
    if (name === error || name === 'States.ALL') return true;
    if (name === 'States.TaskFailed' && error !== TIMEOUT) return true;
  }
  return false;
}

/**
 * Error Output of a catcher, as recorded: a timeout has an empty Cause, members that a callback left
 * out are null (conformance: test_sqs_failure_in_wait_for_task_tok_no_error_field).
 */
export function errorOutput(failure: Failure): JsonObject {
  const cause = failure.cause ?? (failure.error === TIMEOUT ? '' : null);
  return { Error: failure.error, Cause: cause };
}

function list(definition: JsonObject, field: string): readonly JsonObject[] {
  const value = getOwn(definition, field);
  return isArray(value) ? (value as readonly JsonObject[]) : [];
}

function number(definition: JsonObject, field: string): number | null {
  const value = getOwn(definition, field);
  return typeof value === 'number' ? value : null;
}
