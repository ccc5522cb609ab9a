/**
 * A plausible answer of a service from its API model: what AWS documents as the shape, filled with
 * values that mean success, and nothing that asks for more (no next page, no error, no failure).
 */
import { assertNever } from '../../lib/assert.js';
import { fromEntries, type Json } from '../../lib/json.js';
import type { TaskResource } from '../../core/fact.js';
import { loadModel, type Model, type Shape } from '../../wire/service-outputs/model.js';
import { operationOf } from '../../wire/service-outputs/operation.js';

/** Our reason: enough to see a shape, never a flood. */
const MAX_DEPTH = 4;
const MAX_VALUES = 300;

/** Members that would make a machine go on for ever or fail. */
const UNWANTED =
  /(token|marker|lastevaluated|cursor|truncated|hasmore|error|failure|failed|exception|unprocessed|fault|rejected|canceled|cancelled|stopped|sdkhttp|sdkresponse|responsemetadata)/i;
export const SUCCESS =
  /^(succe|complet|done|ok$|active|available|finish|approved|accept|ready|created|inservice|in_service|enabled|pass|true|yes|healthy|running)/i;
export const FAILURE =
  /(fail|error|abort|cancel|time.?out|reject|stop|invalid|delet|denied|false|not)/i;

/** Null where no model says what the answer is. */
export function plausibleAnswer(resource: TaskResource): Json | null {
  const operation = operationOf(resource);
  const model = operation === null ? null : loadModel(operation.service);
  if (operation === null || model === null) return null;
  const index = Object.hasOwn(model.operations, operation.action)
    ? model.operations[operation.action]
    : undefined;
  if (index === undefined) return null;
  return valueFor(index, { model, depth: 0, name: operation.action, left: { count: MAX_VALUES } });
}

interface Filling {
  readonly model: Model;
  readonly depth: number;
  readonly name: string;
  readonly left: { count: number };
}

function valueFor(index: number, filling: Filling): Json {
  const { depth, left, model, name } = filling;
  left.count--;
  const shape: Shape = model.shapes[index] ?? 'any';
  if (typeof shape === 'string') return plainValue(shape, name);
  if ('object' in shape) {
    if (depth >= MAX_DEPTH || left.count <= 0) return {};
    const required = new Set(shape.required ?? []);
    const members = Object.entries(shape.object).filter(
      ([member]) => required.has(member) || !UNWANTED.test(member),
    );
    return fromEntries(
      members.flatMap(([member, inner]): [string, Json][] =>
        left.count <= 0 && !required.has(member)
          ? []
          : [[member, valueFor(inner, { ...filling, depth: depth + 1, name: member })]],
      ),
    );
  }
  if ('array' in shape) {
    const isDeep = depth >= MAX_DEPTH || left.count <= 0;
    const singular = name.replace(/s$/, '');
    return isDeep ? [] : [valueFor(shape.array, { ...filling, depth: depth + 1, name: singular })];
  }
  if ('map' in shape) return {};
  if ('number' in shape) return within(numberFor(name), shape.number);
  if ('enum' in shape) {
    const fine = shape.enum.find((value) => SUCCESS.test(value));
    return fine ?? shape.enum.find((value) => !FAILURE.test(value)) ?? (shape.enum[0] as string);
  }
  const bounds = 'string' in shape ? shape.string : shape.blob;
  return stretched(textFor(name), bounds);
}

function plainValue(shape: 'any' | 'string' | 'number' | 'boolean', name: string): Json {
  switch (shape) {
    case 'any':
      return {};
    case 'string':
      return textFor(name);
    case 'number':
      return numberFor(name);
    case 'boolean':
      return false;
    default:
      return assertNever(shape);
  }
}

export function textFor(name: string): string {
  if (/arn$/i.test(name))
    return `arn:aws:service:us-east-1:123456789012:${name.replace(/arn$/i, '') || 'resource'}`;
  if (/^(date|time|timestamp)$|[a-z](At|On)$/.test(name) || /(Date|Time)/.test(name))
    return '2026-01-01T00:00:00Z';
  if (/status|state$/i.test(name)) return 'SUCCEEDED';
  if (/url|uri$/i.test(name)) return `https://example.com/${name}`;
  if (/id$/i.test(name)) return `${name}-0001`;
  return name;
}

export function numberFor(name: string): number {
  if (/status.?code$/i.test(name)) return 200;
  return /(failed|error|unprocessed|exit)/i.test(name) ? 0 : 1;
}

function within(value: number, [low, high]: readonly [number | null, number | null]): number {
  const raised = low !== null && value < low ? low : value;
  return high !== null && raised > high ? high : raised;
}

function stretched(text: string, [low, high]: readonly [number | null, number | null]): string {
  const long = low !== null && text.length < low ? text.padEnd(low, 'x') : text;
  return high !== null && long.length > high ? long.slice(0, high) : long;
}
