/**
 * One row per intrinsic function: how many arguments it takes and what it does. Every rule that
 * looks odd was recorded or measured on AWS: whole-number arguments are truncated except in
 * MathAdd, which rounds as Java does; a wrong argument is always "Invalid arguments in <name>".
 */
import { HASH_ALGORITHMS, hashText } from '../lib/digest.js';
import { deepEqual, isArray, isObject, type Json, setOwn, shallowCopy } from '../lib/json.js';
import { javaRandom, javaRound, javaSetOrder, javaText } from './java.js';
import { MAX_INTRINSIC_CHARACTERS, MAX_RANGE_ITEMS } from './limits.js';
import type { Chance } from './scope.js';

interface IntrinsicFunction {
  readonly least: number;
  readonly most: number;
  readonly run: (args: readonly Json[], chance: Chance) => Json;
}

/** A function that cannot be applied; its message follows "had the following error: ". */
export class IntrinsicFailure extends Error {
  override readonly name = 'IntrinsicFailure';
}

const MIN_INT = -(2 ** 31);
const MAX_INT = 2 ** 31 - 1;

export const FUNCTIONS = {
  'States.Format': {
    least: 1,
    most: Number.POSITIVE_INFINITY,
    run: ([template, ...values]) => format(text(template, 'States.Format'), values),
  },
  'States.StringToJson': { least: 1, most: 1, run: ([value]) => stringToJson(value) },
  'States.JsonToString': { least: 1, most: 1, run: ([value]) => JSON.stringify(value) },
  'States.Array': { least: 0, most: Number.POSITIVE_INFINITY, run: (args) => args },
  'States.ArrayPartition': {
    least: 2,
    most: 2,
    run: ([array, size]) => partition(array, size),
  },
  'States.ArrayContains': {
    least: 2,
    most: 2,
    run: ([array, value]) =>
      list(array, 'States.ArrayContains').some((item) => deepEqual(item, value as Json)),
  },
  'States.ArrayRange': { least: 3, most: 3, run: (args) => range(args) },
  'States.ArrayGetItem': { least: 2, most: 2, run: ([array, index]) => getItem(array, index) },
  'States.ArrayLength': {
    least: 1,
    most: 1,
    run: ([array]) => list(array, 'States.ArrayLength').length,
  },
  'States.ArrayUnique': {
    least: 1,
    most: 1,
    run: ([array]) => javaSetOrder(list(array, 'States.ArrayUnique')),
  },
  'States.Base64Encode': {
    least: 1,
    most: 1,
    run: ([value]) =>
      Buffer.from(shortText(value, 'States.Base64Encode'), 'utf8').toString('base64'),
  },
  'States.Base64Decode': {
    least: 1,
    most: 1,
    // Measured on AWS: characters outside the alphabet and missing padding are overlooked.
    run: ([value]) =>
      Buffer.from(shortText(value, 'States.Base64Decode'), 'base64').toString('utf8'),
  },
  'States.Hash': { least: 2, most: 2, run: ([data, algorithm]) => hash(data, algorithm) },
  'States.JsonMerge': { least: 3, most: 3, run: ([left, right, deep]) => merge(left, right, deep) },
  'States.MathRandom': { least: 2, most: 3, run: mathRandom },
  'States.MathAdd': { least: 2, most: 2, run: ([left, right]) => mathAdd(left, right) },
  'States.StringSplit': {
    least: 2,
    most: 2,
    run: ([value, delimiters]) => split(value, delimiters),
  },
  'States.UUID': { least: 0, most: 0, run: (_, chance) => chance.uuid() },
} as const satisfies Record<string, IntrinsicFunction>;

export type IntrinsicName = keyof typeof FUNCTIONS;

export function isIntrinsicName(name: string): name is IntrinsicName {
  return Object.hasOwn(FUNCTIONS, name);
}

function invalid(name: string, detail = ''): never {
  throw new IntrinsicFailure(`Invalid arguments in ${name}${detail}`);
}

function list(value: Json | undefined, name: string): readonly Json[] {
  return isArray(value) ? value : invalid(name);
}

function text(value: Json | undefined, name: string): string {
  return typeof value === 'string' ? value : invalid(name);
}

function shortText(value: Json | undefined, name: string): string {
  const string = text(value, name);
  return isShort(string) ? string : invalid(name);
}

/** The limit counts characters, not UTF-16 units. */
function isShort(string: string): boolean {
  if (string.length <= MAX_INTRINSIC_CHARACTERS) return true;
  if (string.length > 2 * MAX_INTRINSIC_CHARACTERS) return false;
  return [...string].length <= MAX_INTRINSIC_CHARACTERS;
}

function integer(value: Json | undefined, name: string): number {
  return typeof value === 'number' ? Math.trunc(value) + 0 : invalid(name);
}

/** `{}` takes the next value; `\{`, `\}` and `\\` are the characters themselves. */
function format(template: string, values: readonly Json[]): string {
  let result = '';
  let used = 0;
  for (let i = 0; i < template.length; i += 1) {
    const character = template[i] as string;
    if (character === '\\') {
      i += 1;
      if (i >= template.length) return invalid('States.Format');
      result += template[i];
    } else if (character === '{') {
      if (template[i + 1] !== '}') badTemplate();
      if (used < values.length) result += javaText(values[used] as Json);
      used += 1;
      i += 1;
    } else if (character === '}') badTemplate();
    else result += character;
  }
  if (used === values.length) return result;
  return invalid('States.Format', ': number of arguments do not match the occurrences of {}.');
}

function badTemplate(): never {
  throw new IntrinsicFailure("Invalid template in States.Format: matching '}' not found for '{'.");
}

function stringToJson(value: Json | undefined): Json {
  const string = text(value, 'States.StringToJson');
  // Recorded: blank text is null.
  if (string.trim() === '') return null;
  try {
    return (JSON.parse(string) as Json) === 0 ? 0 : (JSON.parse(string) as Json);
  } catch {
    return invalid('States.StringToJson');
  }
}

function partition(array: Json | undefined, size: Json | undefined): Json {
  const items = list(array, 'States.ArrayPartition');
  const chunk = integer(size, 'States.ArrayPartition');
  if (chunk < 1) return invalid('States.ArrayPartition');
  const chunks: Json[] = [];
  for (let i = 0; i < items.length; i += chunk) chunks.push(items.slice(i, i + chunk));
  return chunks;
}

function range(args: readonly Json[]): Json {
  const [first, last, step] = args.map((value) => integer(value, 'States.ArrayRange')) as [
    number,
    number,
    number,
  ];
  if (step === 0) return invalid('States.ArrayRange');
  const count = Math.max(0, Math.floor((last - first) / step) + 1);
  if (!(count <= MAX_RANGE_ITEMS)) return invalid('States.ArrayRange');
  return Array.from({ length: count }, (_, i) => first + i * step);
}

function getItem(array: Json | undefined, index: Json | undefined): Json {
  const items = list(array, 'States.ArrayGetItem');
  const at = integer(index, 'States.ArrayGetItem');
  // Measured on AWS: nothing is an error in an empty array.
  if (items.length === 0) return null;
  return items[at] ?? (at >= 0 && at < items.length ? null : invalid('States.ArrayGetItem'));
}

function hash(data: Json | undefined, algorithm: Json | undefined): Json {
  const known = HASH_ALGORITHMS.find((name) => name === algorithm);
  const string = typeof data === 'string' ? data : JSON.stringify(data);
  if (known === undefined || !isShort(string)) return invalid('States.Hash');
  return hashText(string, known);
}

/** Only the shallow mode exists; measured on AWS: any flag but `true` means it. */
function merge(left: Json | undefined, right: Json | undefined, deep: Json | undefined): Json {
  if (!isObject(left) || !isObject(right) || deep === true) return invalid('States.JsonMerge');
  const merged = shallowCopy(left);
  for (const key of Object.keys(right)) setOwn(merged, key, right[key] as Json);
  return merged;
}

function mathRandom(args: readonly Json[], chance: Chance): Json {
  const [start, end, seed] = args.map((value) => integer(value, 'States.MathRandom'));
  if (start === undefined || end === undefined) return invalid('States.MathRandom');
  const width = end - start;
  if (!(width >= 1) || !Number.isSafeInteger(width)) return invalid('States.MathRandom');
  if (seed === undefined) return start + Math.floor(chance.random() * width);
  if (!Number.isFinite(seed)) return invalid('States.MathRandom');
  const random = javaRandom(seed);
  if (width <= MAX_INT) return start + random.nextInt(width);
  return start + Math.floor(random.nextDouble() * width);
}

function mathAdd(left: Json | undefined, right: Json | undefined): Json {
  if (typeof left !== 'number' || typeof right !== 'number') return invalid('States.MathAdd');
  const [a, b] = [javaRound(left), javaRound(right)];
  if (![a, b, a + b].every((value) => value >= MIN_INT && value <= MAX_INT)) {
    return invalid('States.MathAdd');
  }
  return a + b;
}

/** Every character of the second argument separates; empty pieces are dropped. */
function split(value: Json | undefined, delimiters: Json | undefined): Json {
  const separators = new Set(text(delimiters, 'States.StringSplit'));
  const pieces: string[] = [];
  let piece = '';
  for (const character of text(value, 'States.StringSplit')) {
    if (!separators.has(character)) piece += character;
    else if (piece !== '') {
      pieces.push(piece);
      piece = '';
    }
  }
  if (piece !== '') pieces.push(piece);
  return pieces;
}
