/**
 * What every source delivers, whatever its format: rows and broken rows with their place.
 * Batches, not single rows, cross the async boundary: it is ten times cheaper.
 */
import { canonicalJson, exceedsDepth, isObject, type Json, setOwn } from '../../lib/json.js';
import { BAD_ROW_CHARACTERS_SHOWN, CELL_DEPTH_MAX } from './limits.js';

/** A cell of the canonical dataset. Nested JSON is kept as its canonical text. */
export type Cell = string | number | boolean | null;
export type Row = { readonly [column: string]: Cell };

export type GoodRecord = { readonly kind: 'row'; readonly line: number; readonly row: Row };
export type BadRecord = {
  readonly kind: 'bad';
  readonly line: number;
  readonly problem: string;
  readonly text: string;
};
export type SourceRecord = GoodRecord | BadRecord;
export type Batches = AsyncIterable<readonly SourceRecord[]>;

export interface RecordStream {
  /** Column names when the source knows them before its first row. */
  readonly columns: readonly string[] | null;
  /** What `line` counts: `line` of a text file, `row` of a table, `element` of an array. */
  readonly unit: string;
  /** False when every cell arrives as text (CSV). */
  readonly typed: boolean;
  readonly batches: Batches;
}

export function badRecord(line: number, problem: string, text: string): BadRecord {
  return { kind: 'bad', line, problem, text: text.slice(0, BAD_ROW_CHARACTERS_SHOWN) };
}

/** One parsed JSON value as a record: an object whose nested values become canonical text. */
export function recordOfJson(value: Json, line: number, text: string): SourceRecord {
  if (!isObject(value)) {
    return badRecord(line, `expected an object, found ${nameOfKind(value)}`, text);
  }
  if (exceedsDepth(value, CELL_DEPTH_MAX)) {
    return badRecord(line, `nested deeper than ${CELL_DEPTH_MAX} levels`, text);
  }
  const row: Record<string, Json> = {};
  for (const column of Object.keys(value)) {
    const cell = value[column] as Json;
    if (typeof cell === 'number' && !Number.isFinite(cell)) {
      return badRecord(line, `the number in "${column}" is too large`, text);
    }
    setOwn(row, column, cellOf(cell));
  }
  return { kind: 'row', line, row: row as Row };
}

function cellOf(value: Json): Cell {
  return typeof value === 'object' && value !== null ? canonicalJson(value) : value;
}

export function nameOfKind(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** `12.50` as a number when nothing is lost by it, else the text itself. */
export function numberOrText(text: string): number | string {
  return isPlainNumber(text) ? Number(text) : text;
}

const PLAIN_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$/;

/** A number a double holds without rounding: no leading zeros (codes), at most 15 digits. */
export function isPlainNumber(text: string): boolean {
  if (text.length > 32 || !PLAIN_NUMBER.test(text)) return false;
  const mantissa = text.split(/[eE]/)[0] as string;
  const digits = mantissa.replace(/[-.]/g, '').replace(/^0+/, '');
  return digits.length <= 15 && Number.isFinite(Number(text)) && !Object.is(Number(text), -0);
}
