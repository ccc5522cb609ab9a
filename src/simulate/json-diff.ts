/** Where two JSON values differ, place by place: what a failed expectation shows. */
import { deepEqual, getOwn, isArray, isObject, type Json } from '../lib/json.js';
import { at } from './mocks/problems.js';

export interface JsonDifference {
  readonly pointer: string;
  /** Undefined: not there. */
  readonly expected: Json | undefined;
  readonly actual: Json | undefined;
}

/** Our reason: enough to see what is wrong. */
const MAX_DIFFERENCES = 20;

/** `includes`: members that are not expected do not matter. */
export function jsonDifferences(
  expected: Json,
  actual: Json | undefined,
  mode: 'exact' | 'includes',
): readonly JsonDifference[] {
  const found: JsonDifference[] = [];
  compare(expected, actual, '', mode, found);
  return found;
}

function compare(
  expected: Json | undefined,
  actual: Json | undefined,
  pointer: string,
  mode: 'exact' | 'includes',
  found: JsonDifference[],
): void {
  if (found.length >= MAX_DIFFERENCES) return;
  if (isObject(expected) && isObject(actual)) {
    const extra = mode === 'exact' ? Object.keys(actual) : [];
    for (const key of new Set([...Object.keys(expected), ...extra])) {
      compare(getOwn(expected, key), getOwn(actual, key), at(pointer, key), mode, found);
    }
    return;
  }
  if (isArray(expected) && isArray(actual)) {
    const length = Math.max(expected.length, actual.length);
    for (let index = 0; index < length; index++) {
      compare(expected[index], actual[index], at(pointer, index), mode, found);
    }
    return;
  }
  const same =
    expected !== undefined && actual !== undefined
      ? deepEqual(expected, actual)
      : expected === actual;
  if (!same) found.push({ pointer, expected, actual });
}
