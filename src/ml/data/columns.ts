/**
 * The columns of a dataset: selection, renaming, casting, and what was seen in them. CSV knows only text;
 * a column becomes numbers or booleans only when every value of it survives that unchanged.
 */
import type { Json } from '../../lib/json.js';
import { setOwn } from '../../lib/json.js';
import { badFormat } from './data-failure.js';
import { COLUMNS_MAX } from './limits.js';
import {
  badRecord,
  type Cell,
  type GoodRecord,
  isPlainNumber,
  type Row,
  type SourceRecord,
} from './record.js';
import { didYouMeanInside } from '../../lib/suggest.js';

export const CASTS = ['string', 'number', 'integer', 'boolean', 'date', 'timestamp'] as const;
export type Cast = (typeof CASTS)[number];

/** Names to keep, in this order, or new name -> name in the source. */
export type Selection = readonly string[] | { readonly [name: string]: string };

export interface ColumnInfo {
  readonly name: string;
  readonly type: string;
  readonly nulls: number;
}

/** Output name and source name, or null for all columns as they are. */
export function pairsOf(selection: Selection | undefined): readonly [string, string][] | null {
  if (selection === undefined) return null;
  if (Array.isArray(selection)) return (selection as readonly string[]).map((n) => [n, n]);
  return Object.entries(selection as { readonly [name: string]: string });
}

export function checkSelected(
  pairs: readonly (readonly [string, string])[],
  known: Iterable<string>,
  place: string,
): void {
  const names = [...known];
  for (const [, from] of pairs) {
    if (names.includes(from)) continue;
    throw badFormat(
      `${place}: there is no column "${from}"${didYouMeanInside(from, names)}. It has: ${names.join(', ')}.`,
    );
  }
}

export function selectColumns(row: Row, pairs: readonly (readonly [string, string])[]): Row {
  const picked: Record<string, Json> = {};
  for (const [name, from] of pairs) {
    setOwn(picked, name, Object.hasOwn(row, from) ? (row[from] as Cell) : null);
  }
  return picked as Row;
}

/** Applies the casts a user wrote; a value that does not fit makes the row a broken one. */
export function castRow(
  record: GoodRecord,
  types: { readonly [column: string]: Cast },
): SourceRecord {
  const row: Record<string, Json> = { ...record.row };
  for (const column of Object.keys(types)) {
    if (!Object.hasOwn(record.row, column)) continue;
    const value = record.row[column] as Cell;
    const cast = types[column] as Cast;
    const result = castCell(value, cast);
    if (result === undefined) {
      const text = JSON.stringify(record.row);
      return badRecord(
        record.line,
        `column "${column}": ${JSON.stringify(value)} is no ${cast}`,
        text,
      );
    }
    setOwn(row, column, result);
  }
  return { ...record, row: row as Row };
}

const TRUE = new Set(['true', 't', 'yes', 'y', '1']);
const FALSE = new Set(['false', 'f', 'no', 'n', '0']);
const DATE = /^(\d{4}-\d{2}-\d{2})$/;
const TIMESTAMP =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)\s*(Z|[+-]\d{2}(?::?\d{2})?)?$/;

function castCell(value: Cell, cast: Cast): Cell | undefined {
  if (value === null) return null;
  const text = String(value).trim();
  switch (cast) {
    case 'string':
      return String(value);
    case 'number':
    case 'integer': {
      const number = text === '' ? Number.NaN : Number(text);
      const fits = cast === 'number' ? Number.isFinite(number) : Number.isSafeInteger(number);
      return fits && /^[-+.\deE]+$/.test(text) ? number : undefined;
    }
    case 'boolean': {
      if (TRUE.has(text.toLowerCase())) return true;
      return FALSE.has(text.toLowerCase()) ? false : undefined;
    }
    case 'date':
      return dateOf(text);
    case 'timestamp':
      return timestampOf(text);
  }
}

function dateOf(text: string): string | undefined {
  const day = DATE.exec(text)?.[1] ?? TIMESTAMP.exec(text)?.[1];
  if (day === undefined || Number.isNaN(Date.parse(day))) return undefined;
  return new Date(day).toISOString().slice(0, 10) === day ? day : undefined;
}

/** With a zone: the instant in UTC. Without: the local time as written, in ISO form. */
function timestampOf(text: string): string | undefined {
  const day = DATE.exec(text);
  if (day !== null) return dateOf(text) && `${text}T00:00:00`;
  const parts = TIMESTAMP.exec(text);
  if (parts === null || dateOf(parts[1] as string) === undefined) return undefined;
  const [, date, time, zone] = parts;
  const seconds = (time as string).length === 5 ? `${time}:00` : time;
  const full = /^[+-]\d{2}$/.test(zone ?? '') ? `${zone}:00` : zone;
  const instant = Date.parse(`${date}T${seconds}${full ?? 'Z'}`);
  if (Number.isNaN(instant)) return undefined;
  return zone === undefined ? `${date}T${seconds}` : new Date(instant).toISOString();
}

type Seen = {
  values: number;
  nulls: number;
  strings: number;
  integers: number;
  numbers: number;
  booleans: number;
  plainNumbers: number;
  plainIntegers: number;
  plainBooleans: number;
  dates: number;
  timestamps: number;
};

/** Watches rows go by; afterwards knows every column, its type, and which texts may be converted. */
export class ColumnWatch {
  private readonly seen = new Map<string, Seen>();
  private rows = 0;

  constructor(known: readonly string[] | null) {
    for (const name of known ?? []) this.of(name);
  }

  add(row: Row): void {
    this.rows++;
    for (const name of Object.keys(row)) count(this.of(name), row[name] as Cell);
  }

  names(): readonly string[] {
    return [...this.seen.keys()];
  }

  /** True when some row lacks a column, so that the dataset must be written again. */
  ragged(): boolean {
    return [...this.seen.values()].some((seen) => seen.values + seen.nulls < this.rows);
  }

  /** Columns of text that are numbers or booleans throughout. */
  convertible(): ReadonlyMap<string, 'number' | 'boolean'> {
    const found = new Map<string, 'number' | 'boolean'>();
    for (const [name, seen] of this.seen) {
      if (seen.values === 0 || seen.strings !== seen.values) continue;
      if (seen.plainNumbers === seen.values) found.set(name, 'number');
      else if (seen.plainBooleans === seen.values) found.set(name, 'boolean');
    }
    return found;
  }

  describe(converted: ReadonlyMap<string, 'number' | 'boolean'>): readonly ColumnInfo[] {
    return [...this.seen].map(([name, seen]) => ({
      name,
      type: typeOf(seen, converted.get(name) ?? null),
      nulls: this.rows - seen.values,
    }));
  }

  private of(name: string): Seen {
    let seen = this.seen.get(name);
    if (seen === undefined) {
      if (this.seen.size >= COLUMNS_MAX) throw badFormat(`more than ${COLUMNS_MAX} columns.`);
      seen = {
        values: 0,
        nulls: 0,
        strings: 0,
        integers: 0,
        numbers: 0,
        booleans: 0,
        plainNumbers: 0,
        plainIntegers: 0,
        plainBooleans: 0,
        dates: 0,
        timestamps: 0,
      };
      this.seen.set(name, seen);
    }
    return seen;
  }
}

function count(seen: Seen, value: Cell): void {
  if (value === null) {
    seen.nulls++;
    return;
  }
  seen.values++;
  if (typeof value === 'boolean') seen.booleans++;
  else if (typeof value === 'number') {
    seen.numbers++;
    if (Number.isInteger(value)) seen.integers++;
  } else countText(seen, value);
}

function countText(seen: Seen, text: string): void {
  seen.strings++;
  // Each guess is dropped at its first counter-example, so a text column costs next to nothing.
  if (seen.plainNumbers === seen.values - 1 && isPlainNumber(text)) {
    seen.plainNumbers++;
    if (/^-?\d+$/.test(text)) seen.plainIntegers++;
  }
  if (seen.plainBooleans === seen.values - 1 && (text === 'true' || text === 'false')) {
    seen.plainBooleans++;
  }
  if (seen.dates === seen.values - 1 && DATE.test(text)) seen.dates++;
  if (seen.timestamps === seen.values - 1 && text.length < 40 && TIMESTAMP.test(text)) {
    seen.timestamps++;
  }
}

function typeOf(seen: Seen, converted: 'number' | 'boolean' | null): string {
  if (seen.values === 0) return 'null';
  if (converted === 'boolean' || seen.booleans === seen.values) return 'boolean';
  if (converted === 'number') return seen.plainIntegers === seen.values ? 'integer' : 'number';
  if (seen.integers === seen.values) return 'integer';
  if (seen.numbers === seen.values) return 'number';
  if (seen.dates === seen.values) return 'date';
  if (seen.timestamps === seen.values) return 'timestamp';
  return seen.strings === seen.values ? 'string' : 'mixed';
}
