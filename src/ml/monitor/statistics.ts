/**
 * `statistics.json` as SageMaker Model Monitor writes it (Deequ's profile): type, completeness, moments
 * and a histogram of each column. Columns of text too varied to be categories have no histogram.
 */
import { getOwn, type Json, type JsonObject } from '../../lib/json.js';

export type InferredType = 'Integral' | 'Fractional' | 'String' | 'Unknown';

export interface ColumnStatistics {
  readonly name: string;
  readonly type: InferredType;
  readonly present: number;
  readonly missing: number;
  /** Of numbers; null otherwise. */
  readonly numbers: readonly number[] | null;
  /** Counts by value, of texts with few different ones; null otherwise. */
  readonly categories: ReadonlyMap<string, number> | null;
  readonly distinct: number;
  /** Share of the values that are of the inferred type. */
  readonly typeShare: number;
}

/** More different texts than this are no categories. */
const MAX_CATEGORIES = 50;
const BUCKETS = 10;

export function describeColumns(
  rows: readonly JsonObject[],
  names: readonly string[],
): ColumnStatistics[] {
  return names.map((name) =>
    describeColumn(
      name,
      rows.map((row) => getOwn(row, name) ?? null),
    ),
  );
}

function describeColumn(name: string, values: readonly Json[]): ColumnStatistics {
  const present = values.filter((value) => value !== null && value !== '');
  const numbers = present.filter((value): value is number => typeof value === 'number');
  const integers = numbers.filter(Number.isInteger);
  const isNumeric = numbers.length > present.length / 2;
  const type: InferredType =
    present.length === 0
      ? 'Unknown'
      : isNumeric
        ? integers.length === numbers.length
          ? 'Integral'
          : 'Fractional'
        : 'String';
  const texts = present.filter((value) => typeof value === 'string');
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  const categorical = type === 'String' && counts.size <= MAX_CATEGORIES;
  const ofType = type === 'String' ? texts.length : numbers.length;
  return {
    name,
    type,
    present: present.length,
    missing: values.length - present.length,
    numbers: isNumeric ? numbers : null,
    categories: categorical ? counts : null,
    distinct: isNumeric ? new Set(numbers).size : counts.size,
    typeShare: present.length === 0 ? 1 : ofType / present.length,
  };
}

export function statisticsFile(columns: readonly ColumnStatistics[], rowCount: number): JsonObject {
  return {
    version: 0,
    dataset: { item_count: rowCount },
    features: columns.map(featureOf),
  };
}

function featureOf(column: ColumnStatistics): JsonObject {
  const common = { num_present: column.present, num_missing: column.missing };
  const base = { name: column.name, inferred_type: column.type };
  if (column.numbers !== null) {
    return { ...base, numerical_statistics: { common, ...numericStatistics(column.numbers) } };
  }
  const buckets = [...(column.categories ?? [])].map(([value, count]) => ({ value, count }));
  return {
    ...base,
    string_statistics: {
      common,
      distinct_count: column.distinct,
      ...(column.categories === null ? {} : { distribution: { categorical: { buckets } } }),
    },
  };
}

function numericStatistics(numbers: readonly number[]): JsonObject {
  const sum = numbers.reduce((total, value) => total + value, 0);
  const mean = sum / numbers.length;
  const variance =
    numbers.reduce((total, value) => total + (value - mean) ** 2, 0) / numbers.length;
  const min = numbers.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const max = numbers.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const width = (max - min) / BUCKETS || 1;
  const counts = new Array<number>(BUCKETS).fill(0);
  for (const value of numbers) counts[Math.min(BUCKETS - 1, Math.floor((value - min) / width))]!++;
  const buckets = counts.map((count, bucket) => ({
    lower_bound: min + bucket * width,
    upper_bound: min + (bucket + 1) * width,
    count,
  }));
  return {
    mean,
    sum,
    std_dev: Math.sqrt(variance),
    min,
    max,
    distribution: { kll: { buckets, sketch: { parameters: { c: 0.64, k: 2048 }, data: [] } } },
  };
}
