/** Weighted ridge regression by the normal equations: small dense systems, Cholesky with a pivot floor. */

/**
 * The w minimising sum_i weights[i] (targets[i] - rows[i]·w)^2 + ridge |w|^2; `ridge` leaves out the
 * columns named in `unpenalised` (an intercept). Throws RangeError when the system is singular.
 */
export function weightedRidge(
  rows: readonly ArrayLike<number>[],
  targets: readonly number[],
  weights: readonly number[],
  ridge: number,
  unpenalised: readonly number[] = [],
): number[] {
  const size = rows[0]?.length ?? 0;
  const left = Array.from({ length: size }, () => new Float64Array(size));
  const right = new Float64Array(size);
  rows.forEach((row, i) => {
    const weight = weights[i] as number;
    if (weight === 0) return;
    for (let a = 0; a < size; a++) {
      const scaled = weight * (row[a] as number);
      if (scaled === 0) continue;
      right[a] = (right[a] as number) + scaled * (targets[i] as number);
      const line = left[a] as Float64Array;
      for (let b = 0; b <= a; b++) line[b] = (line[b] as number) + scaled * (row[b] as number);
    }
  });
  for (let a = 0; a < size; a++) {
    if (!unpenalised.includes(a)) (left[a] as Float64Array)[a]! += ridge;
  }
  return solve(left, right);
}

/** Cholesky of the lower triangle in place, then both substitutions. */
function solve(left: readonly Float64Array[], right: Float64Array): number[] {
  const size = right.length;
  const scale = left.reduce((most, line, a) => Math.max(most, line[a] as number), 0);
  for (let a = 0; a < size; a++) {
    const line = left[a] as Float64Array;
    for (let b = 0; b <= a; b++) {
      const other = left[b] as Float64Array;
      let value = line[b] as number;
      for (let k = 0; k < b; k++) value -= (line[k] as number) * (other[k] as number);
      if (a === b && !(value > scale * 1e-13)) {
        throw new RangeError('The system is singular: too few different samples.');
      }
      line[b] = a === b ? Math.sqrt(value) : value / (other[b] as number);
    }
  }
  const result = Array.from(right);
  for (let a = 0; a < size; a++) {
    const line = left[a] as Float64Array;
    for (let k = 0; k < a; k++) result[a]! -= (line[k] as number) * result[k]!;
    result[a]! /= line[a] as number;
  }
  for (let a = size - 1; a >= 0; a--) {
    for (let k = a + 1; k < size; k++)
      result[a]! -= ((left[k] as Float64Array)[a] as number) * result[k]!;
    result[a]! /= (left[a] as Float64Array)[a] as number;
  }
  return result;
}

/** Share of the weighted variance of the targets that the fit explains; 1 where there is none. */
export function weightedR2(
  fitted: readonly number[],
  targets: readonly number[],
  weights: readonly number[],
): number {
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = targets.reduce((sum, y, i) => sum + y * weights[i]!, 0) / whole;
  let [left, spread] = [0, 0];
  targets.forEach((y, i) => {
    left += weights[i]! * (y - fitted[i]!) ** 2;
    spread += weights[i]! * (y - mean) ** 2;
  });
  return spread < 1e-24 ? 1 : 1 - left / spread;
}
