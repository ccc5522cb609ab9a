/** Tests whether two samples come from one population: Kolmogorov-Smirnov, chi-square, permutation. */
import { chiSquareSurvival, kolmogorovSurvival } from './special-functions.js';

export interface TestResult {
  readonly statistic: number;
  readonly pValue: number;
}

/**
 * Two-sample Kolmogorov-Smirnov. Ties are stepped over together. The p-value is the asymptotic one with
 * Stephens' correction for small samples; with ties it is on the safe side (too large).
 */
export function kolmogorovSmirnov(a: readonly number[], b: readonly number[]): TestResult {
  const x = Float64Array.from(a).sort();
  const y = Float64Array.from(b).sort();
  let [i, j, largest] = [0, 0, 0];
  while (i < x.length && j < y.length) {
    const value = Math.min(x[i]!, y[j]!);
    while (i < x.length && x[i]! <= value) i++;
    while (j < y.length && y[j]! <= value) j++;
    largest = Math.max(largest, Math.abs(i / x.length - j / y.length));
  }
  const size = Math.sqrt((x.length * y.length) / (x.length + y.length));
  const pValue = kolmogorovSurvival((size + 0.12 + 0.11 / size) * largest);
  return { statistic: largest, pValue };
}

/** Chi-square test of homogeneity over two rows of counts (no continuity correction). */
export function chiSquare(reference: readonly number[], current: readonly number[]): TestResult {
  const used = reference
    .map((count, i) => [count, current[i]!] as const)
    .filter(([r, c]) => r + c > 0);
  const [n, m] = [0, 1].map((side) => used.reduce((sum, pair) => sum + pair[side]!, 0)) as [
    number,
    number,
  ];
  if (used.length < 2 || n === 0 || m === 0) return { statistic: 0, pValue: 1 };
  let statistic = 0;
  for (const [r, c] of used) {
    const share = (r + c) / (n + m);
    statistic += (r - n * share) ** 2 / (n * share) + (c - m * share) ** 2 / (m * share);
  }
  return { statistic, pValue: chiSquareSurvival(statistic, used.length - 1) };
}

/**
 * Permutation test of a distance between the means of two groups of vectors: how often a random split
 * of all rows lies as far apart as the real one, and how far one lies apart on average (`expected`).
 * `random` makes it repeatable. Sequential (Besag and Clifford, 1991): it ends as soon as enough random
 * splits lie as far apart, since the answer is then clear; a window without drift costs a few rounds.
 */
export function meanShift(
  reference: readonly Float64Array[],
  current: readonly Float64Array[],
  options: { readonly permutations: number; readonly random: () => number },
): TestResult & { readonly expected: number } {
  const rows = [...reference, ...current];
  const width = rows[0]?.length ?? 0;
  const total = new Float64Array(width);
  for (const row of rows) for (let k = 0; k < width; k++) total[k]! += row[k]!;
  const split = reference.length;
  const observed = distance(
    rows,
    current.map((_, i) => split + i),
    total,
  );
  const order = rows.map((_, index) => index);
  let [atLeast, rounds, sum] = [0, 0, 0];
  while (rounds < options.permutations && atLeast < CLEAR) {
    rounds++;
    // Only as many draws as the smaller group has members: a partial Fisher-Yates.
    for (let i = 0; i < current.length; i++) {
      const j = i + Math.floor(options.random() * (order.length - i));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    const random = distance(rows, order.slice(0, current.length), total);
    sum += random;
    if (random >= observed) atLeast++;
  }
  return {
    statistic: observed,
    pValue: atLeast >= CLEAR ? atLeast / rounds : (atLeast + 1) / (options.permutations + 1),
    expected: sum / Math.max(1, rounds),
  };
}

/** Random splits as far apart as the real one after which the question is settled. */
const CLEAR = 20;

/** Euclidean distance of the chosen rows' mean from the mean of all others. */
function distance(
  rows: readonly Float64Array[],
  chosen: readonly number[],
  total: Float64Array,
): number {
  const width = total.length;
  const sum = new Float64Array(width);
  for (const index of chosen) {
    const row = rows[index]!;
    for (let k = 0; k < width; k++) sum[k]! += row[k]!;
  }
  const [n, m] = [chosen.length, rows.length - chosen.length];
  let squares = 0;
  for (let k = 0; k < width; k++) squares += (sum[k]! / n - (total[k]! - sum[k]!) / m) ** 2;
  return Math.sqrt(squares);
}
