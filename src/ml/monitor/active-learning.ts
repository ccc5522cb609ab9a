/**
 * Which rows are worth a person's time: those that the model is least sure of, spread out so that no
 * two of them teach the same. Uncertainty by least confidence, margin or entropy (Settles, 2009);
 * diversity by greedy k-centre on the rows' vectors (Sener and Savarese, 2018).
 */

export type Uncertainty = 'leastConfidence' | 'margin' | 'entropy';

/** 0 for a certain prediction, 1 for one that could not be less certain. Scores sum to 1. */
export function uncertainty(scores: readonly number[], method: Uncertainty): number {
  const sorted = [...scores].sort((a, b) => b - a);
  const count = sorted.length;
  if (count < 2) return 0;
  const [first = 0, second = 0] = sorted;
  if (method === 'leastConfidence') return (1 - first) * (count / (count - 1));
  if (method === 'margin') return 1 - (first - second);
  const entropy = sorted.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
  return entropy / Math.log(count);
}

export interface Candidate {
  readonly uncertainty: number;
  /** Of any length, the same for all; null when there are none and only uncertainty counts. */
  readonly vector: ArrayLike<number> | null;
}

/**
 * Indexes of the chosen rows, best first. Of the `pool` most uncertain ones, each next is the one whose
 * uncertainty times distance to those already chosen is largest.
 */
export function selectRows(
  rows: readonly Candidate[],
  count: number,
  options: { readonly diversity?: boolean; readonly poolFactor?: number } = {},
): number[] {
  const { diversity = true, poolFactor = 10 } = options;
  const order = rows
    .map((row, index) => ({ row, index }))
    .sort((a, b) => b.row.uncertainty - a.row.uncertainty || a.index - b.index);
  const pool = order.slice(0, Math.max(count, count * poolFactor));
  if (!diversity || pool.some(({ row }) => row.vector === null)) {
    return pool.slice(0, count).map(({ index }) => index);
  }
  const nearest = pool.map(() => Number.POSITIVE_INFINITY);
  const chosen: number[] = [];
  let next = 0;
  while (chosen.length < Math.min(count, pool.length)) {
    const { row, index } = pool[next]!;
    chosen.push(index);
    nearest[next] = -1;
    let best = -1;
    let bestGain = -1;
    for (const [place, other] of pool.entries()) {
      if (nearest[place]! < 0) continue;
      const distance = cosineDistance(row.vector!, other.row.vector!);
      nearest[place] = Math.min(nearest[place]!, distance);
      const gain = nearest[place]! * other.row.uncertainty;
      if (gain > bestGain) [best, bestGain] = [place, gain];
    }
    if (best < 0) break;
    next = best;
  }
  return chosen;
}

function cosineDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let k = 0; k < a.length; k++) {
    dot += a[k]! * b[k]!;
    aa += a[k]! ** 2;
    bb += b[k]! ** 2;
  }
  return aa === 0 || bb === 0 ? 1 : 1 - dot / Math.sqrt(aa * bb);
}
