/** The functions Jayway allows at the end of a path: `$.items.length()`, `$..price.sum()`. */
import { isArray, isObject, type Json } from '../lib/json.js';
import { evaluatePath, PathMiss } from './path-evaluate.js';
import type { Parameters, PathFunction } from './path-parser.js';

export function applyPathFunction(
  name: PathFunction,
  value: Json,
  parameters: Parameters,
  root: Json,
): Json {
  const extra = parameters.flatMap((parameter) => parameterValues(parameter, value, root));
  switch (name) {
    case 'length':
    case 'size':
      return lengthOf(parameters.length > 0 ? extra : value);
    case 'keys':
      return isObject(value) ? Object.keys(value) : null;
    case 'concat':
      return [...(isArray(value) ? value : []), ...extra].filter(isText).join('');
    case 'append':
      return isArray(value) ? [...value, ...extra] : value;
    case 'first':
      return itemAt(value, 0);
    case 'last':
      return itemAt(value, -1);
    case 'index':
      return itemAt(value, typeof extra[0] === 'number' ? extra[0] : 0);
    default:
      return aggregate(name, [...(isArray(value) ? value : []), ...extra]);
  }
}

function parameterValues(parameter: Parameters[number], value: Json, root: Json): readonly Json[] {
  if ('literal' in parameter) return [parameter.literal as Json];
  const { tokens, root: from } = parameter.path;
  const selection = evaluatePath(tokens, from === 'item' ? value : root, root);
  if (!selection.found) throw new PathMiss(selection.reason);
  return isArray(selection.value) ? selection.value : [selection.value];
}

function lengthOf(value: Json): Json {
  if (isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : null;
}

function itemAt(value: Json, index: number): Json {
  const item = isArray(value) ? value.at(index) : undefined;
  if (item === undefined) throw new PathMiss('Aggregation function attempted to calculate value');
  return item;
}

function isText(value: Json): value is string {
  return typeof value === 'string';
}

type Aggregation = 'min' | 'max' | 'avg' | 'sum' | 'stddev';

function aggregate(name: Aggregation, values: readonly Json[]): number {
  const numbers = values.filter((value) => typeof value === 'number');
  if (numbers.length === 0) {
    throw new PathMiss('Aggregation function attempted to calculate value using empty array');
  }
  const sum = numbers.reduce((total, value) => total + value, 0);
  const mean = sum / numbers.length;
  switch (name) {
    case 'sum':
      return sum;
    case 'avg':
      return mean;
    case 'min':
      return numbers.reduce((a, b) => Math.min(a, b));
    case 'max':
      return numbers.reduce((a, b) => Math.max(a, b));
    case 'stddev':
      return Math.sqrt(
        numbers.reduce((total, value) => total + (value - mean) ** 2, 0) / numbers.length,
      );
  }
}
