/** Expectations about a whole column: its mean, its distinct values, its most common value. */
import { type Json, type JsonObject, isObject } from '../../lib/json.js';
import type { Cell } from '../data/record.js';
import { percentile } from '../metrics/latency.js';
import { cellAt, compareValues, type Evaluator, ExpectationProblem, keyOf } from './evaluator.js';
import { columnOf, type Definition, DISTINCT_MAX, listOf } from './map-expectations.js';
import { boundsOf, within } from './range.js';

const RANGE = {
  column: true,
  min_value: false,
  max_value: false,
  strict_min: false,
  strict_max: false,
} as const;

type Value = Exclude<Cell, null>;
interface Gathering {
  add(value: Value): void;
  observe(rows: number): number | string | null;
}

export const AGGREGATE_EXPECTATIONS = {
  expect_column_mean_to_be_between: between(() => moments((m) => (m.n === 0 ? null : m.mean))),
  expect_column_stdev_to_be_between: between(() =>
    moments((m) => (m.n < 2 ? null : Math.sqrt(m.squares / (m.n - 1)))),
  ),
  expect_column_sum_to_be_between: between(() => moments((m) => m.sum)),
  expect_column_median_to_be_between: between(() => {
    const values = numbers();
    return { add: values.add, observe: () => quantile(values.sorted(), 0.5) };
  }),
  expect_column_min_to_be_between: between(() => extreme(-1)),
  expect_column_max_to_be_between: between(() => extreme(1)),
  expect_column_unique_value_count_to_be_between: between(() => {
    const found = distinct();
    return { add: found.add, observe: () => found.counts.size };
  }),
  expect_column_proportion_of_unique_values_to_be_between: between(() => {
    const found = distinct();
    return {
      add: found.add,
      observe: () => (found.total() === 0 ? null : found.counts.size / found.total()),
    };
  }),
  expect_column_proportion_of_non_null_values_to_be_between: between(() => {
    let present = 0;
    return {
      add: () => void present++,
      observe: (rows) => (rows === 0 ? null : present / rows),
    };
  }),
  expect_column_quantile_values_to_be_between: {
    kwargs: { column: true, quantile_ranges: true, allow_relative_error: false },
    start: quantiles,
  },
  expect_column_most_common_value_to_be_in_set: {
    kwargs: { column: true, value_set: true, ties_okay: false },
    start: mostCommon,
  },
  expect_column_distinct_values_to_be_in_set: distinctSet((found, expected) =>
    [...found].every((key) => expected.has(key)),
  ),
  expect_column_distinct_values_to_contain_set: distinctSet((found, expected) =>
    [...expected].every((key) => found.has(key)),
  ),
  expect_column_distinct_values_to_equal_set: distinctSet(
    (found, expected) =>
      found.size === expected.size && [...found].every((key) => expected.has(key)),
  ),
} satisfies { readonly [name: string]: Definition };

/** Feeds the values of one column that are not null. */
function overColumn(
  column: string,
  add: (value: Value) => void,
  finish: (rows: number) => { readonly success: boolean; readonly result: JsonObject },
): Evaluator {
  return {
    columns: [column],
    add(row) {
      const value = cellAt(row, column);
      if (value !== null) add(value);
    },
    finish: ({ rows }) => ({ ...finish(rows), offences: [] }),
  };
}

function between(gather: () => Gathering): Definition {
  return {
    kwargs: RANGE,
    start(kwargs) {
      const bounds = boundsOf(kwargs);
      const gathering = gather();
      return overColumn(columnOf(kwargs), gathering.add, (rows) => {
        const observed = gathering.observe(rows);
        const success = observed !== null && within(observed, bounds);
        return { success, result: { observed_value: observed } };
      });
    },
  };
}

interface Moments {
  readonly n: number;
  readonly mean: number;
  readonly sum: number;
  readonly squares: number;
}

/** Welford's running moments and Neumaier's compensated sum: no catastrophic cancellation. */
function moments(observe: (moments: Moments) => number | null): Gathering {
  let n = 0;
  let mean = 0;
  let squares = 0;
  let sum = 0;
  let lost = 0;
  return {
    add(value) {
      const x = numeric(value);
      const next = sum + x;
      lost += Math.abs(sum) >= Math.abs(x) ? sum - next + x : x - next + sum;
      sum = next;
      n++;
      const delta = x - mean;
      mean += delta / n;
      squares += delta * (x - mean);
    },
    observe: () => observe({ n, mean: (sum + lost) / n, sum: sum + lost, squares }),
  };
}

function numeric(value: Value): number {
  if (typeof value === 'number') return value;
  throw new ExpectationProblem(
    `the column holds ${JSON.stringify(String(value).slice(0, 40))}, which is no number: ` +
      'cast it in ml:ingest (types)',
  );
}

/** All numbers of a column at 8 bytes each. */
function numbers() {
  let values = new Float64Array(1024);
  let length = 0;
  return {
    add(value: Value) {
      if (length === values.length) {
        const larger = new Float64Array(length * 2);
        larger.set(values);
        values = larger;
      }
      values[length++] = numeric(value);
    },
    sorted: () => values.subarray(0, length).sort(),
  };
}

/** Linear interpolation, the default of pandas and numpy. */
function quantile(sorted: Float64Array, q: number): number | null {
  return sorted.length === 0 ? null : percentile(sorted, q);
}

function extreme(direction: 1 | -1): Gathering {
  let best: number | string | null = null;
  return {
    add(value) {
      if (typeof value === 'boolean') throw new ExpectationProblem('the column holds booleans');
      if (best !== null && typeof value !== typeof best) {
        throw new ExpectationProblem('the column mixes numbers and texts');
      }
      if (best === null || direction * compareValues(value, best) > 0) best = value;
    },
    observe: () => best,
  };
}

function distinct() {
  const counts = new Map<string, { readonly value: Value; count: number }>();
  let total = 0;
  return {
    counts,
    total: () => total,
    add(value: Value) {
      total++;
      const key = keyOf(value);
      const known = counts.get(key);
      if (known !== undefined) known.count++;
      else {
        if (counts.size >= DISTINCT_MAX) {
          throw new ExpectationProblem(`more than ${DISTINCT_MAX} different values to remember`);
        }
        counts.set(key, { value, count: 1 });
      }
    },
  };
}

function distinctSet(
  holds: (found: ReadonlySet<string>, expected: ReadonlySet<string>) => boolean,
): Definition {
  return {
    kwargs: { column: true, value_set: true },
    start(kwargs) {
      const expected = new Set(listOf(kwargs.value_set, 'value_set').map(keyOf));
      const found = distinct();
      return overColumn(columnOf(kwargs), found.add, () => {
        const values = [...found.counts.values()].sort((a, b) => compareValues(a.value, b.value));
        return {
          success: holds(new Set(found.counts.keys()), expected),
          result: {
            observed_value: values.map(({ value }) => value),
            details: { value_counts: values.map(({ value, count }) => ({ value, count })) },
          },
        };
      });
    },
  };
}

function mostCommon(kwargs: JsonObject): Evaluator {
  const expected = new Set(listOf(kwargs.value_set, 'value_set').map(keyOf));
  const found = distinct();
  return overColumn(columnOf(kwargs), found.add, () => {
    let most = 0;
    for (const { count } of found.counts.values()) most = Math.max(most, count);
    const common = [...found.counts].filter(([, { count }]) => count === most);
    const matching = common.filter(([key]) => expected.has(key)).length;
    const success =
      kwargs.ties_okay === true ? matching > 0 : common.length === 1 && matching === 1;
    const observed = common.map(([, { value }]) => value).sort(compareValues);
    return { success, result: { observed_value: observed } };
  });
}

function quantiles(kwargs: JsonObject): Evaluator {
  const ranges = kwargs.quantile_ranges;
  if (!isObject(ranges)) throw new ExpectationProblem('quantile_ranges must be an object');
  const points = listOf(ranges.quantiles, 'quantiles');
  const limits = listOf(ranges.value_ranges, 'value_ranges').map((range) =>
    listOf(range, 'value_ranges'),
  );
  if (points.length !== limits.length) {
    throw new ExpectationProblem(
      'quantile_values and quantiles must have the same number of elements',
    );
  }
  const values = numbers();
  return overColumn(columnOf(kwargs), values.add, () => {
    const sorted = values.sorted();
    const observed = points.map((point) => quantile(sorted, Number(point)));
    const each = observed.map((value, i) => isInside(value, limits[i] ?? []));
    return {
      success: each.every(Boolean),
      result: {
        observed_value: { quantiles: [...points], values: observed },
        details: { success_details: each },
      },
    };
  });
}

function isInside(value: number | null, [min, max]: readonly Json[]): boolean {
  if (value === null) return false;
  if (typeof min === 'number' && value < min) return false;
  return !(typeof max === 'number' && value > max);
}
