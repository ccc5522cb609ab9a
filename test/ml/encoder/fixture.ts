/** A small encoder with seeded weights and one batch: what the gradient tests differentiate. */
import { type EncoderConfig, type Pooling, parseConfig } from '../../../src/ml/encoder/config.js';
import {
  encoderParameters,
  headParameters,
  initialise,
} from '../../../src/ml/encoder/parameters.js';
import { SeededRandom } from '../../../src/ml/onnx/seeded-random.js';
import type { Feeds } from '../../../src/ml/onnx/session.js';
import type { FloatTensor } from '../../../src/ml/onnx/tensor.js';
import { floatTensor } from '../../../src/ml/onnx/tensor.js';

export const LABELS = 3;
export const SHAPE = { batch: 4, sequence: 10 };

export const SMALL = {
  model_type: 'bert',
  vocab_size: 50,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 12,
  type_vocab_size: 2,
  stepwell_pooling: 'cls',
};

export function smallConfig(pooling: Pooling, extra: Record<string, string | number> = {}) {
  return parseConfig({ ...SMALL, stepwell_pooling: pooling, ...extra });
}

/** A family as the hub has it: first token, dense head. */
export function headed(family: string, extra: Record<string, string | number> = {}) {
  const { stepwell_pooling: _, ...plain } = SMALL;
  return parseConfig({ ...plain, model_type: family, ...extra });
}

export const SMALL_DISTILBERT = {
  vocab_size: 50,
  dim: 16,
  n_layers: 2,
  n_heads: 2,
  hidden_dim: 32,
  max_position_embeddings: 12,
};

/** Images of 8 pixels in four patches. */
export function visionConfig(extra: Record<string, string | number> = {}) {
  const { hidden_size, num_hidden_layers, num_attention_heads, intermediate_size } = SMALL;
  return parseConfig({
    model_type: 'vit',
    hidden_size,
    num_hidden_layers,
    num_attention_heads,
    intermediate_size,
    image_size: 8,
    patch_size: 4,
    ...extra,
  });
}

/** Weights a few times larger than BERT's start, so that every gradient has some size. */
export function seededParameters(config: EncoderConfig, seed: number): Map<string, FloatTensor> {
  const random = new SeededRandom(seed, 'fixture');
  return new Map(
    [...encoderParameters(config), ...headParameters(config, LABELS)].map((spec) => {
      const tensor = initialise(spec, random);
      const data = tensor.data.map((value) => value * 4 + 0.05 * random.normal());
      return [spec.name, floatTensor(tensor.shape, data)];
    }),
  );
}

/** Repeated ids (rows that must add up), padding of several lengths, weights with a zero. */
export function seededBatch(config: EncoderConfig, seed: number): Feeds {
  const { batch, sequence } = SHAPE;
  const random = new SeededRandom(seed, 'batch');
  const ids = new BigInt64Array(batch * sequence);
  const mask = new BigInt64Array(batch * sequence);
  for (let row = 0; row < batch; row++) {
    for (let i = 0; i < sequence - row * 2; i++) {
      ids[row * sequence + i] = BigInt(random.below(config.vocabularySize / 3));
      mask[row * sequence + i] = 1n;
    }
  }
  const matrix = (data: BigInt64Array) => ({
    type: 'int64' as const,
    shape: [batch, sequence],
    data,
  });
  return {
    ...(config.image === null
      ? { input_ids: matrix(ids), attention_mask: matrix(mask) }
      : { pixel_values: seededPixels(config, random) }),
    labels: { type: 'int64', shape: [batch], data: BigInt64Array.of(0n, 1n, 2n, 1n) },
    weights: floatTensor([batch], Float32Array.of(1, 0.5, 2, 0)),
  };
}

function seededPixels({ image }: EncoderConfig, random: SeededRandom): FloatTensor {
  const shape = [SHAPE.batch, image!.channels, image!.size, image!.size];
  const tensor = floatTensor(shape);
  tensor.data.forEach((_, i) => {
    tensor.data[i] = random.normal();
  });
  return tensor;
}
