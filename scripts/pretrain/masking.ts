/**
 * Batches for pre-training: texts of one length bucket, padded, with tokens masked as in BERT
 * (15 % chosen; of these 80 % become [MASK], 10 % another token, 10 % stay).
 */
import type { SeededRandom } from '../../src/ml/onnx/seeded-random.js';
import type { Feeds } from '../../src/ml/onnx/session.js';
import { floatTensor } from '../../src/ml/onnx/tensor.js';

export const MASKED_SHARE = 0.15;

export interface Example {
  readonly ids: readonly number[];
  readonly rating: number;
}

export interface MaskingSettings {
  readonly sequence: number;
  readonly maskedCount: number;
  readonly maskId: number;
  readonly vocabularySize: number;
  /** Ids below this are special and never masked. */
  readonly firstWordId: number;
}

export function maskedBatch(
  examples: readonly Example[],
  settings: MaskingSettings,
  random: SeededRandom,
): Feeds {
  const { sequence, maskedCount } = settings;
  const batch = examples.length;
  const ids = new BigInt64Array(batch * sequence);
  const mask = new BigInt64Array(batch * sequence);
  const candidates: number[] = [];
  examples.forEach((example, row) => {
    example.ids.forEach((id, column) => {
      const at = row * sequence + column;
      ids[at] = BigInt(id);
      mask[at] = 1n;
      if (id >= settings.firstWordId) candidates.push(at);
    });
  });
  const wanted = Math.min(maskedCount, Math.ceil(candidates.length * MASKED_SHARE));
  const chosen = random.shuffled(candidates).slice(0, wanted);
  const positions = new BigInt64Array(maskedCount);
  const labels = new BigInt64Array(maskedCount);
  const weights = new Float32Array(maskedCount);
  chosen.forEach((at, i) => {
    positions[i] = BigInt(at);
    labels[i] = ids[at]!;
    weights[i] = 1;
    const draw = random.uniform();
    if (draw < 0.8) ids[at] = BigInt(settings.maskId);
    else if (draw < 0.9) {
      const count = settings.vocabularySize - settings.firstWordId;
      ids[at] = BigInt(settings.firstWordId + random.below(count));
    }
  });
  const int64 = (data: BigInt64Array, shape: number[]) => ({ type: 'int64' as const, shape, data });
  return {
    input_ids: int64(ids, [batch, sequence]),
    attention_mask: int64(mask, [batch, sequence]),
    labels: int64(
      BigInt64Array.from(examples, (example) => BigInt(example.rating)),
      [batch],
    ),
    weights: floatTensor([batch], new Float32Array(batch).fill(1)),
    masked_positions: int64(positions, [maskedCount]),
    masked_labels: int64(labels, [maskedCount]),
    masked_weights: floatTensor([maskedCount], weights),
  };
}
