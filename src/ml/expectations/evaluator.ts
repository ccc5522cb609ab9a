/**
 * What an expectation is while rows stream by, and how its outcome is spelled: field for field as Great
 * Expectations 1.x does (`_format_map_output` and the golden case of its documentation).
 */
import { canonicalJson, fromEntries, type Json, type JsonObject } from '../../lib/json.js';
import type { Cell, Row } from '../data/record.js';

export const RESULT_FORMATS = ['BOOLEAN_ONLY', 'BASIC', 'SUMMARY', 'COMPLETE'] as const;
export type ResultFormatName = (typeof RESULT_FORMATS)[number];

export interface ResultFormat {
  readonly name: ResultFormatName;
  /** GX `partial_unexpected_count`, default 20. */
  readonly partial: number;
  /** GX `unexpected_index_column_names`: columns that name a row, beside its number. */
  readonly indexColumns: readonly string[] | null;
}

export interface Table {
  readonly columns: readonly string[];
  readonly rows: number;
}

export interface Offence {
  /** From 0, as in a pandas index. */
  readonly index: number;
  readonly value: Json;
}

export interface Outcome {
  readonly success: boolean;
  readonly result: JsonObject;
  /** The first offending rows, for a person. */
  readonly offences: readonly Offence[];
}

export interface Evaluator {
  /** Columns that must exist; else the expectation fails with a reason, not the run. */
  readonly columns: readonly string[];
  /** First reading of the rows. */
  add(row: Row, index: number): void;
  /** Second reading, for what only the whole can tell (uniqueness). */
  readonly again?: (row: Row, index: number) => void;
  finish(table: Table): Outcome;
}

/** A reason why an expectation cannot be evaluated on this data; becomes `exception_info`. */
export class ExpectationProblem extends Error {
  override readonly name = 'ExpectationProblem';
}

export function cellAt(row: Row, column: string): Cell {
  return Object.hasOwn(row, column) ? (row[column] as Cell) : null;
}

/** Values that are equal have the same key; `1` and `"1"` do not. */
export function keyOf(value: Json): string {
  return typeof value === 'string' ? `"${value}` : canonicalJson(value);
}

/** More offences than this are counted but no longer listed, even in COMPLETE. */
const LISTED_MAX = 100_000;

/** Collects what a map expectation found unexpected; finishes in the asked format. */
export class MapTally {
  private elements = 0;
  private considered = 0;
  private unexpected = 0;
  private readonly listed: { index: number; value: Json; place: JsonObject | null }[] = [];
  private readonly counts = new Map<string, { value: Json; count: number }>();
  private readonly listMax: number;

  constructor(
    private readonly format: ResultFormat,
    private readonly mostly: number,
    /** False for the null expectations: GX gives them no missing counts. */
    private readonly skipsMissing: boolean = true,
  ) {
    this.listMax = format.name === 'COMPLETE' ? LISTED_MAX : Math.max(format.partial, 20);
  }

  missing(): void {
    this.elements++;
  }

  expected(): void {
    this.elements++;
    this.considered++;
  }

  offend(index: number, value: Json, row: Row, columns: readonly string[]): void {
    this.elements++;
    this.considered++;
    this.unexpected++;
    if (this.listed.length < this.listMax) {
      this.listed.push({ index, value, place: this.placeOf(row, columns) });
    }
    if (this.format.name !== 'SUMMARY' && this.format.name !== 'COMPLETE') return;
    const key = keyOf(value);
    const known = this.counts.get(key);
    if (known !== undefined) known.count++;
    else if (this.counts.size < LISTED_MAX) this.counts.set(key, { value, count: 1 });
  }

  private placeOf(row: Row, columns: readonly string[]): JsonObject | null {
    const { indexColumns } = this.format;
    if (indexColumns === null) return null;
    return fromEntries([...columns, ...indexColumns].map((name) => [name, cellAt(row, name)]));
  }

  outcome(): Outcome {
    const base = this.skipsMissing ? this.considered : this.elements;
    const success = base === 0 || (base - this.unexpected) / base >= this.mostly;
    const offences = success ? [] : this.listed.slice(0, 20);
    return {
      success,
      result: this.format.name === 'BOOLEAN_ONLY' ? {} : fromEntries(this.fields(base)),
      offences: offences.map(({ index, value }) => ({ index, value })),
    };
  }

  private *fields(base: number): Generator<readonly [string, Json]> {
    const { format, elements, unexpected, listed } = this;
    const percent = (part: number, whole: number) => (whole === 0 ? null : (part / whole) * 100);
    const values = listed.map((item) => item.value);
    const places = listed.map((item) => item.place ?? item.index);
    yield ['element_count', elements];
    yield ['unexpected_count', unexpected];
    yield ['unexpected_percent', percent(unexpected, base)];
    yield ['partial_unexpected_list', values.slice(0, format.partial)];
    if (format.indexColumns !== null) {
      yield ['unexpected_index_column_names', [...format.indexColumns]];
    }
    if (this.skipsMissing) {
      yield ['missing_count', elements - base];
      yield ['missing_percent', percent(elements - base, elements)];
      yield ['unexpected_percent_total', percent(unexpected, elements)];
      yield ['unexpected_percent_nonmissing', percent(unexpected, base)];
    }
    if (format.name === 'BASIC') return;
    if (format.partial > 0) {
      yield ['partial_unexpected_index_list', places.slice(0, format.partial)];
      yield ['partial_unexpected_counts', this.topCounts()];
    }
    if (format.name === 'SUMMARY') return;
    yield ['unexpected_list', values];
    yield ['unexpected_index_list', places];
    yield ['unexpected_index_query', listed.map((item) => item.index)];
  }

  /** The most frequent offending values; equal counts in the order of their values. */
  private topCounts(): readonly Json[] {
    return [...this.counts.values()]
      .sort((a, b) => b.count - a.count)
      .slice(0, this.format.partial)
      .sort((a, b) => b.count - a.count || compareValues(a.value, b.value))
      .map(({ value, count }) => ({ value, count }));
  }
}

/** A total order: numbers by size, texts by code point, kinds apart. */
export function compareValues(a: Json, b: Json): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [left, right] = [keyOf(a), keyOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}
