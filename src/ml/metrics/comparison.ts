/**
 * Two models on the same rows: McNemar's test of their disagreements and the paired bootstrap of the
 * difference of any metric. Paired, because two models err on the same hard rows: comparing two
 * independent intervals would call most real differences chance.
 */
import { setImmediate as otherWork } from 'node:timers/promises';
import { DataFailure } from '../data/data-failure.js';
import { chiSquareSurvival, logGamma } from '../monitor/special-functions.js';
import { SeededRandom } from '../onnx/seeded-random.js';
import { type PredictionTable, sampleOf } from './predictions.js';
import { qualityOf } from './quality.js';

export interface McNemar {
  /** Rows that only the baseline, only the candidate has right. */
  readonly onlyBaseline: number;
  readonly onlyCandidate: number;
  /** `exact`: two-sided binomial; `chi-square` with continuity correction from 25 disagreements on. */
  readonly method: 'exact' | 'chi-square';
  readonly pValue: number;
}

/** Fewer disagreements than this are tested exactly. */
const EXACT_BELOW = 25;

export function mcNemar(onlyBaseline: number, onlyCandidate: number): McNemar {
  const counts = { onlyBaseline, onlyCandidate };
  const total = onlyBaseline + onlyCandidate;
  if (total < EXACT_BELOW) {
    return {
      ...counts,
      method: 'exact',
      pValue: binomial(Math.min(onlyBaseline, onlyCandidate), total),
    };
  }
  const statistic = (Math.abs(onlyBaseline - onlyCandidate) - 1) ** 2 / total;
  return { ...counts, method: 'chi-square', pValue: chiSquareSurvival(statistic, 1) };
}

/** P of at most `least` or at least `total - least` heads of a fair coin. */
function binomial(least: number, total: number): number {
  let tail = 0;
  for (let k = 0; k <= least; k++) {
    const ways = logGamma(total + 1) - logGamma(k + 1) - logGamma(total - k + 1);
    tail += Math.exp(ways - total * Math.LN2);
  }
  return Math.min(1, 2 * tail);
}

/** Throws `Evaluation.NotPaired` unless both tables hold the same rows in the same order. */
export function requirePairs(baseline: PredictionTable, candidate: PredictionTable): void {
  const rows = baseline.texts.length;
  const other = candidate.texts.findIndex(
    (text, row) =>
      text !== baseline.texts[row] ||
      candidate.labels[candidate.truth[row] as number] !==
        baseline.labels[baseline.truth[row] as number],
  );
  if (other === -1 && rows === candidate.texts.length) return;
  const where =
    other === -1 ? `${rows} and ${candidate.texts.length} rows` : `row ${other + 1} differs`;
  throw new DataFailure(
    'Evaluation.NotPaired',
    `The two models were not evaluated on the same rows (${where}). Evaluate both on one dataset.`,
  );
}

export function mcNemarOf(baseline: PredictionTable, candidate: PredictionTable): McNemar {
  const right = (table: PredictionTable, row: number) => table.truth[row] === table.predicted[row];
  let [onlyBaseline, onlyCandidate] = [0, 0];
  for (let row = 0; row < baseline.truth.length; row++) {
    const [before, now] = [right(baseline, row), right(candidate, row)];
    if (before && !now) onlyBaseline++;
    if (now && !before) onlyCandidate++;
  }
  return mcNemar(onlyBaseline, onlyCandidate);
}

export interface BootstrapOptions {
  readonly metric: string;
  readonly resamples: number;
  readonly seed: number;
  /** Of the two-sided interval, such as 0.95. */
  readonly confidence: number;
}

export interface Bootstrap {
  readonly metric: string;
  readonly baseline: number | null;
  readonly candidate: number | null;
  /** Candidate minus baseline; null when the metric is undefined on one of them. */
  readonly difference: number | null;
  readonly interval: { readonly low: number; readonly high: number } | null;
  /** Two-sided, of "no difference". */
  readonly pValue: number | null;
  readonly resamples: number;
  readonly seed: number;
}

/** Resamples are drawn in such portions; between them other work of the process goes on. */
const PORTION = 32;

/** The percentile interval of candidate minus baseline over rows drawn in pairs. */
export async function pairedBootstrap(
  baseline: PredictionTable,
  candidate: PredictionTable,
  { metric, resamples, seed, confidence }: BootstrapOptions,
  signal?: AbortSignal,
): Promise<Bootstrap> {
  const value = (table: PredictionTable, rows?: Uint32Array) =>
    qualityOf(metric, sampleOf(table, rows));
  const [before, now] = [value(baseline), value(candidate)];
  const common = { metric, baseline: before, candidate: now, resamples, seed };
  if (before === null || now === null) {
    return { ...common, difference: null, interval: null, pValue: null };
  }
  const count = baseline.truth.length;
  const random = new SeededRandom(seed, 'paired-bootstrap');
  const rows = new Uint32Array(count);
  const differences: number[] = [];
  for (let round = 0; round < resamples; round++) {
    if (round % PORTION === PORTION - 1)
      await otherWork(undefined, signal === undefined ? {} : { signal });
    for (let i = 0; i < count; i++) rows[i] = random.below(count);
    const [a, b] = [value(baseline, rows), value(candidate, rows)];
    // A class that was not drawn leaves some metrics undefined; such a draw says nothing.
    if (a !== null && b !== null) differences.push(b - a);
  }
  const sorted = Float64Array.from(differences).sort();
  const tail = (1 - confidence) / 2;
  return {
    ...common,
    difference: now - before,
    interval: sorted.length === 0 ? null : { low: at(sorted, tail), high: at(sorted, 1 - tail) },
    pValue: twoSided(sorted),
  };
}

function at(sorted: Float64Array, share: number): number {
  const place = Math.round(share * (sorted.length - 1));
  return sorted[place] as number;
}

/** With one added to both counts: a bootstrap never proves a chance of zero. */
function twoSided(sorted: Float64Array): number | null {
  if (sorted.length === 0) return null;
  const notAbove = sorted.filter((value) => value <= 0).length;
  const notBelow = sorted.filter((value) => value >= 0).length;
  return Math.min(1, (2 * (Math.min(notAbove, notBelow) + 1)) / (sorted.length + 1));
}
