/**
 * What a dataset looks like: types, completeness, distinct values, moments, quantiles, histograms. In one
 * pass over at most ROWS_MAX rows, which are kept column by column.
 */
import type { Json } from '../../lib/json.js';
import type { Cell, Row } from '../data/record.js';
import { percentile } from '../metrics/latency.js';

export type ColumnKind = 'integer' | 'number' | 'boolean' | 'datetime' | 'text' | 'mixed' | 'empty';

export interface Bin {
  readonly from: number;
  /** Included in the last bin only. */
  readonly to: number;
  readonly count: number;
}

export interface NumberSummary {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** With n - 1, as pandas. */
  readonly std: number | null;
  readonly quantiles: { readonly [share: string]: number };
  readonly histogram: readonly Bin[];
}

export interface ColumnProfile {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly rows: number;
  readonly missing: number;
  readonly completeness: number;
  /** Counted up to DISTINCT_MAX. */
  readonly distinct: number;
  readonly unique: boolean;
  /** Most frequent first. */
  readonly top: readonly { readonly value: Exclude<Cell, null>; readonly count: number }[];
  /** Of the numbers; of texts, of their lengths in characters. */
  readonly numbers: NumberSummary | null;
  readonly lengths: NumberSummary | null;
}

export interface Profile {
  readonly rows: number;
  /** True when the dataset went on beyond what was read. */
  readonly sampled: boolean;
  readonly columns: readonly ColumnProfile[];
}

export const ROWS_MAX = 500_000;
const DISTINCT_MAX = 10_000;
const TOP_SHOWN = 10;
const BINS = 20;
const SHARES = [0.05, 0.25, 0.5, 0.75, 0.95];

export async function profile(
  batches: AsyncIterable<readonly Row[]>,
  maxRows: number = ROWS_MAX,
): Promise<Profile> {
  const columns = new Map<string, Cell[]>();
  let rows = 0;
  let sampled = false;
  reading: for await (const batch of batches) {
    for (const row of batch) {
      if (rows === maxRows) {
        sampled = true;
        break reading;
      }
      for (const name of Object.keys(row)) {
        // A column that starts late was missing before.
        if (!columns.has(name)) columns.set(name, new Array<Cell>(rows).fill(null));
      }
      for (const [name, values] of columns) {
        values.push(Object.hasOwn(row, name) ? (row[name] as Cell) : null);
      }
      rows++;
    }
  }
  return { rows, sampled, columns: [...columns].map(([name, values]) => columnOf(name, values)) };
}

function columnOf(name: string, values: readonly Cell[]): ColumnProfile {
  const present = values.filter(
    (value): value is Exclude<Cell, null> => value !== null && value !== '',
  );
  const kind = kindOf(present);
  const counts = new Map<Exclude<Cell, null>, number>();
  for (const value of present) {
    const known = counts.get(value);
    if (known !== undefined || counts.size < DISTINCT_MAX) counts.set(value, (known ?? 0) + 1);
  }
  const top = [...counts].sort((a, b) => b[1] - a[1] || (String(a[0]) < String(b[0]) ? -1 : 1));
  const isText = kind === 'text' || kind === 'datetime';
  return {
    name,
    kind,
    rows: values.length,
    missing: values.length - present.length,
    completeness: values.length === 0 ? 1 : present.length / values.length,
    distinct: counts.size,
    unique: present.length > 0 && counts.size === present.length,
    top: top.slice(0, TOP_SHOWN).map(([value, count]) => ({ value, count })),
    numbers: kind === 'integer' || kind === 'number' ? summary(present as readonly number[]) : null,
    lengths: isText ? summary(present.map((value) => [...String(value)].length)) : null,
  };
}

const DATETIME = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

function kindOf(present: readonly Exclude<Cell, null>[]): ColumnKind {
  if (present.length === 0) return 'empty';
  const all = (test: (value: Exclude<Cell, null>) => boolean) => present.every(test);
  if (all((value) => typeof value === 'number'))
    return all(Number.isInteger) ? 'integer' : 'number';
  if (all((value) => typeof value === 'boolean')) return 'boolean';
  if (all((value) => typeof value !== 'string')) return 'mixed';
  if (!all((value) => typeof value === 'string')) return 'mixed';
  return all((value) => DATETIME.test(value as string)) ? 'datetime' : 'text';
}

export function summary(values: readonly number[]): NumberSummary {
  const sorted = Float64Array.from(values).sort();
  let [mean, squares] = [0, 0];
  values.forEach((value, i) => {
    const delta = value - mean;
    mean += delta / (i + 1);
    squares += delta * (value - mean);
  });
  const quantiles = SHARES.map((share) => [String(share), percentile(sorted, share)] as const);
  return {
    min: sorted[0] as number,
    max: sorted.at(-1) as number,
    mean,
    std: values.length < 2 ? null : Math.sqrt(squares / (values.length - 1)),
    quantiles: Object.fromEntries(quantiles),
    histogram: histogram(sorted),
  };
}

/** Equal bins from the least to the greatest value; a single one when all are equal. */
function histogram(sorted: Float64Array): readonly Bin[] {
  const [min, max] = [sorted[0] as number, sorted.at(-1) as number];
  const bins = max === min ? 1 : BINS;
  const width = (max - min) / bins;
  const counts = new Array<number>(bins).fill(0);
  for (const value of sorted) {
    const bin = width === 0 ? 0 : Math.min(bins - 1, Math.floor((value - min) / width));
    counts[bin] = (counts[bin] as number) + 1;
  }
  return counts.map((count, bin) => ({
    from: min + bin * width,
    to: bin === bins - 1 ? max : min + (bin + 1) * width,
    count,
  }));
}

/** A profile as plain JSON. */
export function profileJson(given: Profile): Json {
  return JSON.parse(JSON.stringify(given)) as Json;
}
