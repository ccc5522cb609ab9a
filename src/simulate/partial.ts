/** Partial comparison: every member that is wanted is there and fits; what else is there does not matter. */
import { deepEqual, getOwn, isArray, isObject, type Json } from '../lib/json.js';

/** Objects by their wanted members, arrays element by element, all else exactly. */
export function includesJson(actual: Json | undefined, wanted: Json): boolean {
  if (actual === undefined) return false;
  if (isObject(wanted)) {
    if (!isObject(actual)) return false;
    return Object.entries(wanted).every(([key, value]) =>
      includesJson(getOwn(actual, key), value as Json),
    );
  }
  if (isArray(wanted)) {
    if (!isArray(actual) || actual.length !== wanted.length) return false;
    return wanted.every((value, index) => includesJson(actual[index], value));
  }
  return deepEqual(actual, wanted);
}
