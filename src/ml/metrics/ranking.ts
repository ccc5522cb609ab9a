/**
 * How well scores rank: average precision (the area under the precision-recall curve as scikit-learn's
 * `average_precision_score` defines it, steps and no interpolation) and the one-against-one ROC-AUC of
 * Hand and Till (2001), `roc_auc_score(multi_class="ovo")`.
 */
import { rocAuc, type Scores } from './probability.js';

export interface AveragePrecision {
  /** One class against the rest; null where the class is never true. */
  readonly perClass: readonly (number | null)[];
  readonly macro: number | null;
}

export function averagePrecision(truth: ArrayLike<number>, scores: Scores): AveragePrecision {
  const perClass = Array.from({ length: scores.classes }, (_, c) => precisionOf(c, truth, scores));
  return { perClass, macro: meanOf(perClass) };
}

function precisionOf(target: number, truth: ArrayLike<number>, scores: Scores): number | null {
  const at = (row: number) => scores.values[row * scores.classes + target] as number;
  const order = Uint32Array.from({ length: truth.length }, (_, i) => i).sort(
    (a, b) => at(b) - at(a),
  );
  let positives = 0;
  for (let i = 0; i < truth.length; i++) if (truth[i] === target) positives++;
  if (positives === 0) return null;
  let hits = 0;
  let area = 0;
  for (let from = 0; from < order.length; ) {
    const score = at(order[from] as number);
    let to = from;
    let here = 0;
    // Rows of one score enter together: no order among ties is better than another.
    while (to < order.length && at(order[to] as number) === score) {
      if (truth[order[to] as number] === target) here++;
      to++;
    }
    hits += here;
    area += (here / positives) * (hits / to);
    from = to;
  }
  return area;
}

/** Mean over all pairs of classes of the area between these two; null when a class is never true. */
export function rocAucOneVersusOne(truth: ArrayLike<number>, scores: Scores): number | null {
  const pairs: (number | null)[] = [];
  for (let a = 0; a < scores.classes; a++) {
    for (let b = a + 1; b < scores.classes; b++) pairs.push(pairArea(a, b, truth, scores));
  }
  return meanOf(pairs);
}

function pairArea(a: number, b: number, truth: ArrayLike<number>, scores: Scores): number | null {
  const rows: number[] = [];
  for (let i = 0; i < truth.length; i++) if (truth[i] === a || truth[i] === b) rows.push(i);
  const sides = Float64Array.from(
    rows.flatMap((row) => [a, b].map((c) => scores.values[row * scores.classes + c] as number)),
  );
  const areas = rocAuc(
    rows.map((row) => (truth[row] === a ? 0 : 1)),
    { values: sides, classes: 2 },
  );
  return meanOf(areas.perClass);
}

function meanOf(values: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const value of values) {
    if (value === null) return null;
    sum += value;
  }
  return values.length === 0 ? null : sum / values.length;
}
