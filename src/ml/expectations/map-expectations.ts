/** Expectations about each value of a column, or of columns together. One table row per expectation. */
import { RE2JS } from 're2js';
import { fromEntries, isArray, type Json, type JsonObject } from '../../lib/json.js';
import type { Cell, Row } from '../data/record.js';
import {
  cellAt,
  compareValues,
  type Evaluator,
  ExpectationProblem,
  keyOf,
  MapTally,
  type ResultFormat,
} from './evaluator.js';
import { boundsOf, within } from './range.js';
import { typeTest } from './types.js';

export interface Definition {
  /** Own kwargs; `true` marks a required one. */
  readonly kwargs: { readonly [kwarg: string]: boolean };
  start(kwargs: JsonObject, format: ResultFormat): Evaluator;
}

type Test = (value: Exclude<Cell, null>) => boolean;

const COLUMN = { column: true, mostly: false } as const;
const RANGE = { min_value: false, max_value: false, strict_min: false, strict_max: false } as const;

export const MAP_EXPECTATIONS = {
  expect_column_values_to_not_be_null: nullness(false),
  expect_column_values_to_be_null: nullness(true),
  expect_column_values_to_be_in_set: columnMap({ value_set: true }, (kwargs) => {
    const set = setOf(kwargs.value_set);
    return (value) => set === null || set.has(keyOf(value));
  }),
  expect_column_values_to_not_be_in_set: columnMap({ value_set: true }, (kwargs) => {
    const set = setOf(kwargs.value_set);
    return (value) => set === null || !set.has(keyOf(value));
  }),
  expect_column_values_to_be_between: columnMap(RANGE, (kwargs) => {
    const bounds = boundsOf(kwargs);
    return (value) => within(value, bounds);
  }),
  expect_column_value_lengths_to_be_between: columnMap(RANGE, (kwargs) => {
    const bounds = boundsOf(kwargs);
    return (value) => within(lengthOf(value), bounds);
  }),
  expect_column_value_lengths_to_equal: columnMap({ value: true }, (kwargs) => {
    const { value: length } = kwargs;
    return (value) => lengthOf(value) === length;
  }),
  expect_column_values_to_match_regex: columnMap({ regex: true }, (kwargs) => {
    const regex = regexOf(kwargs.regex);
    return (value) => regex.test(String(value));
  }),
  expect_column_values_to_not_match_regex: columnMap({ regex: true }, (kwargs) => {
    const regex = regexOf(kwargs.regex);
    return (value) => !regex.test(String(value));
  }),
  expect_column_values_to_match_regex_list: columnMap(
    { regex_list: true, match_on: false },
    (kwargs) => {
      const list = listOf(kwargs.regex_list, 'regex_list').map(regexOf);
      if (kwargs.match_on === 'all') {
        return (value) => list.every((regex) => regex.test(String(value)));
      }
      return (value) => list.some((regex) => regex.test(String(value)));
    },
  ),
  expect_column_values_to_not_match_regex_list: columnMap({ regex_list: true }, (kwargs) => {
    const list = listOf(kwargs.regex_list, 'regex_list').map(regexOf);
    return (value) => !list.some((regex) => regex.test(String(value)));
  }),
  expect_column_values_to_be_of_type: columnMap({ type_: true }, (kwargs) =>
    typeTest([kwargs.type_ ?? null]),
  ),
  expect_column_values_to_be_in_type_list: columnMap({ type_list: true }, (kwargs) =>
    typeTest(kwargs.type_list === null ? [null] : listOf(kwargs.type_list, 'type_list')),
  ),
  expect_column_values_to_be_json_parseable: columnMap({}, () => (value) => {
    try {
      JSON.parse(String(value));
      return true;
    } catch {
      return false;
    }
  }),
  expect_column_values_to_be_increasing: columnMap({ strictly: false }, (kwargs) =>
    monotonous(1, kwargs.strictly === true),
  ),
  expect_column_values_to_be_decreasing: columnMap({ strictly: false }, (kwargs) =>
    monotonous(-1, kwargs.strictly === true),
  ),
  expect_column_values_to_be_unique: {
    kwargs: COLUMN,
    start: (kwargs, format) => unique([columnOf(kwargs)], kwargs, format),
  },
  expect_compound_columns_to_be_unique: {
    kwargs: { column_list: true, ignore_row_if: false, mostly: false },
    start: (kwargs, format) => unique(columnsOf(kwargs), kwargs, format),
  },
  expect_select_column_values_to_be_unique_within_record: {
    kwargs: { column_list: true, ignore_row_if: false, mostly: false },
    start: (kwargs, format) =>
      together(columnsOf(kwargs), kwargs, format, (values) => {
        return new Set(values.map(keyOf)).size === values.length;
      }),
  },
  expect_column_pair_values_to_be_equal: pair(
    {},
    () =>
      ([a, b]) =>
        keyOf(a) === keyOf(b),
  ),
  expect_column_pair_values_a_to_be_greater_than_b: pair({ or_equal: false }, (kwargs) => {
    const least = kwargs.or_equal === true ? 0 : Number.MIN_VALUE;
    return ([a, b]) => typeof a === typeof b && compareValues(a, b) >= least;
  }),
  expect_column_pair_values_to_be_in_set: pair({ value_pairs_set: true }, (kwargs) => {
    const set = setOf(kwargs.value_pairs_set);
    return (values) => set === null || set.has(keyOf([...values]));
  }),
} satisfies { readonly [name: string]: Definition };

function nullness(wanted: boolean): Definition {
  return {
    kwargs: COLUMN,
    start(kwargs, format) {
      const column = columnOf(kwargs);
      const tally = new MapTally(format, mostlyOf(kwargs), false);
      return {
        columns: [column],
        add(row, index) {
          const value = cellAt(row, column);
          if ((value === null) === wanted) tally.expected();
          else tally.offend(index, value, row, [column]);
        },
        finish: () => tally.outcome(),
      };
    },
  };
}

function columnMap(
  own: { readonly [kwarg: string]: boolean },
  testOf: (kwargs: JsonObject) => Test,
): Definition {
  return {
    kwargs: { ...COLUMN, ...own },
    start(kwargs, format) {
      const column = columnOf(kwargs);
      const tally = new MapTally(format, mostlyOf(kwargs));
      const test = testOf(kwargs);
      return {
        columns: [column],
        add(row, index) {
          const value = cellAt(row, column);
          if (value === null) tally.missing();
          else if (test(value)) tally.expected();
          else tally.offend(index, value, row, [column]);
        },
        finish: () => tally.outcome(),
      };
    },
  };
}

/** Every member of a group of equal values is unexpected, so the first reading only counts. */
function unique(columns: readonly string[], kwargs: JsonObject, format: ResultFormat): Evaluator {
  const tally = new MapTally(format, mostlyOf(kwargs));
  const seen = new Map<string, boolean>();
  const single = columns.length === 1;
  const ignored = single ? anyMissing : ignoredBy(kwargs.ignore_row_if ?? 'all_values_are_missing');
  const keyAt = (values: readonly Cell[]) =>
    single ? keyOf(values[0] as Cell) : keyOf([...values]);
  return {
    columns,
    add(row) {
      const values = columns.map((column) => cellAt(row, column));
      if (ignored(values)) return;
      const key = keyAt(values);
      const known = seen.has(key);
      if (!known && seen.size >= DISTINCT_MAX) {
        throw new ExpectationProblem(`more than ${DISTINCT_MAX} different values to remember`);
      }
      seen.set(key, known);
    },
    again(row, index) {
      const values = columns.map((column) => cellAt(row, column));
      if (ignored(values)) tally.missing();
      else if (seen.get(keyAt(values)) === false) tally.expected();
      else {
        const value = single ? (values[0] as Cell) : record(columns, values);
        tally.offend(index, value, row, columns);
      }
    },
    finish: () => tally.outcome(),
  };
}

/** A JavaScript Map holds 2^24 keys at most. */
export const DISTINCT_MAX = 10_000_000;

function together(
  columns: readonly string[],
  kwargs: JsonObject,
  format: ResultFormat,
  test: (values: readonly Cell[]) => boolean,
): Evaluator {
  const tally = new MapTally(format, mostlyOf(kwargs));
  const ignored = ignoredBy(kwargs.ignore_row_if ?? 'all_values_are_missing');
  return {
    columns,
    add(row, index) {
      const values = columns.map((column) => cellAt(row, column));
      if (ignored(values)) tally.missing();
      else if (test(values)) tally.expected();
      else tally.offend(index, record(columns, values), row, columns);
    },
    finish: () => tally.outcome(),
  };
}

type PairTest = (values: readonly [Cell, Cell]) => boolean;

function pair(
  own: { readonly [kwarg: string]: boolean },
  testOf: (kwargs: JsonObject) => PairTest,
): Definition {
  return {
    kwargs: { column_A: true, column_B: true, ignore_row_if: false, mostly: false, ...own },
    start(kwargs, format) {
      const columns = [textOf(kwargs.column_A, 'column_A'), textOf(kwargs.column_B, 'column_B')];
      const tally = new MapTally(format, mostlyOf(kwargs));
      const ignored = ignoredBy(kwargs.ignore_row_if ?? 'both_values_are_missing');
      const test = testOf(kwargs);
      return {
        columns,
        add(row: Row, index: number) {
          const values = columns.map((column) => cellAt(row, column)) as [Cell, Cell];
          if (ignored(values)) tally.missing();
          else if (test(values)) tally.expected();
          else tally.offend(index, values, row, columns);
        },
        finish: () => tally.outcome(),
      };
    },
  };
}

const anyMissing = (values: readonly Cell[]) => values.some((value) => value === null);
const allMissing = (values: readonly Cell[]) => values.every((value) => value === null);

function ignoredBy(rule: Json): (values: readonly Cell[]) => boolean {
  switch (rule) {
    case 'all_values_are_missing':
    case 'both_values_are_missing':
      return allMissing;
    case 'any_value_is_missing':
    case 'either_value_is_missing':
      return anyMissing;
    case 'never':
    case 'neither':
      return () => false;
    default:
      throw new ExpectationProblem(`ignore_row_if ${JSON.stringify(rule)} is unknown`);
  }
}

function monotonous(direction: 1 | -1, strictly: boolean): Test {
  let previous: Exclude<Cell, null> | null = null;
  return (value) => {
    const step = previous === null ? 1 : direction * compareValues(value, previous);
    previous = value;
    return strictly ? step > 0 : step >= 0;
  };
}

/** Python's `len`: code points, not UTF-16 units. */
function lengthOf(value: Exclude<Cell, null>): number {
  let length = 0;
  for (const _ of String(value)) length++;
  return length;
}

/** Python's `re.search`, in linear time; RE2 knows no look-around and no back references. */
function regexOf(pattern: Json | undefined): RE2JS {
  const text = textOf(pattern, 'regex');
  try {
    return RE2JS.compile(RE2JS.translateRegExp(text));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ExpectationProblem(
      `the regex ${JSON.stringify(text)} is not supported: ${reason} (RE2 syntax: no look-around, no back references)`,
    );
  }
}

function setOf(value: Json | undefined): ReadonlySet<string> | null {
  if (value === null || value === undefined) return null;
  return new Set(listOf(value, 'value_set').map(keyOf));
}

export function listOf(value: Json | undefined, kwarg: string): readonly Json[] {
  if (!isArray(value)) throw new ExpectationProblem(`the kwarg "${kwarg}" must be a list`);
  return value;
}

export function textOf(value: Json | undefined, kwarg: string): string {
  if (typeof value === 'string') return value;
  throw new ExpectationProblem(`the kwarg "${kwarg}" must be text`);
}

export function columnOf(kwargs: JsonObject): string {
  return textOf(kwargs.column, 'column');
}

function columnsOf(kwargs: JsonObject): readonly string[] {
  return listOf(kwargs.column_list, 'column_list').map((name) => textOf(name, 'column_list'));
}

function mostlyOf(kwargs: JsonObject): number {
  const { mostly } = kwargs;
  if (mostly === undefined || mostly === null) return 1;
  if (typeof mostly === 'number' && mostly >= 0 && mostly <= 1) return mostly;
  throw new ExpectationProblem(
    `mostly must be a number from 0 to 1, found ${JSON.stringify(mostly)}`,
  );
}

function record(columns: readonly string[], values: readonly Cell[]): JsonObject {
  return fromEntries(columns.map((column, i) => [column, values[i] as Cell]));
}
