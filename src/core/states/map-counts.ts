/**
 * The counts of a Map: MaxConcurrency, ToleratedFailureCount, MaxItems, … as constants, paths or
 * expressions, with the texts AWS was recorded with. A string of digits counts as the number
 * (conformance: MAP_STATE_REFERENCE_IN_MAX_CONCURRENCY_PATH and its siblings).
 */
import { expectType } from '../../expr/jsonata.js';
import { chain, type Eventually } from '../../lib/eventually.js';
import { getOwn, type Json, type JsonObject } from '../../lib/json.js';
import type { FrameScope } from '../context.js';
import { runtimeError } from '../failure.js';
import { compilePathSource, compileSource, readSource, type Source } from '../source.js';

export interface Count {
  readonly field: string;
  readonly source: Source;
  readonly kind: 'integer' | 'float';
  /** What is wrong with a number, or null. */
  complaint(value: number): string | null;
}

const INTEGER = /^[+-]?\d+$/;

export function compileCount(
  holder: JsonObject,
  field: string,
  language: string,
  { allowsNegative = false }: { readonly allowsNegative?: boolean } = {},
): Count | null {
  const source = compileField(holder, field, language);
  if (source === null) return null;
  return {
    field,
    source,
    kind: 'integer',
    complaint: (value) => (value < 0 && !allowsNegative ? negative(field, value) : null),
  };
}

function negative(field: string, value: number): string {
  return field === 'MaxConcurrency'
    ? `Expected non-negative integer for MaxConcurrency, got '${value}' instead.`
    : `${field} cannot be negative.`;
}

export function compilePercentage(
  holder: JsonObject,
  field: string,
  language: string,
): Count | null {
  const source = compileField(holder, field, language);
  if (source === null) return null;
  return {
    field,
    source,
    kind: 'float',
    complaint: (value) => (value < 0 || value > 100 ? `${field} must be between 0 and 100.` : null),
  };
}

function compileField(holder: JsonObject, field: string, language: string): Source | null {
  const path = getOwn(holder, `${field}Path`);
  if (typeof path === 'string') return compilePathSource(path);
  const value = getOwn(holder, field);
  return value === undefined ? null : compileSource(value, field, language);
}

/** Null when the field is absent. */
export function readCount(count: Count | null, scope: FrameScope): Eventually<number | null> {
  if (count === null) return null;
  return chain(readSource(count.source, scope), (value) => {
    const number = numberOf(count, value);
    const complaint = count.complaint(number);
    if (complaint !== null) throw runtimeError(complaint);
    return number;
  });
}

function numberOf(count: Count, value: Json): number {
  const { field, source, kind } = count;
  if (source.from === 'jsonata') {
    const expression = source.template.expression ?? '';
    return expectType(
      value,
      kind === 'integer' ? 'integer' : 'number',
      expression,
      field,
    ) as number;
  }
  const number = typeof value === 'string' ? parse(value, kind) : value;
  if (typeof number === 'number' && (kind === 'float' || Number.isInteger(number))) return number;
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  throw runtimeError(
    source.from === 'path'
      ? `The ${field}Path field refers to value "${shown}" which is not a valid ${kind}: ${source.path.text}`
      : `The ${field} field has value "${shown}" which is not a valid ${kind}`,
  );
}

function parse(text: string, kind: Count['kind']): number | null {
  if (kind === 'integer') return INTEGER.test(text) ? Number(text) : null;
  const number = Number(text);
  return text.trim() === '' || !Number.isFinite(number) ? null : number;
}
