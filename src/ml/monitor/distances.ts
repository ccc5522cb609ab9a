/**
 * How far two samples lie apart: PSI, Jensen-Shannon, Wasserstein, and Deequ's robust maximum distance.
 * Bins come from the reference's quantiles, so that each holds about the same share of it; a value that
 * the reference never saw falls into an outer bin, a category that it never saw into one of its own.
 */

export interface Binned {
  readonly reference: readonly number[];
  readonly current: readonly number[];
}

const SMOOTHING = 1e-4;

/** Counts of both samples in at most `bins` quantile bins of the reference; equal edges fall together. */
export function binNumbers(
  reference: readonly number[],
  current: readonly number[],
  bins = 10,
): Binned {
  const sorted = Float64Array.from(reference).sort();
  const edges: number[] = [];
  for (let bin = 1; bin < bins; bin++) {
    const edge = sorted[Math.min(sorted.length - 1, Math.floor((bin * sorted.length) / bins))];
    if (edge !== undefined && edge !== edges.at(-1)) edges.push(edge);
  }
  const counts = (values: readonly number[]): number[] => {
    const result = new Array<number>(edges.length + 1).fill(0);
    for (const value of values) result[upperBound(edges, value)]!++;
    return result;
  };
  return { reference: counts(reference), current: counts(current) };
}

/** How many edges are at most `value`. */
function upperBound(edges: readonly number[], value: number): number {
  let [low, high] = [0, edges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((edges[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Counts of both samples by category, the reference's categories first. */
export function binCategories(
  reference: readonly string[],
  current: readonly string[],
): Binned & { readonly categories: readonly string[] } {
  const categories = [...new Set([...reference, ...current])];
  const places = new Map(categories.map((category, index) => [category, index]));
  const counts = (values: readonly string[]): number[] => {
    const result = new Array<number>(categories.length).fill(0);
    for (const value of values) result[places.get(value) as number]!++;
    return result;
  };
  return { categories, reference: counts(reference), current: counts(current) };
}

function shares(counts: readonly number[], smoothing: number): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const raw = counts.map((count) => Math.max(count / Math.max(1, total), smoothing));
  const sum = raw.reduce((a, b) => a + b, 0);
  return raw.map((share) => share / sum);
}

/** Population stability index: Σ (c − r) ln(c / r); empty bins count as a share of 0.0001. */
export function psi({ reference, current }: Binned): number {
  const r = shares(reference, SMOOTHING);
  const c = shares(current, SMOOTHING);
  return c.reduce((sum, share, i) => sum + (share - r[i]!) * Math.log(share / r[i]!), 0);
}

/** What the PSI of two samples from one population is on average: (bins − 1)(1/n + 1/m). */
export function expectedPsi({ reference, current }: Binned): number {
  const total = (counts: readonly number[]): number =>
    counts.reduce((sum, count) => sum + count, 0);
  const used = reference.filter((count, i) => count + current[i]! > 0).length;
  return (
    Math.max(0, used - 1) * (1 / Math.max(1, total(reference)) + 1 / Math.max(1, total(current)))
  );
}

/** Jensen-Shannon distance with base 2: 0 for equal distributions, 1 for disjoint ones. */
export function jensenShannon({ reference, current }: Binned): number {
  const r = shares(reference, 0);
  const c = shares(current, 0);
  let sum = 0;
  r.forEach((share, i) => {
    const other = c[i]!;
    const middle = (share + other) / 2;
    if (share > 0) sum += share * Math.log2(share / middle);
    if (other > 0) sum += other * Math.log2(other / middle);
  });
  return Math.sqrt(Math.max(0, sum / 2));
}

/** First Wasserstein distance, in standard deviations of the reference. */
export function wasserstein(reference: readonly number[], current: readonly number[]): number {
  const a = Float64Array.from(reference).sort();
  const b = Float64Array.from(current).sort();
  const all = Float64Array.from([...a, ...b]).sort();
  let sum = 0;
  let [i, j] = [0, 0];
  for (let k = 0; k + 1 < all.length; k++) {
    while (i < a.length && a[i]! <= all[k]!) i++;
    while (j < b.length && b[j]! <= all[k]!) j++;
    sum += Math.abs(i / a.length - j / b.length) * (all[k + 1]! - all[k]!);
  }
  const mean = a.reduce((total, value) => total + value, 0) / a.length;
  const variance = a.reduce((total, value) => total + (value - mean) ** 2, 0) / a.length;
  return variance === 0 ? (sum === 0 ? 0 : Number.POSITIVE_INFINITY) : sum / Math.sqrt(variance);
}

/** Deequ's linf_robust: the largest difference of shares, less what small samples differ by anyway. */
export function linfRobust(distance: number, n: number, m: number): number {
  return Math.max(0, distance - 1.8 * Math.sqrt((n + m) / (n * m)));
}
