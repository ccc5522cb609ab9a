/**
 * Metrics of a classifier from true labels, predicted labels and scores. The numbers equal scikit-learn's
 * (test/ml/metrics/golden.json, recorded by the script beside it); where a class is never predicted or
 * never true, its precision, recall and F1 are 0, as sklearn's `zero_division=0`.
 */

export interface ClassScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly support: number;
}

export interface Averages {
  readonly micro: ClassScore;
  readonly macro: ClassScore;
  readonly weighted: ClassScore;
}

/** `matrix[t][p]`: how many of true class t were predicted as p. */
export type ConfusionMatrix = readonly (readonly number[])[];

export function confusionMatrix(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: number,
): ConfusionMatrix {
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < truth.length; i++) {
    const row = matrix[truth[i] as number] as number[];
    row[predicted[i] as number] = (row[predicted[i] as number] as number) + 1;
  }
  return matrix;
}

export function accuracy(matrix: ConfusionMatrix): number {
  const total = sum(matrix.map(sum));
  return ratio(sum(matrix.map((row, i) => row[i] as number)), total);
}

export function perClass(matrix: ConfusionMatrix): readonly ClassScore[] {
  return matrix.map((row, i) => {
    const hits = row[i] as number;
    const predicted = sum(matrix.map((other) => other[i] as number));
    return scoreOf(hits, predicted, sum(row));
  });
}

export function averages(matrix: ConfusionMatrix): Averages {
  const classes = perClass(matrix);
  const total = sum(classes.map((one) => one.support));
  const hits = sum(matrix.map((row, i) => row[i] as number));
  // A class that is neither true nor predicted is no class of this data, as in sklearn.
  const present = classes.filter(
    (one, i) => one.support > 0 || matrix.some((row) => (row[i] as number) > 0),
  );
  const mean = (weight: (one: ClassScore) => number): ClassScore => {
    const whole = sum(present.map(weight));
    const of = (key: 'precision' | 'recall' | 'f1') =>
      ratio(sum(present.map((one) => one[key] * weight(one))), whole);
    return { precision: of('precision'), recall: of('recall'), f1: of('f1'), support: total };
  };
  return {
    micro: { ...scoreOf(hits, total, total), support: total },
    macro: mean(() => 1),
    weighted: mean((one) => one.support),
  };
}

function scoreOf(hits: number, predicted: number, support: number): ClassScore {
  return {
    precision: ratio(hits, predicted),
    recall: ratio(hits, support),
    f1: ratio(2 * hits, predicted + support),
    support,
  };
}

/** Cohen's kappa: agreement beyond what the two margins give by chance; 0 where there is no chance. */
export function cohensKappa(matrix: ConfusionMatrix): number {
  const truth = matrix.map(sum);
  const total = sum(truth);
  const hits = sum(matrix.map((row, i) => row[i] as number));
  const byChance = sum(
    truth.map((count, i) => (count * sum(matrix.map((row) => row[i] as number))) / total),
  );
  return ratio(hits - byChance, total - byChance);
}

/** Matthews' correlation: one number for skewed classes, 0 for chance. */
export function matthewsCorrelation(matrix: ConfusionMatrix): number {
  const truth = matrix.map(sum);
  const predicted = matrix.map((_, i) => sum(matrix.map((row) => row[i] as number)));
  const total = sum(truth);
  const hits = sum(matrix.map((row, i) => row[i] as number));
  const product = (a: readonly number[], b: readonly number[]) =>
    sum(a.map((value, i) => value * (b[i] as number)));
  const covariance = hits * total - product(truth, predicted);
  const spread = Math.sqrt(
    (total ** 2 - product(predicted, predicted)) * (total ** 2 - product(truth, truth)),
  );
  return ratio(covariance, spread);
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
