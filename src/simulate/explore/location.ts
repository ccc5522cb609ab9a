/** Places in JSON values as lists of steps: read, written and taken away without touching the original. */
import {
  getOwn,
  hasOwn,
  isArray,
  isObject,
  type Json,
  setOwn,
  shallowCopy,
} from '../../lib/json.js';

export type Step = string | number;
export type Location = readonly Step[];

/** What is written to take a member away. */
export const ABSENT = Symbol('absent');
export type Wanted = Json | typeof ABSENT;

/** Our reason: an index far outside would make a list of nothing. */
const MAX_INDEX = 1000;

export function readAt(value: Json | undefined, location: Location): Json | undefined {
  let at = value;
  for (const step of location) {
    if (typeof step === 'number') at = isArray(at) ? at.at(step) : undefined;
    else at = isObject(at) ? getOwn(at, step) : undefined;
    if (at === undefined) return undefined;
  }
  return at;
}

/**
 * A copy with `wanted` at the place; objects and lists on the way are made. `spread`: in every element
 * of the lists on the way, not in one.
 */
export function writeAt(
  value: Json | undefined,
  location: Location,
  wanted: Wanted,
  spread = false,
): Json {
  const [step, ...rest] = location;
  if (step === undefined) return wanted === ABSENT ? {} : wanted;
  if (typeof step === 'number') {
    if (spread && rest.length > 0 && isArray(value) && value.length > 0) {
      return value.map((one) => writeAt(one, rest, wanted, spread));
    }
    return writeIndex(value, step, rest, wanted, spread);
  }
  const copy = isObject(value) ? shallowCopy(value) : {};
  if (rest.length === 0 && wanted === ABSENT) {
    delete copy[step];
    return copy;
  }
  if (wanted === ABSENT && !hasOwn(copy, step)) return copy;
  setOwn(copy, step, writeAt(getOwn(copy, step), rest, wanted, spread));
  return copy;
}

function writeIndex(
  value: Json | undefined,
  step: number,
  rest: Location,
  wanted: Wanted,
  spread: boolean,
): readonly Json[] {
  const copy = isArray(value) ? [...value] : [];
  const index = Math.min(step < 0 ? Math.max(0, copy.length + step) : step, MAX_INDEX);
  if (rest.length === 0 && wanted === ABSENT) {
    copy.splice(index);
    return copy;
  }
  while (copy.length < index) copy.push(copy[0] ?? {});
  copy[index] = writeAt(copy[index], rest, wanted, spread);
  return copy;
}

export function startsWith(location: Location, prefix: Location): boolean {
  return prefix.length <= location.length && prefix.every((step, i) => step === location[i]);
}

/** `$.a.b[0]` for people. */
export function locationText(location: Location, root = '$'): string {
  return location.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return /^[A-Za-z_][\w-]*$/.test(step) ? `${text}.${step}` : `${text}['${step}']`;
  }, root);
}
