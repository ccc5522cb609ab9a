/**
 * The functions AWS adds to JSONata and the ones it changes. Rules measured on AWS: numbers
 * round towards zero, a missing argument gives nothing, `$eval` is not there at all. Chance
 * reaches a function through the evaluation's own bindings.
 */
import type { Expression, Focus } from 'jsonata';
import { HASH_ALGORITHMS, hashText } from '../lib/digest.js';
import { canonicalJson, exceedsDepth, type Json } from '../lib/json.js';
import { javaRandom } from './java.js';
import { registerLoops } from './jsonata-loops.js';
import { charge, MEMORY_EXCEEDED } from './jsonata-pace.js';
import { JSONATA_SEQUENCE, JSONATA_STRING, MAX_NESTING } from './limits.js';
import type { Chance } from './scope.js';
import { parseStrictJson } from './strict-json.js';

/** A name no expression can spell. */
export const CHANCE = '\u0000chance';

/** What jsonata throws and turns into a message: D3137 carries any text. */
function failure(message: string) {
  return { code: 'D3137', message };
}

type Thrown = { readonly code: string } & Record<string, unknown>;

export function registerFunctions(expression: Expression): void {
  expression.registerFunction('partition', partition, '<xn?:a>');
  expression.registerFunction('range', range, '<nnn?:a>');
  expression.registerFunction('hash', hash, '<ss?:s>');
  expression.registerFunction('random', random, '<n?:n>');
  expression.registerFunction('uuid', uuid, '<:s>');
  expression.registerFunction('parse', parse, '<s?:x>');
  expression.registerFunction('shuffle', shuffle, '<a:a>');
  expression.registerFunction('base64decode', base64decode, '<s-:s>');
  expression.registerFunction('distinct', distinct, '<x:x>');
  expression.registerFunction('pad', pad, '<s-ns?:s>');
  expression.registerFunction('millis', millis, '<:n>');
  expression.registerFunction('now', now, '<s?s?:s>');
  registerLoops(expression);
  expression.assign('eval', undefined);
}

function chanceOf(focus: Focus): Chance {
  return focus.environment.lookup(CHANCE) as Chance;
}

function partition(array: unknown, size: unknown): unknown {
  if (array === undefined) return undefined;
  if (array === null) {
    throw { code: 'T0412', index: 1, token: 'partition', type: 'arrays' } satisfies Thrown;
  }
  const items: readonly unknown[] = Array.isArray(array) ? array : [array];
  if (items.length === 0) return undefined;
  if (typeof size !== 'number') return [[...items]];
  const chunk = Math.trunc(size);
  if (chunk < 0) throw failure('Second argument must be zero or greater');
  if (chunk === 0) return undefined;
  const chunks: unknown[] = [];
  for (let i = 0; i < items.length; i += chunk) chunks.push(items.slice(i, i + chunk));
  return chunks;
}

/** Recorded: a range of one number is that number, which is what a jsonata sequence does. */
function range(first: unknown, last: unknown, step: unknown): unknown {
  if (typeof first !== 'number' || typeof last !== 'number' || typeof step !== 'number') {
    return undefined;
  }
  const [from, to, by] = [Math.trunc(first) + 0, Math.trunc(last), Math.trunc(step)];
  if (by === 0) return undefined;
  const count = Math.floor((to - from) / by) + 1;
  if (!(count >= 1)) return undefined;
  if (count > JSONATA_SEQUENCE) throw new RangeError(MEMORY_EXCEEDED);
  const numbers = Array.from({ length: count }, (_, i) => from + i * by);
  return Object.assign(numbers, { sequence: true });
}

function hash(text: unknown, algorithm: unknown): unknown {
  if (typeof text !== 'string' || typeof algorithm !== 'string') return undefined;
  const known = HASH_ALGORITHMS.find((name) => name === algorithm);
  if (known === undefined) throw failure(`Unsupported hash algorithm: ${algorithm}`);
  return hashText(text, known);
}

function random(this: Focus, seed: unknown): unknown {
  if (typeof seed !== 'number' || !Number.isFinite(seed)) return chanceOf(this).random();
  return javaRandom(seed).nextDouble();
}

function uuid(this: Focus): unknown {
  return chanceOf(this).uuid();
}

function parse(text: unknown): unknown {
  if (typeof text !== 'string') return undefined;
  const value = parseStrictJson(text);
  if (value === undefined || exceedsDepth(value, MAX_NESTING)) throw failure('Invalid JSON');
  return value;
}

function shuffle(this: Focus, array: unknown): unknown {
  if (!Array.isArray(array)) return array;
  const chance = chanceOf(this);
  const items: Json[] = [...array];
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = Math.floor(chance.random() * (i + 1));
    [items[i], items[j]] = [items[j] as Json, items[i] as Json];
  }
  return items;
}

/** Measured on AWS: text that is not Base64 is an internal error; jsonata's own overlooks it. */
function base64decode(text: unknown): unknown {
  return typeof text === 'string' ? atob(text) : undefined;
}

/** jsonata's own builds the padding whatever its width. */
function pad(this: Focus, text: unknown, width: unknown, characters: unknown): unknown {
  if (typeof text !== 'string' || typeof width !== 'number') return undefined;
  if (Math.abs(width) > JSONATA_STRING) throw new RangeError(MEMORY_EXCEEDED);
  const missing = Math.trunc(Math.abs(width)) - [...text].length;
  if (missing <= 0) return text;
  charge(this.environment, missing);
  const fill = typeof characters === 'string' && characters !== '' ? [...characters] : [' '];
  let padding = fill.join('').repeat(Math.floor(missing / fill.length));
  padding += fill.slice(0, missing % fill.length).join('');
  return width < 0 ? padding + text : text + padding;
}

/** jsonata's own compares each value with every other one, which takes minutes for a long array. */
function distinct(array: unknown): unknown {
  if (!Array.isArray(array) || array.length <= 1) return array;
  const seen = new Set<unknown>();
  const kept = array.filter((value: unknown) => {
    const identity = identityOf(value);
    return seen.has(identity) ? false : seen.add(identity);
  });
  const { sequence } = array as { readonly sequence?: unknown };
  return sequence === true ? Object.assign(kept, { sequence }) : kept;
}

/** Equal values have the same identity; text cannot be taken for a value that is written alike. */
function identityOf(value: unknown): unknown {
  if (typeof value === 'string') return `s${value}`;
  if (typeof value !== 'object' || value === null || '_jsonata_lambda' in value) return value;
  return `o${canonicalJson(value as Json)}`;
}

function millis(this: Focus): unknown {
  return chanceOf(this).now ?? this.environment.timestamp.getTime();
}

function now(this: Focus, picture: unknown, timezone: unknown): unknown {
  const time = millis.call(this) as number;
  const format = this.environment.lookup('fromMillis') as { implementation: typeof formatMillis };
  return format.implementation(time, picture, timezone);
}

declare function formatMillis(time: number, picture: unknown, timezone: unknown): unknown;
