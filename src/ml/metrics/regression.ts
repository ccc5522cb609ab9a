/** Metrics of predicted numbers, as scikit-learn defines them. */

export interface RegressionMetrics {
  readonly mae: number;
  readonly mse: number;
  readonly rmse: number;
  /** Null for fewer than two rows, as sklearn's NaN; 1 or 0 where the truth never varies. */
  readonly r2: number | null;
}

/** Null when there are no rows. Throws RangeError when the lengths differ. */
export function regressionMetrics(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
): RegressionMetrics | null {
  const rows = truth.length;
  if (rows !== predicted.length) {
    throw new RangeError(`${predicted.length} predictions for ${rows} true values.`);
  }
  if (rows === 0) return null;
  let absolute = 0;
  let squared = 0;
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    const error = (predicted[i] as number) - (truth[i] as number);
    absolute += Math.abs(error);
    squared += error * error;
    sum += truth[i] as number;
  }
  const mean = sum / rows;
  let spread = 0;
  for (let i = 0; i < rows; i++) spread += ((truth[i] as number) - mean) ** 2;
  return {
    mae: absolute / rows,
    mse: squared / rows,
    rmse: Math.sqrt(squared / rows),
    r2: rows < 2 ? null : spread === 0 ? (squared === 0 ? 1 : 0) : 1 - squared / spread,
  };
}
