/**
 * One rule of a mock file: conditions (`when`, `attempt`, `call`, `index`, `item`), one outcome
 * (`return`, `payload`, `compute`, `throw`, `hang`, `unpolled`, `echo`, `function`, `items`, or a
 * `sequence` of these), and timing (`after`, `heartbeatEvery`). docs/testing.md is the reference.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { CONDITIONS, readConditions } from './conditions.js';
import { OUTCOMES, readAnswer, type RuleContext, TIMING } from './outcomes.js';
import type { AnswerOf, Condition, Rule } from './plan.js';
import { at, type Problems } from './problems.js';
import { isInside, parseRanges } from './ranges.js';

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
  const conditions = readConditions(value, pointer, problems);
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
