/** What a rule of a mock file answers, one call at a time: a result, a failure, silence, a function. */
import { chain } from '../../lib/eventually.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { didYouMean } from '../../lib/suggest.js';
import type { Answer, Call } from '../call.js';
import { callBindings, compileComputed } from './bindings.js';
import { parseDuration } from './durations.js';
import type { AnswerOf } from './plan.js';
import { at, type Problems } from './problems.js';

/** A mock written in JavaScript; it may throw an error whose `name` is the error of the task. */
export type MockFunction = (input: Json, call: Call) => unknown;

export interface RuleContext {
  readonly problems: Problems;
  /** Functions by the name that files use for them. */
  readonly functions: ReadonlyMap<string, MockFunction>;
}

export const OUTCOMES = [
  'return',
  'payload',
  'compute',
  'throw',
  'hang',
  'unpolled',
  'echo',
  'function',
  'items',
] as const;
export const TIMING = ['after', 'heartbeatEvery', 'submit', 'at'] as const;

export function readAnswer(
  part: JsonObject,
  pointer: string,
  context: RuleContext,
): AnswerOf | null {
  const { problems } = context;
  const given = OUTCOMES.filter((key) => Object.hasOwn(part, key));
  const [kind, second] = given;
  if (kind === undefined || second !== undefined) {
    const found = given.length === 0 ? 'There is none.' : `There are ${given.join(' and ')}.`;
    problems.error(pointer, `Needs exactly one of ${OUTCOMES.join(', ')}. ${found}`);
    return null;
  }
  const timing = readTiming(part, pointer, problems);
  const value = getOwn(part, kind) as Json;
  const place = at(pointer, kind);
  switch (kind) {
    case 'return':
    case 'items':
      if (kind === 'items' && !isArray(value)) problems.error(place, 'Must be a list.');
      return () => ({ return: value, ...timing });
    case 'payload':
      return (call) => ({ return: asLambda(value, call), ...timing });
    case 'echo':
      return (call) => ({ return: echoOf(call), ...timing });
    case 'throw':
      return readThrow(value, part, place, timing, problems);
    case 'hang':
      return () => ({ hang: true, ...beatOf(timing) });
    case 'unpolled':
      return () => ({ unpolled: true });
    case 'compute':
      return readCompute(value, place, timing, problems);
    case 'function':
      return readFunction(value, place, timing, context);
  }
}

interface Timing {
  readonly afterMs?: number;
  readonly heartbeatEveryMs?: number;
  readonly submit?: Json;
}

function beatOf({ afterMs: _afterMs, ...rest }: Timing): Omit<Timing, 'afterMs'> {
  return rest;
}

function readTiming(part: JsonObject, pointer: string, problems: Problems): Timing {
  const read = (key: 'after' | 'heartbeatEvery'): number | undefined => {
    const value = getOwn(part, key);
    if (value === undefined) return undefined;
    const ms = parseDuration(value);
    const isBeat = key === 'heartbeatEvery';
    if (ms === null || (isBeat && ms === 0)) {
      problems.error(
        at(pointer, key),
        'Must be seconds, or a text such as "250ms", "90s", "2h", "30d".',
      );
      return undefined;
    }
    return ms;
  };
  const afterMs = read('after');
  const heartbeatEveryMs = read('heartbeatEvery');
  const submit = getOwn(part, 'submit');
  return {
    ...(afterMs === undefined ? {} : { afterMs }),
    ...(heartbeatEveryMs === undefined ? {} : { heartbeatEveryMs }),
    ...(submit === undefined ? {} : { submit }),
  };
}

function readThrow(
  value: Json,
  part: JsonObject,
  pointer: string,
  timing: Timing,
  problems: Problems,
): AnswerOf | null {
  const stage = getOwn(part, 'at');
  if (stage !== undefined && stage !== 'submit')
    problems.error(pointer, '"at" can only be "submit".');
  const where = stage === 'submit' ? { at: 'submit' as const } : {};
  if (typeof value === 'string') return () => ({ throw: { error: value }, ...timing, ...where });
  const error = isObject(value) ? getOwn(value, 'error') : undefined;
  const cause = isObject(value) ? (getOwn(value, 'cause') ?? null) : null;
  if (isObject(value)) problems.unknownKeys(value, ['error', 'cause'], pointer);
  if (typeof error !== 'string' || (cause !== null && typeof cause !== 'string')) {
    problems.error(pointer, 'Must be an error name, or {"error": "…", "cause": "…"}.');
    return null;
  }
  return () => ({ throw: { error, cause }, ...timing, ...where });
}

function readCompute(
  value: Json,
  pointer: string,
  timing: Timing,
  problems: Problems,
): AnswerOf | null {
  try {
    const compute = compileComputed(value, pointer);
    return async (call) => ({ return: await compute(callBindings(call), call.at), ...timing });
  } catch (error) {
    problems.error(pointer, `Not a JSONata expression: ${messageOf(error)}`);
    return null;
  }
}

function readFunction(
  value: Json,
  pointer: string,
  timing: Timing,
  { functions, problems }: RuleContext,
): AnswerOf | null {
  const mock = typeof value === 'string' ? functions.get(value) : undefined;
  if (mock === undefined) {
    const known = [...functions.keys()];
    const hint = typeof value === 'string' ? didYouMean(value, known) : '';
    problems.error(pointer, `There is no function ${JSON.stringify(value)}.${hint}`);
    return null;
  }
  return (call) => chain(callFunction(mock, call), (answer) => ({ ...answer, ...timing }));
}

/** An error that a function throws is the task's: its `name` the error, its message the cause. */
export async function callFunction(mock: MockFunction, call: Call): Promise<Answer> {
  try {
    const value = await mock(call.input, call);
    return { return: value === undefined ? null : (JSON.parse(JSON.stringify(value)) as Json) };
  } catch (thrown) {
    const name = thrown instanceof Error ? thrown.name : 'Error';
    return { throw: { error: name, cause: messageOf(thrown) } };
  }
}

/** What `lambda:invoke` answers for a function that returned `payload`; a function ARN gives it bare. */
export function asLambda(payload: Json, { resource }: Call): Json {
  if (resource.kind !== 'task' || resource.type !== 'lambda') return payload;
  if (resource.pattern === 'wait-for-task-token') return payload;
  return { ExecutedVersion: '$LATEST', Payload: payload, StatusCode: 200 };
}

function echoOf(call: Call): Json {
  const { input, resource } = call;
  if (resource.kind !== 'task' || resource.type !== 'lambda') return input;
  return asLambda(isObject(input) ? (getOwn(input, 'Payload') ?? {}) : {}, call);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
