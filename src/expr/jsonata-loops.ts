/**
 * JSONata's functions that go over many values, with the event loop in mind: jsonata's own run to
 * their end however long that takes, when the function they call is a built-in one.
 */
import type { Expression, Focus } from 'jsonata';
import { charge, MEMORY_EXCEEDED, pace } from './jsonata-pace.js';
import { JSONATA_STRING } from './limits.js';

type Callback = ((...values: unknown[]) => unknown) & { readonly arity?: number };
type Loop = Focus & { createSequence(): unknown[] };
type Thrown = { readonly code: string } & Record<string, unknown>;
type Values = Readonly<Record<string, unknown>>;

export function registerLoops(expression: Expression): void {
  const register = (name: string, work: unknown, signature: string): void => {
    expression.registerFunction(name, work as () => unknown, signature);
  };
  register('map', map, '<af>');
  register('filter', filter, '<af>');
  register('reduce', reduce, '<afj?:j>');
  register('each', each, '<o-f:a>');
  register('sift', sift, '<o-f?:o>');
  register('sort', sort, '<af?:a>');
  register('replace', replace, '<s-(sf)(sf)n?:s>');
}

/** A callback gets as many arguments as it takes. */
function call(work: Callback, values: readonly unknown[]): unknown {
  const arity = work.arity ?? work.length;
  return work(...values.slice(0, Math.max(1, arity)));
}

async function map(this: Loop, items: unknown[] | undefined, work: Callback): Promise<unknown> {
  if (items === undefined) return undefined;
  const results = this.createSequence();
  for (const [i, item] of items.entries()) {
    const pause = pace(this.environment);
    if (pause !== undefined) await pause;
    const result = await call(work, [item, i, items]);
    if (result !== undefined) results.push(result);
  }
  return results;
}

async function filter(this: Loop, items: unknown[] | undefined, work: Callback): Promise<unknown> {
  if (items === undefined) return undefined;
  const results = this.createSequence();
  for (const [i, item] of items.entries()) {
    const pause = pace(this.environment);
    if (pause !== undefined) await pause;
    if (isTrue(await call(work, [item, i, items]))) results.push(item);
  }
  return results;
}

async function reduce(
  this: Loop,
  items: unknown[] | undefined,
  work: Callback,
  initial: unknown,
): Promise<unknown> {
  if (items === undefined) return undefined;
  const arity = work.arity ?? work.length;
  if (arity < 2) throw { code: 'D3050', index: 1 } satisfies Thrown;
  const isSeeded = initial !== undefined || items.length === 0;
  let result = isSeeded ? initial : items[0];
  for (let i = isSeeded ? 0 : 1; i < items.length; i++) {
    const pause = pace(this.environment);
    if (pause !== undefined) await pause;
    result = await work(...[result, items[i], i, items].slice(0, arity));
  }
  return result;
}

async function each(this: Loop, value: Values | undefined, work: Callback): Promise<unknown> {
  if (value === undefined) return undefined;
  const results = this.createSequence();
  for (const key of Object.keys(value)) {
    const pause = pace(this.environment);
    if (pause !== undefined) await pause;
    const result = await call(work, [value[key], key, value]);
    if (result !== undefined) results.push(result);
  }
  return results;
}

async function sift(this: Loop, value: Values | undefined, work: Callback): Promise<unknown> {
  if (value === undefined) return undefined;
  const kept: (readonly [string, unknown])[] = [];
  for (const key of Object.keys(value)) {
    const pause = pace(this.environment);
    if (pause !== undefined) await pause;
    if (isTrue(await call(work, [value[key], key, value]))) kept.push([key, value[key]]);
  }
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

/** JSONata's idea of truth: an array is true when one of its members is. */
function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isTrue);
  if (typeof value !== 'object' || value === null) return Boolean(value) && !isFunction(value);
  return !isFunction(value) && Object.keys(value).length > 0;
}

function isFunction(value: unknown): boolean {
  const marks = value as {
    readonly _jsonata_function?: unknown;
    readonly _jsonata_lambda?: unknown;
  };
  return (
    typeof value === 'function' ||
    marks._jsonata_function === true ||
    marks._jsonata_lambda === true
  );
}

/** Stable; `work(a, b)` says that b comes before a. */
async function sort(this: Loop, items: unknown[] | undefined, work?: Callback): Promise<unknown> {
  if (items === undefined || items.length <= 1) return items;
  charge(this.environment, items.length);
  if (work === undefined) return sortPlain(items);
  let from: unknown[] = [...items];
  for (let width = 1; width < from.length; width *= 2) {
    const to: unknown[] = [];
    for (let start = 0; start < from.length; start += 2 * width) {
      await merge(this, { from, start, width, to }, work);
    }
    from = to;
  }
  return from;
}

interface Merge {
  readonly from: readonly unknown[];
  readonly start: number;
  readonly width: number;
  readonly to: unknown[];
}

/** Two sorted neighbours of `width` into one. */
async function merge(loop: Loop, { from, start, width, to }: Merge, work: Callback): Promise<void> {
  const middle = Math.min(start + width, from.length);
  const end = Math.min(start + 2 * width, from.length);
  let left = start;
  let right = middle;
  while (left < middle && right < end) {
    const pause = pace(loop.environment);
    if (pause !== undefined) await pause;
    const swap = isTrue(await work(from[left], from[right]));
    to.push(from[swap ? right++ : left++]);
  }
  while (left < middle) to.push(from[left++]);
  while (right < end) to.push(from[right++]);
}

function sortPlain(items: readonly unknown[]): unknown[] {
  if (items.every((item) => typeof item === 'number')) {
    return [...items].sort((a, b) => (a as number) - (b as number));
  }
  if (!items.every((item) => typeof item === 'string')) {
    throw { code: 'D3070', index: 1 } satisfies Thrown;
  }
  return [...(items as string[])].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

type Match = {
  readonly match: string;
  readonly start: number;
  readonly groups: readonly (string | undefined)[];
  next(): unknown;
};

async function replace(
  this: Loop,
  text: string | undefined,
  pattern: string | Callback,
  replacement: string | Callback,
  limit: number = Number.POSITIVE_INFINITY,
): Promise<unknown> {
  if (text === undefined) return undefined;
  if (pattern === '') throw { code: 'D3010', value: pattern, index: 2 } satisfies Thrown;
  if (limit < 0) throw { code: 'D3011', value: limit, index: 4 } satisfies Thrown;
  if (limit === 0) return text;
  const parts: string[] = [];
  let length = text.length;
  const add = (part: string): void => {
    length += part.length;
    if (length > 2 * JSONATA_STRING) throw new RangeError(MEMORY_EXCEEDED);
    parts.push(part);
  };
  let position = 0;
  if (typeof pattern === 'string') {
    let found = text.indexOf(pattern);
    for (let count = 0; found !== -1 && count < limit; count++) {
      add(text.slice(position, found));
      add(String(replacement));
      position = found + pattern.length;
      found = text.indexOf(pattern, position);
    }
    return [...parts, text.slice(position)].join('');
  }
  let match = (await pattern(text)) as Match | undefined;
  for (let count = 0; match !== undefined && count < limit; count++) {
    const pause = pace(this.environment);
    if (pause !== undefined) await pause;
    add(text.slice(position, match.start));
    const made: unknown =
      typeof replacement === 'string' ? substituted(replacement, match) : await replacement(match);
    if (typeof made !== 'string') throw { code: 'D3012', value: made } satisfies Thrown;
    add(made);
    position = match.start + match.match.length;
    match = (await match.next()) as Match | undefined;
  }
  parts.push(text.slice(position));
  return parts.join('');
}

/** `$$` is a dollar, `$0` the match, `$n` a group with as many digits as there are groups for. */
function substituted(replacement: string, { match, groups }: Match): string {
  return replacement.replace(/\$(\$|\d+)?/g, (all: string, rest: string | undefined) => {
    if (rest === undefined) return all;
    if (rest === '$') return '$';
    if (rest.startsWith('0')) return match + rest.slice(1);
    let digits = rest.slice(0, String(Math.max(1, groups.length)).length);
    if (digits.length > 1 && Number(digits) > groups.length) digits = digits.slice(0, -1);
    return (groups[Number(digits) - 1] ?? '') + rest.slice(digits.length);
  });
}
