/**
 * One rule of a mock file: conditions (`when`, `attempt`, `call`, `index`, `item`), one outcome
 * (`return`, `payload`, `compute`, `throw`, `hang`, `unpolled`, `echo`, `function`, `items`, or a
 * `sequence` of these), and timing (`after`, `heartbeatEvery`). docs/testing.md is the reference.
 */
import { isExpression } from '../../expr/jsonata.js';
import { chain } from '../../lib/eventually.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { didYouMean } from '../../lib/suggest.js';
import type { Answer, Call } from '../call.js';
import { includesJson } from '../partial.js';
import { callBindings, compileComputed, compilePredicate } from './bindings.js';
import { parseDuration } from './durations.js';
import type { AnswerOf, Condition, Rule } from './plan.js';
import { at, type Problems } from './problems.js';
import { isInside, parseRanges } from './ranges.js';

/** A mock written in JavaScript; it may throw an error whose `name` is the error of the task. */
export type MockFunction = (input: Json, call: Call) => unknown;

export interface RuleContext {
  readonly problems: Problems;
  /** Functions by the name that files use for them. */
  readonly functions: ReadonlyMap<string, MockFunction>;
}

const CONDITIONS = ['when', 'attempt', 'call', 'index', 'item'] as const;
const OUTCOMES = [
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
const TIMING = ['after', 'heartbeatEvery', 'submit', 'at'] as const;
const RULE_KEYS: readonly string[] = [
  ...CONDITIONS,
  ...OUTCOMES,
  ...TIMING,
  'attempts',
  'sequence',
  'last',
  'times',
  'comment',
];
const MAX_RULES = 10_000;

/** The rules of one state: a rule, or a list of rules tried in order. */
export function readRules(value: Json, pointer: string, context: RuleContext): readonly Rule[] {
  const { problems } = context;
  if (isArray(value)) {
    if (value.length > MAX_RULES) {
      problems.error(pointer, `More than ${MAX_RULES} rules.`);
      return [];
    }
    const rules = value.flatMap((rule, index) => readRule(rule, at(pointer, index), context));
    warnUnreachable(rules, context);
    return rules;
  }
  return readRule(value, pointer, context);
}

function warnUnreachable(rules: readonly Rule[], { problems }: RuleContext): void {
  const all = rules.findIndex(
    ({ conditions, times, kinds }) => conditions.length === 0 && times === null && kinds === null,
  );
  const next = all === -1 ? undefined : rules[all + 1];
  if (next === undefined) return;
  problems.warn(
    next.pointer,
    `This rule never answers: ${(rules[all] as Rule).pointer} has no condition and answers every call. ` +
      'Put answers that follow each other into one "sequence", or give the first rule "times".',
  );
}

function readRule(value: Json, pointer: string, context: RuleContext): readonly Rule[] {
  const { problems } = context;
  if (!isObject(value)) {
    problems.error(pointer, 'A mock is an object such as {"return": …}, or a list of them.');
    return [];
  }
  problems.unknownKeys(value, RULE_KEYS, pointer);
  const conditions = readConditions(value, pointer, context);
  const times = getOwn(value, 'times') ?? null;
  if (times !== null && !(Number.isInteger(times) && (times as number) > 0)) {
    problems.error(at(pointer, 'times'), 'Must be a whole number from 1.');
  }
  const shared = { conditions, times: times as number | null };
  const attempts = getOwn(value, 'attempts');
  if (attempts !== undefined) return readAttempts(value, attempts, pointer, shared, context);
  return [readAnswers(value, pointer, shared, context)].flat();
}

type Shared = Pick<Rule, 'conditions' | 'times'>;

/** `attempts: {"0-1": …, "2+": …}` is one rule for each range. */
function readAttempts(
  rule: JsonObject,
  attempts: Json,
  pointer: string,
  shared: Shared,
  context: RuleContext,
): readonly Rule[] {
  const { problems } = context;
  const place = at(pointer, 'attempts');
  const other = [...OUTCOMES, 'sequence'].find((key) => Object.hasOwn(rule, key));
  if (other !== undefined)
    problems.error(at(pointer, other), '"attempts" has the answers already.');
  if (!isObject(attempts)) {
    problems.error(place, 'Must be an object such as {"0-1": {"throw": …}, "2+": {"return": …}}.');
    return [];
  }
  return Object.entries(attempts).flatMap(([key, value]) => {
    const ranges = parseRanges(key);
    if (ranges === null) {
      problems.error(at(place, key), 'An attempt is "0", "1-2" or "3+"; the first one is 0.');
      return [];
    }
    if (!isObject(value as Json)) {
      problems.error(at(place, key), 'Must be an object such as {"return": …}.');
      return [];
    }
    const outcome = value as JsonObject;
    problems.unknownKeys(outcome, [...OUTCOMES, ...TIMING, 'comment'], at(place, key));
    const conditions: Condition[] = [
      ...shared.conditions,
      (call) => isInside(ranges, call.attempt),
    ];
    return readAnswers(outcome, at(place, key), { ...shared, conditions }, context);
  });
}

function readConditions(
  rule: JsonObject,
  pointer: string,
  context: RuleContext,
): readonly Condition[] {
  const { problems } = context;
  const found: Condition[] = [];
  for (const key of ['attempt', 'call'] as const) {
    const value = getOwn(rule, key);
    if (value === undefined) continue;
    const ranges = parseRanges(value);
    if (ranges === null)
      problems.error(at(pointer, key), 'Must be a number, "1-2", "3+" or a list.');
    else {
      found.push((call) => isInside(ranges, key === 'attempt' ? call.attempt : call.invocation));
    }
  }
  const index = getOwn(rule, 'index');
  if (index !== undefined) found.push(...readIndex(index, at(pointer, 'index'), problems));
  const item = getOwn(rule, 'item');
  if (item !== undefined) {
    found.push((call) => {
      const inner = call.scopes.findLast(({ kind }) => kind === 'Map');
      return inner !== undefined && includesJson(inner.item, item);
    });
  }
  const when = getOwn(rule, 'when');
  if (when !== undefined) found.push(readWhen(when, at(pointer, 'when'), problems));
  return found;
}

/** A range is for the innermost iteration; `{"Map state": range}` for the one of that state. */
function readIndex(value: Json, pointer: string, problems: Problems): Condition[] {
  if (!isObject(value)) {
    const ranges = parseRanges(value);
    if (ranges === null) {
      problems.error(pointer, 'Must be a number, "1-2", "3+", a list, or {"<Map state>": …}.');
      return [];
    }
    return [
      (call) => {
        const inner = call.scopes.findLast(({ kind }) => kind === 'Map');
        return inner !== undefined && isInside(ranges, inner.index);
      },
    ];
  }
  return Object.entries(value).flatMap(([state, given]) => {
    const ranges = parseRanges(given as Json);
    if (ranges === null) {
      problems.error(at(pointer, state), 'Must be a number, "1-2", "3+" or a list.');
      return [];
    }
    return [
      (call: Call) =>
        call.scopes.some((scope) => scope.state === state && isInside(ranges, scope.index)),
    ];
  });
}

function readWhen(value: Json, pointer: string, problems: Problems): Condition {
  if (typeof value !== 'string' || !isExpression(value)) {
    return (call) => includesJson(call.input, value);
  }
  try {
    const holds = compilePredicate(value, pointer);
    return (call) => holds(callBindings(call), call.at);
  } catch (error) {
    problems.error(pointer, `Not a JSONata expression: ${messageOf(error)}`);
    return () => false;
  }
}

function readAnswers(
  rule: JsonObject,
  pointer: string,
  shared: Shared,
  context: RuleContext,
): readonly Rule[] {
  const { problems } = context;
  const sequence = getOwn(rule, 'sequence');
  const last = getOwn(rule, 'last') ?? 'repeat';
  if (!['repeat', 'cycle', 'fail'].includes(last as string)) {
    problems.error(at(pointer, 'last'), 'Must be "repeat", "cycle" or "fail".');
  }
  const results: { pointer: string; value: Json }[] = [];
  const parts = sequence === undefined ? [rule] : isArray(sequence) ? sequence : [];
  if (sequence !== undefined) checkSequence(rule, sequence, pointer, problems);
  const answers = parts.flatMap((part, index): AnswerOf[] => {
    const place = sequence === undefined ? pointer : at(at(pointer, 'sequence'), index);
    if (!isObject(part)) {
      problems.error(place, 'Must be an object such as {"return": …}.');
      return [];
    }
    if (sequence !== undefined) {
      problems.unknownKeys(part, [...OUTCOMES, ...TIMING, 'times', 'comment'], place);
    }
    const constant = getOwn(part, 'return');
    if (constant !== undefined) results.push({ pointer: at(place, 'return'), value: constant });
    const answer = readAnswer(part, place, context);
    const repeat = sequence === undefined ? 1 : (getOwn(part, 'times') ?? 1);
    if (!Number.isInteger(repeat) || (repeat as number) < 1 || (repeat as number) > MAX_RULES) {
      problems.error(at(place, 'times'), `Must be a whole number from 1 to ${MAX_RULES}.`);
      return [];
    }
    return answer === null ? [] : Array.from({ length: repeat as number }, () => answer);
  });
  if (answers.length === 0) return [];
  const kinds = Object.hasOwn(rule, 'items') ? (['item-reader'] as const) : null;
  return [{ ...shared, pointer, kinds, answers, last: last as Rule['last'], results }];
}

function checkSequence(
  rule: JsonObject,
  sequence: Json,
  pointer: string,
  problems: Problems,
): void {
  const other = OUTCOMES.find((key) => Object.hasOwn(rule, key));
  if (other !== undefined)
    problems.error(at(pointer, other), '"sequence" has the answers already.');
  if (!isArray(sequence) || sequence.length === 0) {
    problems.error(at(pointer, 'sequence'), 'Must be a list with at least one answer.');
  }
}

function readAnswer(part: JsonObject, pointer: string, context: RuleContext): AnswerOf | null {
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
