import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { EncoderConfig } from '../../../src/ml/encoder/config.js';
import { exportModel } from '../../../src/ml/encoder/export.js';
import { familyName } from '../../../src/ml/encoder/naming.js';
import { isLinearWeight } from '../../../src/ml/encoder/parameters.js';
import { loadWeights } from '../../../src/ml/encoder/weights.js';
import { encodeSafetensors } from '../../../src/ml/onnx/safetensors.js';
import { type FloatTensor, type Tensor, transposed } from '../../../src/ml/onnx/tensor.js';
import {
  headed,
  LABELS,
  SMALL_DISTILBERT,
  seededParameters,
  smallConfig,
  visionConfig,
} from './fixture.js';

const root = mkdtempSync(join(tmpdir(), 'stepwell-weights-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const DISTIL = headed('distilbert', SMALL_DISTILBERT);
const FAMILIES = [
  ['bert', smallConfig('cls')],
  ['distilbert', DISTIL],
  ['roberta', smallConfig('cls', { model_type: 'roberta', pad_token_id: 1 })],
  ['bert with its pooler', headed('bert')],
  ['roberta with its dense head', headed('roberta', { pad_token_id: 1 })],
  ['vit', visionConfig()],
] as const;

/** As torch stores it: family names behind a prefix, linear weights [out, in]. */
function torchFile(
  config: EncoderConfig,
  parameters: ReadonlyMap<string, FloatTensor>,
): Uint8Array {
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of parameters) {
    const own = familyName(config, name);
    const bare = /^(classifier|pre_classifier)/.test(own);
    tensors.set(
      bare ? own : `${config.family}.${own}`,
      isLinearWeight(name) ? transposed(tensor) : tensor,
    );
  }
  return encodeSafetensors({ tensors, metadata: {} });
}

describe.each(FAMILIES)('%s weights', (family, config) => {
  const parameters = seededParameters(config, 1);
  const head = [...parameters].filter(([name]) => /^(classifier|pooler)/.test(name));
  const body = [...parameters].filter(([name]) => !/^(classifier|pooler)/.test(name));

  test('come back from model.safetensors in the layout of torch', () => {
    const folder = join(root, `${family}-safetensors`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'model.safetensors'), torchFile(config, parameters));
    const loaded = loadWeights(folder, config);
    expect(loaded.source).toBe('model.safetensors');
    expect([...loaded.parameters]).toEqual(body);
    expect([...loaded.head]).toEqual(head);
  });

  test('come back from an ONNX export, found through their biases', () => {
    const folder = join(root, `${family}-onnx`);
    mkdirSync(join(folder, 'onnx'), { recursive: true });
    const bytes = exportModel(config, parameters, 'classifier');
    writeFileSync(join(folder, 'onnx', 'model.onnx'), bytes);
    const loaded = loadWeights(folder, config);
    expect([...loaded.parameters]).toEqual(body);
    expect([...loaded.head]).toEqual(head);
    expect(loaded.head.get('classifier.weight')?.shape).toEqual([config.hiddenSize, LABELS]);
  });
});

test('the names that files converted from TensorFlow have for layer norms are known', () => {
  const config = smallConfig('cls');
  const parameters = seededParameters(config, 1);
  const folder = join(root, 'gamma');
  mkdirSync(folder);
  const tensors = new Map<string, Tensor>(
    [...parameters].map(([name, tensor]) => {
      const old = name.replace('Norm.weight', 'Norm.gamma').replace('Norm.bias', 'Norm.beta');
      return [`bert.${old}`, isLinearWeight(name) ? transposed(tensor) : tensor];
    }),
  );
  writeFileSync(join(folder, 'model.safetensors'), encodeSafetensors({ tensors, metadata: {} }));
  const name = 'encoder.layer.1.output.LayerNorm.bias';
  expect(loadWeights(folder, config).parameters.get(name)).toEqual(parameters.get(name));
});

test('DistilBERT names are those of the Hugging Face files', () => {
  const name = (canonical: string) => familyName(DISTIL, canonical);
  expect(name('encoder.layer.1.attention.self.query.weight')).toBe(
    'transformer.layer.1.attention.q_lin.weight',
  );
  expect(name('encoder.layer.0.attention.output.dense.bias')).toBe(
    'transformer.layer.0.attention.out_lin.bias',
  );
  expect(name('encoder.layer.0.attention.output.LayerNorm.weight')).toBe(
    'transformer.layer.0.sa_layer_norm.weight',
  );
  expect(name('encoder.layer.0.intermediate.dense.weight')).toBe(
    'transformer.layer.0.ffn.lin1.weight',
  );
  expect(name('encoder.layer.0.output.dense.weight')).toBe('transformer.layer.0.ffn.lin2.weight');
  expect(name('encoder.layer.0.output.LayerNorm.bias')).toBe(
    'transformer.layer.0.output_layer_norm.bias',
  );
  expect(name('embeddings.LayerNorm.weight')).toBe('embeddings.LayerNorm.weight');
});

test('a missing weight is named, with what to do', () => {
  const config = smallConfig('cls');
  const folder = join(root, 'missing');
  mkdirSync(folder);
  const parameters = seededParameters(config, 1);
  parameters.delete('encoder.layer.1.output.dense.weight');
  writeFileSync(join(folder, 'model.safetensors'), torchFile(config, parameters));
  expect(() => loadWeights(folder, config)).toThrow(
    /no weights for 'encoder.layer.1.output.dense.weight'; give a folder/,
  );
});

test('a weight of another shape than config.json says is refused', () => {
  const config = smallConfig('cls');
  const folder = join(root, 'shape');
  mkdirSync(folder);
  writeFileSync(join(folder, 'model.safetensors'), torchFile(config, seededParameters(config, 1)));
  const wider = { ...config, vocabularySize: 51 };
  expect(() => loadWeights(folder, wider)).toThrow(/is \[50,16\], but config.json says \[51,16\]/);
});
