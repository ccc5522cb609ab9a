/**
 * Rows as the tensors of a batch: token ids and their mask, or the pixels of images. Whoever trains
 * on them knows lengths and labels only.
 */
import { dirname } from 'node:path';
import type { EncoderConfig } from '../encoder/config.js';
import { type ImageProcessor, imageInside } from '../encoder/images.js';
import type { Tokenize } from '../encoder/tokenizer.js';
import type { Feeds } from '../onnx/session.js';
import { elementCount, floatTensor } from '../onnx/tensor.js';
import { type Batch, buckets, tokenFeeds } from './batches.js';
import type { RowFile } from './rows.js';

export interface Examples {
  /** Index of the label of every row. */
  readonly labels: readonly number[];
  /** By which batches are formed: tokens of a text; 1 for every image. */
  readonly lengths: readonly number[];
  /** The inputs of the encoder for `batchSize` rows, those beyond the batch filled up. */
  feeds(batch: Batch, batchSize: number): Promise<Feeds>;
}

/** How rows of one kind become examples. */
export interface ExampleReader {
  readonly field: 'text' | 'image';
  /** Lengths that batches are padded to. */
  readonly bucketLengths: readonly number[];
  read(file: RowFile): Examples;
}

export function textReader(
  config: EncoderConfig,
  tokenize: Tokenize,
  maxLength: number,
): ExampleReader {
  return {
    field: 'text',
    bucketLengths: buckets(maxLength),
    read: ({ rows }) => {
      const tokens = rows.map(({ input, label }) => ({ ids: tokenize(input), label }));
      return {
        labels: rows.map((row) => row.label),
        lengths: tokens.map((row) => row.ids.length),
        feeds: async (batch, batchSize) => tokenFeeds(tokens, batch, batchSize, config.padTokenId),
      };
    },
  };
}

/** Bytes of resized images kept between epochs; what does not fit is decoded again. */
const MAX_CACHED_BYTES = 512 * 1024 * 1024;

export function imageReader(processor: ImageProcessor): ExampleReader {
  const shape = [processor.channels, processor.size, processor.size];
  const pixelCount = elementCount(shape);
  return {
    field: 'image',
    bucketLengths: [1],
    read: ({ rows, path }) => {
      const folder = dirname(path);
      const cache = new Map<number, Uint8Array>();
      const pixelsOf = async (row: number): Promise<Uint8Array> => {
        const known = cache.get(row);
        if (known !== undefined) return known;
        const pixels = await processor.decode(await imageInside(folder, rows[row]!.input));
        if ((cache.size + 1) * pixels.length <= MAX_CACHED_BYTES) cache.set(row, pixels);
        return pixels;
      };
      return {
        labels: rows.map((row) => row.label),
        lengths: rows.map(() => 1),
        feeds: async (batch, batchSize) => {
          const data = new Float32Array(batchSize * pixelCount);
          const images = await Promise.all(batch.rows.map(pixelsOf));
          images.forEach((pixels, row) => {
            processor.normalise(pixels, data.subarray(row * pixelCount, (row + 1) * pixelCount));
          });
          return { pixel_values: floatTensor([batchSize, ...shape], data) };
        },
      };
    },
  };
}
