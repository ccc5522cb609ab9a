/**
 * Metrics of a classifier's probabilities. `scores` is one flat row-major array of n rows and k classes,
 * so that a million predictions are one buffer. Definitions are scikit-learn's.
 */

export interface Scores {
  readonly values: ArrayLike<number>;
  readonly classes: number;
}

/** The least probability a 64-bit float leaves (sklearn clips float64 scores to [eps, 1 - eps]). */
const EPSILON = 2 ** -52;

/** Mean negative log probability of the true class; rows are clipped and brought to sum 1. */
export function logLoss(truth: ArrayLike<number>, scores: Scores): number | null {
  if (truth.length === 0) return null;
  let total = 0;
  for (let i = 0; i < truth.length; i++) {
    let whole = 0;
    for (let c = 0; c < scores.classes; c++) whole += clipped(at(scores, i, c));
    total -= Math.log(clipped(at(scores, i, truth[i] as number)) / whole);
  }
  return total / truth.length;
}

/**
 * Mean squared distance between scores and the one-hot truth, summed over classes. For two classes this
 * is twice the binary Brier score; `binaryBrier` is sklearn's `brier_score_loss`.
 */
export function brier(truth: ArrayLike<number>, scores: Scores): number | null {
  if (truth.length === 0) return null;
  let total = 0;
  for (let i = 0; i < truth.length; i++) {
    for (let c = 0; c < scores.classes; c++) {
      total += (at(scores, i, c) - (truth[i] === c ? 1 : 0)) ** 2;
    }
  }
  return total / truth.length;
}

export function binaryBrier(truth: ArrayLike<number>, scores: Scores): number | null {
  if (truth.length === 0 || scores.classes !== 2) return null;
  let total = 0;
  for (let i = 0; i < truth.length; i++) total += (at(scores, i, 1) - (truth[i] as number)) ** 2;
  return total / truth.length;
}

export interface CalibrationBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly confidence: number;
  readonly accuracy: number;
}

/** Equal-width bins (low, high] over the score of the predicted class, as Guo et al. 2017. */
export function calibration(
  truth: ArrayLike<number>,
  scores: Scores,
  bins = 10,
): { readonly error: number | null; readonly bins: readonly CalibrationBin[] } {
  const counts = new Array<number>(bins).fill(0);
  const confidences = new Array<number>(bins).fill(0);
  const hits = new Array<number>(bins).fill(0);
  for (let i = 0; i < truth.length; i++) {
    const best = argmax(scores, i);
    const confidence = at(scores, i, best);
    const bin = Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1));
    (counts[bin] as number)++;
    (confidences[bin] as number) += confidence;
    if (best === truth[i]) (hits[bin] as number)++;
  }
  const table = counts.map((count, b) => ({
    from: b / bins,
    to: (b + 1) / bins,
    count,
    confidence: count === 0 ? 0 : (confidences[b] as number) / count,
    accuracy: count === 0 ? 0 : (hits[b] as number) / count,
  }));
  const gap = table.reduce(
    (sum, bin) => sum + bin.count * Math.abs(bin.confidence - bin.accuracy),
    0,
  );
  return { error: truth.length === 0 ? null : gap / truth.length, bins: table };
}

export interface RocAuc {
  /** One class against the rest; null where the class is never or always true. */
  readonly perClass: readonly (number | null)[];
  readonly macro: number | null;
  readonly weighted: number | null;
}

/** Area under the ROC curve by ranks: the chance that a true row outranks another, ties counting half. */
export function rocAuc(truth: ArrayLike<number>, scores: Scores): RocAuc {
  const order = new Uint32Array(truth.length);
  const perClass: (number | null)[] = [];
  const supports: number[] = [];
  for (let c = 0; c < scores.classes; c++) {
    perClass.push(areaOf(c, truth, scores, order));
    let support = 0;
    for (let i = 0; i < truth.length; i++) if (truth[i] === c) support++;
    supports.push(support);
  }
  if (perClass.some((area) => area === null)) return { perClass, macro: null, weighted: null };
  const areas = perClass as readonly number[];
  return {
    perClass,
    macro: areas.reduce((sum, area) => sum + area, 0) / areas.length,
    weighted:
      areas.reduce((sum, area, c) => sum + area * (supports[c] as number), 0) / truth.length,
  };
}

function areaOf(
  target: number,
  truth: ArrayLike<number>,
  scores: Scores,
  order: Uint32Array,
): number | null {
  for (let i = 0; i < order.length; i++) order[i] = i;
  order.sort((a, b) => at(scores, a, target) - at(scores, b, target));
  let positives = 0;
  let rankSum = 0;
  for (let from = 0; from < order.length; ) {
    const score = at(scores, order[from] as number, target);
    let to = from;
    let here = 0;
    while (to < order.length && at(scores, order[to] as number, target) === score) {
      if (truth[order[to] as number] === target) here++;
      to++;
    }
    // Ties share the mean of their ranks from..to-1, counted from 1.
    rankSum += here * ((from + 1 + to) / 2);
    positives += here;
    from = to;
  }
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) return null;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

export function argmax(scores: Scores, row: number): number {
  let best = 0;
  for (let c = 1; c < scores.classes; c++) if (at(scores, row, c) > at(scores, row, best)) best = c;
  return best;
}

function at(scores: Scores, row: number, column: number): number {
  return scores.values[row * scores.classes + column] as number;
}

function clipped(value: number): number {
  return Math.min(1 - EPSILON, Math.max(EPSILON, value));
}
