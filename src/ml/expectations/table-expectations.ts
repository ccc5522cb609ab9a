/** Expectations about the shape of the table. */
import { fromEntries, getOwn, type Json, type JsonObject } from '../../lib/json.js';
import { type Evaluator, ExpectationProblem, type Outcome, type Table } from './evaluator.js';
import { type Definition, listOf, textOf } from './map-expectations.js';
import { boundsOf, within } from './range.js';

const BOUNDS = {
  min_value: false,
  max_value: false,
  strict_min: false,
  strict_max: false,
} as const;

export const TABLE_EXPECTATIONS = {
  expect_column_to_exist: {
    kwargs: { column: true, column_index: false },
    start: (kwargs) =>
      table(({ columns }) => {
        const column = textOf(kwargs.column, 'column');
        const index = kwargs.column_index;
        const at = typeof index === 'number' ? columns.at(index) : undefined;
        const success = typeof index === 'number' ? at === column : columns.includes(column);
        return { success, result: {} };
      }),
  },
  expect_table_row_count_to_be_between: between((found) => found.rows),
  expect_table_row_count_to_equal: equal((found) => found.rows),
  expect_table_column_count_to_be_between: between((found) => found.columns.length),
  expect_table_column_count_to_equal: equal((found) => found.columns.length),
  expect_table_columns_to_match_set: {
    kwargs: { column_set: true, exact_match: false },
    start: (kwargs) => table(({ columns }) => matchSet(columns, kwargs)),
  },
  expect_table_columns_to_match_ordered_list: {
    kwargs: { column_list: true },
    start: (kwargs) =>
      table(({ columns }) => matchList(columns, listOf(kwargs.column_list, 'column_list'))),
  },
} satisfies { readonly [name: string]: Definition };

type Found = { readonly success: boolean; readonly result: JsonObject };

function table(finish: (table: Table) => Found): Evaluator {
  return {
    columns: [],
    add: () => undefined,
    finish: (found): Outcome => ({ ...finish(found), offences: [] }),
  };
}

function between(observe: (table: Table) => number): Definition {
  return {
    kwargs: BOUNDS,
    start(kwargs) {
      const bounds = boundsOf(kwargs);
      return table((found) => {
        const observed = observe(found);
        return { success: within(observed, bounds), result: { observed_value: observed } };
      });
    },
  };
}

function equal(observe: (table: Table) => number): Definition {
  return {
    kwargs: { value: true },
    start(kwargs) {
      const { value } = kwargs;
      if (typeof value !== 'number') throw new ExpectationProblem('value must be a number');
      return table((found) => {
        const observed = observe(found);
        return { success: observed === value, result: { observed_value: observed } };
      });
    },
  };
}

/** As GX: with `exact_match: false` further columns are allowed, missing ones never. */
function matchSet(columns: readonly string[], kwargs: JsonObject): Found {
  const expected = listOf(kwargs.column_set, 'column_set').map(String);
  const observed: Json = [...columns].sort();
  const unexpected = [...columns].filter((name) => !expected.includes(name)).sort();
  const missing = [...new Set(expected)].filter((name) => !columns.includes(name)).sort();
  if (unexpected.length + missing.length === 0) {
    return { success: true, result: { observed_value: observed } };
  }
  const lists: readonly (readonly [string, readonly string[]])[] = [
    ['unexpected', unexpected],
    ['missing', missing],
  ];
  const mismatched = fromEntries(lists.filter(([, names]) => names.length > 0));
  return {
    success: getOwn(kwargs, 'exact_match') === false && missing.length === 0,
    result: { observed_value: observed, details: { mismatched } },
  };
}

function matchList(columns: readonly string[], expected: readonly Json[]): Found {
  const length = Math.max(columns.length, expected.length);
  const mismatched = Array.from({ length }, (_, i) => ({
    'Expected Column Position': i,
    Expected: expected[i] ?? null,
    Found: columns[i] ?? null,
  })).filter((position) => position.Expected !== position.Found);
  const observed = [...columns];
  if (mismatched.length === 0) return { success: true, result: { observed_value: observed } };
  return { success: false, result: { observed_value: observed, details: { mismatched } } };
}
