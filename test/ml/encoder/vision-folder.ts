/** A small vision transformer as the hub would have it, and images to learn: both drawn here. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { parseConfig } from '../../../src/ml/encoder/config.js';
import { familyName } from '../../../src/ml/encoder/naming.js';
import {
  encoderParameters,
  initialise,
  isLinearWeight,
} from '../../../src/ml/encoder/parameters.js';
import { encodeSafetensors } from '../../../src/ml/onnx/safetensors.js';
import { SeededRandom } from '../../../src/ml/onnx/seeded-random.js';
import { floatTensor, type Tensor, transposed } from '../../../src/ml/onnx/tensor.js';
import { writeJson } from './model-folder.js';

export const VIT = {
  model_type: 'vit',
  architectures: ['ViTModel'],
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 64,
  image_size: 16,
  patch_size: 4,
  num_channels: 3,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
};

/** Files and tensor shapes as ViTModel saves them: convolution kernels, tables with a batch axis. */
export function writeVisionModel(folder: string): void {
  const config = parseConfig(VIT);
  const random = new SeededRandom(4, 'vit');
  const tensors = new Map<string, Tensor>();
  for (const spec of encoderParameters(config)) {
    const start = initialise(spec, random);
    // Larger than a fresh model: what it sees must differ from image to image.
    const data = spec.kind === 'linear' ? start.data.map((value) => value * 8) : start.data;
    const tensor = floatTensor(start.shape, data);
    tensors.set(familyName(config, spec.name), asSaved(spec.name, tensor));
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'model.safetensors'), encodeSafetensors({ tensors, metadata: {} }));
  writeJson(folder, 'config.json', VIT);
  writeJson(folder, 'preprocessor_config.json', {
    do_resize: true,
    size: { height: 16, width: 16 },
    resample: 2,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  });
}

function asSaved(name: string, tensor: ReturnType<typeof floatTensor>): Tensor {
  if (name === 'embeddings.patch.weight') {
    const turned = transposed(tensor);
    return floatTensor([turned.shape[0]!, 3, 4, 4], turned.data);
  }
  if (name === 'embeddings.cls_token') return floatTensor([1, ...tensor.shape], tensor.data);
  if (name.startsWith('embeddings.position')) return floatTensor([1, ...tensor.shape], tensor.data);
  return isLinearWeight(name) ? transposed(tensor) : tensor;
}

/** `count` images per label: stripes that lie or stand, of any colours, phase and size. */
export async function writeImages(folder: string, count: number): Promise<void> {
  const random = new SeededRandom(9, 'stripes');
  for (const label of ['lying', 'standing']) {
    mkdirSync(join(folder, label), { recursive: true });
    for (let index = 0; index < count; index++) {
      const size = 24 + random.below(16);
      const [bright, dark] = [colour(random, 160), colour(random, 0)];
      const phase = random.below(8);
      const width = Math.ceil(size / 4);
      const data = new Uint8Array(size * size * 3);
      for (let y = 0; y < size; y++) {
        for (let x = 0; x < size; x++) {
          const along = label === 'lying' ? y : x;
          const chosen = Math.floor((along + phase) / width) % 2 === 0 ? bright : dark;
          data.set(chosen, (y * size + x) * 3);
        }
      }
      const image = sharp(data, { raw: { width: size, height: size, channels: 3 } });
      const jpeg = index % 2 === 0;
      const file = join(folder, label, `${index}.${jpeg ? 'jpg' : 'png'}`);
      await (jpeg ? image.jpeg({ quality: 92 }) : image.png()).toFile(file);
    }
  }
}

function colour(random: SeededRandom, from: number): number[] {
  return Array.from({ length: 3 }, () => from + random.below(95));
}
