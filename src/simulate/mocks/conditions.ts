/** When a rule of a mock file answers: `when`, `attempt`, `call`, `index`, `item`. */
import { isExpression } from '../../expr/jsonata.js';
import { getOwn, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { Call } from '../call.js';
import { includesJson } from '../partial.js';
import { callBindings, compilePredicate } from './bindings.js';
import { messageOf } from './outcomes.js';
import type { Condition } from './plan.js';
import { at, type Problems } from './problems.js';
import { isInside, parseRanges } from './ranges.js';

export const CONDITIONS = ['when', 'attempt', 'call', 'index', 'item'] as const;

export function readConditions(
  rule: JsonObject,
  pointer: string,
  problems: Problems,
): readonly Condition[] {
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
