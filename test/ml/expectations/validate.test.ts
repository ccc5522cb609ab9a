import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Json, JsonObject } from '../../../src/lib/json.js';
import type { Row } from '../../../src/ml/data/record.js';
import type { ResultFormat } from '../../../src/ml/expectations/evaluator.js';
import { parseSuite } from '../../../src/ml/expectations/suite.js';
import { CATALOGUE, KNOWN_KWARGS, validate } from '../../../src/ml/expectations/validate.js';

const SUMMARY: ResultFormat = { name: 'SUMMARY', partial: 20, indexColumns: null };

/** Rows given by column, as in a pandas DataFrame. */
function frame(columns: { readonly [name: string]: readonly Json[] }): Row[] {
  const names = Object.keys(columns);
  const length = Math.max(0, ...names.map((name) => (columns[name] as readonly Json[]).length));
  return Array.from(
    { length },
    (_, i) => Object.fromEntries(names.map((name) => [name, columns[name]?.[i] ?? null])) as Row,
  );
}

async function check(
  rows: readonly Row[],
  type: string,
  kwargs: JsonObject,
  format: ResultFormat = SUMMARY,
) {
  const suite = parseSuite({ name: 's', expectations: [{ type, kwargs }] }, KNOWN_KWARGS);
  const dataset = {
    columns: [],
    rows: async function* () {
      yield rows;
    },
  };
  const validation = await validate(suite, dataset, format, {});
  const result = (validation.report.results as readonly JsonObject[])[0] as JsonObject;
  return {
    success: result.success as boolean,
    result: result.result as JsonObject,
    exception: (result.exception_info as JsonObject).exception_message as string | null,
    validation,
  };
}

const letters = frame({
  pk_column:
    'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen'.split(
      ' ',
    ),
  my_var: 'A B B C C C D D D D E E E E E'.split(' '),
});
const inBCD = { column: 'my_var', value_set: ['B', 'C', 'D'] };

// Recorded in Great Expectations' documentation tests (result_format page), field for field.
test('the golden case of the Great Expectations documentation is met in all four formats', async () => {
  const type = 'expect_column_values_to_be_in_set';
  const basic = {
    element_count: 15,
    unexpected_count: 6,
    unexpected_percent: 40.0,
    partial_unexpected_list: ['A', 'E', 'E', 'E', 'E', 'E'],
    missing_count: 0,
    missing_percent: 0.0,
    unexpected_percent_total: 40.0,
    unexpected_percent_nonmissing: 40.0,
  };
  const places = [
    { my_var: 'A', pk_column: 'zero' },
    ...['ten', 'eleven', 'twelve', 'thirteen', 'fourteen'].map((pk_column) => ({
      my_var: 'E',
      pk_column,
    })),
  ];
  const summary = {
    ...basic,
    unexpected_index_column_names: ['pk_column'],
    partial_unexpected_index_list: places,
    partial_unexpected_counts: [
      { value: 'E', count: 5 },
      { value: 'A', count: 1 },
    ],
  };
  const complete = {
    ...summary,
    unexpected_list: ['A', 'E', 'E', 'E', 'E', 'E'],
    unexpected_index_list: places,
    unexpected_index_query: [0, 10, 11, 12, 13, 14],
  };
  const format = (name: ResultFormat['name'], indexColumns: string[] | null = null) => ({
    name,
    partial: 20,
    indexColumns,
  });
  expect((await check(letters, type, inBCD, format('BOOLEAN_ONLY'))).result).toEqual({});
  expect((await check(letters, type, inBCD, format('BASIC'))).result).toEqual(basic);
  expect((await check(letters, type, inBCD, format('SUMMARY', ['pk_column']))).result).toEqual(
    summary,
  );
  expect((await check(letters, type, inBCD, format('COMPLETE', ['pk_column']))).result).toEqual(
    complete,
  );
});

test('nulls leave the denominator of a map expectation, and only of that', async () => {
  const rows = frame({ a: [1, 2, null, 30, null] });
  const found = await check(rows, 'expect_column_values_to_be_between', {
    column: 'a',
    min_value: 0,
    max_value: 9,
  });
  expect(found.result).toMatchObject({
    element_count: 5,
    missing_count: 2,
    missing_percent: 40,
    unexpected_count: 1,
    // 1 / 3 * 100, as Python computes it.
    unexpected_percent: 33.33333333333333,
    unexpected_percent_total: 20,
    partial_unexpected_index_list: [3],
  });
  const nulls = await check(rows, 'expect_column_values_to_not_be_null', { column: 'a' });
  expect(nulls.result).toEqual({
    element_count: 5,
    unexpected_count: 2,
    unexpected_percent: 40,
    partial_unexpected_list: [null, null],
    partial_unexpected_index_list: [2, 4],
    partial_unexpected_counts: [{ value: null, count: 2 }],
  });
});

test('mostly is met at the very share and missed below it; an empty or all-null column passes', async () => {
  const rows = frame({ a: [1, 1, 1, 2] });
  const kwargs = (mostly: number) => ({ column: 'a', value_set: [1], mostly });
  const type = 'expect_column_values_to_be_in_set';
  expect((await check(rows, type, kwargs(0.75))).success).toBe(true);
  expect((await check(rows, type, kwargs(0.76))).success).toBe(false);
  expect((await check(frame({ a: [null, null] }), type, kwargs(1))).success).toBe(true);
});

const data = frame({
  n: [1, 2, 3, 4, null],
  f: [0.5, 1.5, 2.5, 9, null],
  s: ['a1', 'b22', 'c333', 'd4444', null],
  same: ['a1', 'b22', 'c333', 'd4444', null],
  dup: ['x', 'x', 'y', 'z', null],
  day: ['2026-01-01', '2026-01-02', '2026-02-01', '2026-03-01', null],
  flag: [true, false, true, false, null],
  emoji: ['😀', '😀😀', 'é', 'ab', null],
});

type Case = [string, JsonObject, boolean, JsonObject?];
const cases: Case[] = [
  ['expect_column_to_exist', { column: 'n' }, true, {}],
  ['expect_column_to_exist', { column: 'n', column_index: 1 }, false],
  ['expect_column_to_exist', { column: 'N' }, false],
  ['expect_column_values_to_be_null', { column: 'n', mostly: 0.2 }, true, { unexpected_count: 4 }],
  ['expect_column_values_to_not_be_in_set', { column: 'dup', value_set: ['q'] }, true],
  ['expect_column_values_to_be_in_set', { column: 'n', value_set: ['1', '2', '3', '4'] }, false],
  [
    'expect_column_values_to_be_unique',
    { column: 'dup' },
    false,
    {
      partial_unexpected_list: ['x', 'x'],
      partial_unexpected_index_list: [0, 1],
      missing_count: 1,
    },
  ],
  ['expect_column_values_to_be_unique', { column: 's' }, true],
  ['expect_compound_columns_to_be_unique', { column_list: ['dup', 'n'] }, true],
  [
    'expect_compound_columns_to_be_unique',
    { column_list: ['dup', 'dup'] },
    false,
    { partial_unexpected_list: [{ dup: 'x' }, { dup: 'x' }] },
  ],
  [
    'expect_select_column_values_to_be_unique_within_record',
    { column_list: ['s', 'same'] },
    false,
    { unexpected_count: 4 },
  ],
  ['expect_column_pair_values_to_be_equal', { column_A: 's', column_B: 'same' }, true],
  [
    'expect_column_pair_values_to_be_equal',
    { column_A: 's', column_B: 'dup' },
    false,
    {
      partial_unexpected_list: [
        ['a1', 'x'],
        ['b22', 'x'],
        ['c333', 'y'],
        ['d4444', 'z'],
      ],
    },
  ],
  [
    'expect_column_pair_values_a_to_be_greater_than_b',
    { column_A: 'n', column_B: 'f' },
    false,
    { unexpected_count: 1 },
  ],
  [
    'expect_column_pair_values_to_be_in_set',
    {
      column_A: 'dup',
      column_B: 'n',
      value_pairs_set: [
        ['x', 1],
        ['x', 2],
        ['y', 3],
        ['z', 4],
      ],
    },
    true,
  ],
  ['expect_column_values_to_match_regex', { column: 's', regex: '\\d+$' }, true],
  [
    'expect_column_values_to_match_regex',
    { column: 's', regex: '^[ab]' },
    false,
    { unexpected_count: 2 },
  ],
  ['expect_column_values_to_not_match_regex', { column: 's', regex: 'z' }, true],
  [
    'expect_column_values_to_match_regex_list',
    { column: 's', regex_list: ['^a', '^b', '^c', '^d'] },
    true,
  ],
  [
    'expect_column_values_to_match_regex_list',
    { column: 's', regex_list: ['^a', '1'], match_on: 'all' },
    false,
  ],
  [
    'expect_column_values_to_not_match_regex_list',
    { column: 's', regex_list: ['^a', 'q'] },
    false,
    { unexpected_count: 1 },
  ],
  ['expect_column_value_lengths_to_be_between', { column: 's', min_value: 2, max_value: 5 }, true],
  ['expect_column_value_lengths_to_be_between', { column: 'emoji', max_value: 2 }, true],
  ['expect_column_value_lengths_to_equal', { column: 's', value: 2, mostly: 0.25 }, true],
  ['expect_column_values_to_be_between', { column: 'n', min_value: 1, max_value: 4 }, true],
  [
    'expect_column_values_to_be_between',
    { column: 'n', min_value: 1, strict_min: true },
    false,
    { unexpected_count: 1 },
  ],
  [
    'expect_column_values_to_be_between',
    { column: 'day', min_value: '2026-01-01', max_value: '2026-03-01' },
    true,
  ],
  ['expect_column_values_to_be_of_type', { column: 'n', type_: 'int64' }, true],
  ['expect_column_values_to_be_of_type', { column: 'f', type_: 'int' }, false],
  ['expect_column_values_to_be_of_type', { column: 'day', type_: 'date' }, true],
  ['expect_column_values_to_be_in_type_list', { column: 'flag', type_list: ['bool', 'str'] }, true],
  ['expect_column_values_to_be_increasing', { column: 'n', strictly: true }, true],
  ['expect_column_values_to_be_decreasing', { column: 'n' }, false, { unexpected_count: 3 }],
  ['expect_column_values_to_be_json_parseable', { column: 'n' }, true],
  [
    'expect_table_row_count_to_be_between',
    { min_value: 1, max_value: 5 },
    true,
    { observed_value: 5 },
  ],
  ['expect_table_row_count_to_equal', { value: 4 }, false, { observed_value: 5 }],
  ['expect_table_column_count_to_equal', { value: 8 }, true, { observed_value: 8 }],
  ['expect_table_column_count_to_be_between', { max_value: 3 }, false, { observed_value: 8 }],
  [
    'expect_table_columns_to_match_set',
    { column_set: ['n', 'nope'], exact_match: false },
    false,
    {
      details: {
        mismatched: {
          unexpected: ['day', 'dup', 'emoji', 'f', 'flag', 's', 'same'],
          missing: ['nope'],
        },
      },
    },
  ],
  ['expect_table_columns_to_match_set', { column_set: ['n', 'f'], exact_match: false }, true],
  [
    'expect_table_columns_to_match_ordered_list',
    { column_list: ['n', 'f', 's', 'same', 'dup', 'day', 'flag', 'emoji'] },
    true,
  ],
  [
    'expect_table_columns_to_match_ordered_list',
    { column_list: ['f', 'n', 's', 'same', 'dup', 'day', 'flag', 'emoji'] },
    false,
    {
      details: {
        mismatched: [
          { 'Expected Column Position': 0, Expected: 'f', Found: 'n' },
          { 'Expected Column Position': 1, Expected: 'n', Found: 'f' },
        ],
      },
    },
  ],
  [
    'expect_column_mean_to_be_between',
    { column: 'n', min_value: 2.5, max_value: 2.5 },
    true,
    { observed_value: 2.5 },
  ],
  [
    'expect_column_median_to_be_between',
    { column: 'f', min_value: 2, max_value: 2 },
    true,
    { observed_value: 2 },
  ],
  [
    'expect_column_stdev_to_be_between',
    { column: 'n', max_value: 1.3 },
    true,
    { observed_value: Math.sqrt(5 / 3) },
  ],
  ['expect_column_sum_to_be_between', { column: 'f', min_value: 13.5, max_value: 13.5 }, true],
  [
    'expect_column_min_to_be_between',
    { column: 'day', min_value: '2026-01-01' },
    true,
    { observed_value: '2026-01-01' },
  ],
  [
    'expect_column_max_to_be_between',
    { column: 'f', max_value: 9, strict_max: true },
    false,
    { observed_value: 9 },
  ],
  [
    'expect_column_unique_value_count_to_be_between',
    { column: 'dup', min_value: 3, max_value: 3 },
    true,
    { observed_value: 3 },
  ],
  [
    'expect_column_proportion_of_unique_values_to_be_between',
    { column: 'dup', min_value: 0.75, max_value: 0.75 },
    true,
  ],
  [
    'expect_column_proportion_of_non_null_values_to_be_between',
    { column: 'dup', min_value: 0.8 },
    true,
    { observed_value: 0.8 },
  ],
  [
    'expect_column_most_common_value_to_be_in_set',
    { column: 'dup', value_set: ['x'] },
    true,
    { observed_value: ['x'] },
  ],
  ['expect_column_most_common_value_to_be_in_set', { column: 's', value_set: ['a1'] }, false],
  [
    'expect_column_most_common_value_to_be_in_set',
    { column: 's', value_set: ['a1'], ties_okay: true },
    true,
  ],
  [
    'expect_column_distinct_values_to_be_in_set',
    { column: 'dup', value_set: ['x', 'y', 'z', 'w'] },
    true,
    {
      observed_value: ['x', 'y', 'z'],
      details: {
        value_counts: [
          { value: 'x', count: 2 },
          { value: 'y', count: 1 },
          { value: 'z', count: 1 },
        ],
      },
    },
  ],
  ['expect_column_distinct_values_to_contain_set', { column: 'dup', value_set: ['x', 'w'] }, false],
  [
    'expect_column_distinct_values_to_equal_set',
    { column: 'dup', value_set: ['z', 'y', 'x'] },
    true,
  ],
  [
    'expect_column_quantile_values_to_be_between',
    {
      column: 'n',
      quantile_ranges: {
        quantiles: [0, 0.5, 1],
        value_ranges: [
          [1, 1],
          [2, 3],
          [null, 4],
        ],
      },
    },
    true,
    { observed_value: { quantiles: [0, 0.5, 1], values: [1, 2.5, 4] } },
  ],
];

test.each(cases)('%s %j is %s', async (type, kwargs, success, result) => {
  const found = await check(data, type, kwargs);
  expect(found.exception).toBeNull();
  expect(found.success).toBe(success);
  if (result !== undefined) expect(found.result).toMatchObject(result);
});

test('every expectation of the catalogue is exercised above', () => {
  const tried = new Set([...cases.map(([type]) => type), 'expect_column_values_to_not_be_null']);
  expect([...CATALOGUE.keys()].filter((type) => !tried.has(type))).toEqual([]);
});

test.each([
  [
    'expect_column_values_to_not_be_null',
    { column: 'tekst' },
    /"tekst" in BatchData does not exist.*The dataset has: n/,
  ],
  ['expect_column_mean_to_be_between', { column: 's', min_value: 0 }, /"a1", which is no number/],
  ['expect_column_values_to_match_regex', { column: 's', regex: '(?=a)' }, /RE2 syntax/],
  ['expect_column_values_to_be_between', { column: 'n' }, /cannot both be None/],
  ['expect_column_values_to_be_of_type', { column: 'n', type_: 'ints' }, /did you mean "int"/],
  [
    'expect_column_values_to_not_be_null',
    { column: 'n', row_condition: 'n > 1' },
    /row_condition is not supported/,
  ],
  ['expect_column_values_to_not_be_null', { column: 'n', mostly: 2 }, /mostly must be/],
])('%s %j fails by itself with a reason, not the run', async (type, kwargs, reason) => {
  const { success, exception, validation } = await check(data, type, kwargs as JsonObject);
  expect(success).toBe(false);
  expect(exception).toMatch(reason);
  expect(validation.failed[0]?.reason).toMatch(reason);
});

test.each([
  [
    { expectations: [{ type: 'expect_colum_to_exist', kwargs: {} }] },
    /expectations\[0\]: unknown expectation.*did you mean "expect_column_to_exist"/,
  ],
  [
    { expectations: [{ type: 'expect_column_to_exist', kwargs: { colunm: 'a' } }] },
    /unknown kwarg "colunm" \(did you mean "column"\?\)/,
  ],
  [
    { expectations: [{ type: 'expect_column_to_exist', kwargs: {} }] },
    /the kwarg "column" is missing/,
  ],
  [{ expectations: [{ kwargs: {} }] }, /has no "type"/],
  [{}, /no array "expectations"/],
  [
    {
      expectations: [
        { type: 'expect_table_row_count_to_equal', kwargs: { value: { $PARAMETER: 'rows' } } },
      ],
    },
    /suiteParameters has no "rows"/,
  ],
])('the suite %j is refused at once', (suite, reason) => {
  expect(() => parseSuite(suite as Json, KNOWN_KWARGS, { row: 1 })).toThrow(reason);
});

test('suites of 0.18 are read; results use the 1.x names', () => {
  const old = {
    expectation_suite_name: 'old',
    expectations: [
      { expectation_type: 'expect_column_to_exist', kwargs: { column: 'a' }, meta: { k: 1 } },
    ],
  };
  const suite = parseSuite(old, KNOWN_KWARGS);
  expect(suite.name).toBe('old');
  expect(suite.expectations[0]?.config).toEqual({
    type: 'expect_column_to_exist',
    kwargs: { column: 'a' },
    meta: { k: 1 },
  });
});

test('uniqueness agrees with counting, whatever the values', async () => {
  const value = fc.oneof(
    fc.integer({ min: 0, max: 5 }),
    fc.constantFrom('0', '1', 'a', null, true, '__proto__'),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1 }), async (values) => {
      const found = await check(frame({ a: values }), 'expect_column_values_to_be_unique', {
        column: 'a',
      });
      const present = values.filter((item) => item !== null);
      const repeated = present.filter(
        (item) => present.filter((other) => other === item).length > 1,
      );
      expect(found.result.unexpected_count).toBe(repeated.length);
      expect(found.success).toBe(repeated.length === 0);
    }),
  );
});
