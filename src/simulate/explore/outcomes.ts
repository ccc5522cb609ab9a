/** What a task can do but succeed: the errors its state speaks of, one that nobody does, and silence. */
import { getOwn, hasOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';

/** The error of a task that no catcher or retrier names. */
export const UNFORESEEN = 'Explore.Unforeseen';

export interface TaskOutcome {
  /** The error's name as the state sees it. */
  readonly error: string;
  readonly title: string;
  readonly outcome: JsonObject;
}

const LIMITS = ['TimeoutSeconds', 'TimeoutSecondsPath'];
const HEARTBEATS = ['HeartbeatSeconds', 'HeartbeatSecondsPath'];

/** An answer that makes the state see an error of this name. */
export function outcomeFor(error: string, definition: JsonObject): TaskOutcome {
  const canTimeOut = [...LIMITS, ...HEARTBEATS].some((field) => hasOwn(definition, field));
  if ((error === 'States.Timeout' || error === 'States.HeartbeatTimeout') && canTimeOut) {
    return { error, title: `${error}: it never answers`, outcome: { hang: true } };
  }
  const named = error === 'States.ALL' || error === 'States.TaskFailed' ? UNFORESEEN : error;
  const outcome = { throw: { error: named, cause: 'thrown by explore' } };
  return { error: named, title: named, outcome };
}

/** Every outcome worth a run: named errors, an unforeseen one, timeouts, a callback that never comes. */
export function outcomesOf(definition: JsonObject): readonly TaskOutcome[] {
  const names = new Set([...errorNames(definition, 'Retry'), ...errorNames(definition, 'Catch')]);
  names.add(UNFORESEEN);
  if (LIMITS.some((field) => hasOwn(definition, field))) names.add('States.Timeout');
  if (HEARTBEATS.some((field) => hasOwn(definition, field))) names.add('States.HeartbeatTimeout');
  const found = [...names].map((name) => outcomeFor(name, definition));
  const unique = [...new Map(found.map((one) => [JSON.stringify(one.outcome), one])).values()];
  const waits = String(getOwn(definition, 'Resource') ?? '').endsWith('.waitForTaskToken');
  if (waits && !unique.some(({ outcome }) => hasOwn(outcome, 'hang'))) {
    unique.push({ error: '', title: 'the callback never comes', outcome: { hang: true } });
  }
  return unique;
}

export function errorNames(definition: JsonObject, field: 'Retry' | 'Catch'): readonly string[] {
  return rulesOf(definition, field).flatMap((rule) => namesIn(rule));
}

export function namesIn(rule: JsonObject): readonly string[] {
  const names = getOwn(rule, 'ErrorEquals');
  return isArray(names) ? names.filter((name): name is string => typeof name === 'string') : [];
}

export function rulesOf(definition: JsonObject, field: string): readonly JsonObject[] {
  const rules: Json | undefined = getOwn(definition, field);
  return isArray(rules) ? rules.filter(isObject) : [];
}
