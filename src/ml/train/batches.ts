/**
 * Batches of rows of similar length. Padding up to a bucket's length wastes less than padding to
 * maxLength, and one graph per bucket is built once. The order of an epoch follows from the seed
 * and the epoch alone, so a resumed run knows its place from the step number.
 */
import { SeededRandom } from '../onnx/seeded-random.js';
import type { Feeds } from '../onnx/session.js';
import { floatTensor } from '../onnx/tensor.js';

export interface TokenRow {
  readonly ids: readonly number[];
  readonly label: number;
}

export interface Batch {
  /** Tokens per row after padding. */
  readonly sequence: number;
  /** Indices of rows; may be fewer than the batch size. */
  readonly rows: readonly number[];
}

/** 16, 32, 64, … up to and including maxLength. */
export function buckets(maxLength: number): readonly number[] {
  const lengths: number[] = [];
  for (let length = 16; length < maxLength; length *= 2) lengths.push(length);
  return [...lengths, maxLength];
}

/** The batches of an epoch in their order. Rows are shuffled, then cut per bucket. */
export function planEpoch(
  lengths: readonly number[],
  bucketLengths: readonly number[],
  batchSize: number,
  random: SeededRandom,
): Batch[] {
  const order = random.shuffled(lengths.map((_, index) => index));
  const batches = cut(order, lengths, bucketLengths, batchSize);
  return random.shuffled(batches);
}

/** Batches in row order, for evaluation. */
export function planEvaluation(
  lengths: readonly number[],
  bucketLengths: readonly number[],
  batchSize: number,
): Batch[] {
  const order = lengths.map((_, index) => index);
  return cut(order, lengths, bucketLengths, batchSize);
}

function cut(
  order: readonly number[],
  lengths: readonly number[],
  bucketLengths: readonly number[],
  batchSize: number,
): Batch[] {
  const filling = new Map<number, number[]>();
  const batches: Batch[] = [];
  for (const row of order) {
    const sequence = bucketLengths.find((bucket) => lengths[row]! <= bucket)!;
    const rows = filling.get(sequence) ?? [];
    rows.push(row);
    if (rows.length < batchSize) filling.set(sequence, rows);
    else {
      batches.push({ sequence, rows });
      filling.delete(sequence);
    }
  }
  for (const [sequence, rows] of filling) batches.push({ sequence, rows });
  return batches;
}

export function epochRandom(seed: number, epoch: number): SeededRandom {
  return new SeededRandom(seed, 'order', epoch);
}

/** input_ids and attention_mask, int64 [batchSize, sequence]; missing rows are all padding. */
export function tokenFeeds(
  rows: readonly TokenRow[],
  batch: Batch,
  batchSize: number,
  padTokenId: number,
): Feeds {
  const shape = [batchSize, batch.sequence];
  const ids = new BigInt64Array(batchSize * batch.sequence).fill(BigInt(padTokenId));
  const mask = new BigInt64Array(batchSize * batch.sequence);
  for (let row = 0; row < batchSize; row++) {
    // A row that only fills the batch keeps one visible token: a mean over none would be 0/0.
    mask[row * batch.sequence] = 1n;
  }
  batch.rows.forEach((index, row) => {
    rows[index]!.ids.forEach((id, column) => {
      ids[row * batch.sequence + column] = BigInt(id);
      mask[row * batch.sequence + column] = 1n;
    });
  });
  return {
    input_ids: { type: 'int64', shape, data: ids },
    attention_mask: { type: 'int64', shape, data: mask },
  };
}

/**
 * The feeds with a share `rate` of the tokens between the first and the last replaced by `maskId`:
 * what a text says must then be read from what is left of it.
 */
export function hideTokens(
  feeds: Feeds,
  lengths: readonly number[],
  rate: number,
  maskId: number,
  random: SeededRandom,
): Feeds {
  const ids = feeds.input_ids!;
  const data = (ids.data as BigInt64Array).slice();
  const width = ids.shape[1]!;
  lengths.forEach((length, row) => {
    for (let column = 1; column < length - 1; column++) {
      if (random.chance(rate)) data[row * width + column] = BigInt(maskId);
    }
  });
  return { ...feeds, input_ids: { ...ids, data } };
}

/** The list in groups of `size`, the last one maybe smaller. */
export function grouped<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** labels int64 and weights float32, both [batchSize]; filling rows weigh 0. */
export function labelFeeds(
  rowLabels: readonly number[],
  batch: Batch,
  batchSize: number,
  weights: readonly number[],
): Feeds {
  const labels = new BigInt64Array(batchSize);
  const rowWeights = new Float32Array(batchSize);
  batch.rows.forEach((index, row) => {
    const label = rowLabels[index]!;
    labels[row] = BigInt(label);
    rowWeights[row] = weights[label]!;
  });
  return {
    labels: { type: 'int64', shape: [batchSize], data: labels },
    weights: floatTensor([batchSize], rowWeights),
  };
}
