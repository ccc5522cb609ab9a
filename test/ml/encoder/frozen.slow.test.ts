import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareImageFolder } from '../../../src/ml/data/image-folder.js';
import { loadClassifier } from '../../../src/ml/encoder/classifier.js';
import { parseConfig } from '../../../src/ml/encoder/config.js';
import { exportModel } from '../../../src/ml/encoder/export.js';
import { loadWeights } from '../../../src/ml/encoder/weights.js';
import { decodeModel } from '../../../src/ml/onnx/model-reader.js';
import { runFineTune } from '../../../src/ml/train/run.js';
import { type FineTuneOptions, settle } from '../../../src/ml/train/settings.js';
import { writeJson } from './model-folder.js';
import { PYTHON, torchIsHere } from './torch.js';
import { VIT, writeImages, writeVisionModel } from './vision-folder.js';

const root = mkdtempSync(join(tmpdir(), 'stepwell-frozen-'));
const at = (...parts: string[]): string => join(root, ...parts);

beforeAll(async () => {
  await writeImages(at('pictures'), 24);
  await prepareImageFolder(at('pictures'), at('set'), {
    split: { testSize: 0, validationSize: 0.25, seed: 1, stratify: true },
    onBadImage: 'fail',
    signal: new AbortController().signal,
    progress: () => undefined,
  });
  writeVisionModel(at('vit'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A base of an architecture that nothing here knows, with the given ONNX file. */
function base(name: string, file: string, model: Uint8Array): string {
  mkdirSync(at(name, 'onnx'), { recursive: true });
  writeFileSync(at(name, 'onnx', file), model);
  writeJson(at(name), 'config.json', { model_type: name, architectures: ['ResNetModel'] });
  cpSync(at('vit/preprocessor_config.json'), at(name, 'preprocessor_config.json'));
  return at(name);
}

const options = (model: string, more: Partial<FineTuneOptions> = {}): FineTuneOptions => ({
  model,
  trainPath: at('set/train.jsonl'),
  validationPath: at('set/validation.jsonl'),
  labels: ['lying', 'standing'],
  outputDir: at('out'),
  strategy: 'feature-extraction',
  epochs: 15,
  batchSize: 8,
  learningRate: 0.02,
  dropout: 0,
  ...more,
});
const train = (model: string, more: Partial<FineTuneOptions> = {}) =>
  runFineTune(settle(options(model, more)), () => undefined);

/** Training learned something, and the written model scores what training reported. */
async function learns(model: string): Promise<void> {
  const result = await train(model);
  expect(result.baseHashAfter).toBe(result.baseHashBefore);
  expect(result.metrics.at(-1)!.trainLoss).toBeLessThan(0.9 * result.metrics[0]!.trainLoss);
  const rows = readFileSync(at('set/validation.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { image: string; label: string });
  const classifier = await loadClassifier(result.modelDir, { imageFolder: at('set') });
  const answers = await classifier.predict(rows.map((row) => row.image));
  await classifier.close();
  const correct = answers.filter(({ label }, i) => label === rows[i]!.label).length;
  const reported = result.metrics[result.bestEpoch - 1]!.validation!.accuracy;
  expect(correct / rows.length).toBeCloseTo(reported, 10);
  const config = JSON.parse(readFileSync(join(result.modelDir, 'config.json'), 'utf8'));
  expect(config.architectures).toEqual(['ResNetForImageClassification']);
}

describe('an image base that is only an ONNX file', () => {
  test.skipIf(!torchIsHere)(
    'a residual convolution network: features are the mean of its maps',
    async () => {
      const script = join(import.meta.dirname, 'convnet.py');
      execFileSync(PYTHON, [script, at('net.onnx')], { stdio: ['ignore', 'ignore', 'pipe'] });
      await learns(base('resnet', 'model.onnx', readFileSync(at('net.onnx'))));
    },
  );

  test('the image side of a model of two sides: its own file, its embedding', async () => {
    const config = parseConfig(VIT);
    const { parameters } = loadWeights(at('vit'), config);
    await learns(base('clip', 'vision_model.onnx', exportModel(config, parameters, 'features')));
  });

  test('serves feature extraction alone, and a head is not put on a head', async () => {
    const folder = at('clip');
    await expect(train(folder, { strategy: 'full' })).rejects.toThrow(
      /the gradients of model_type "clip" are not written here; use the strategy feature-extraction/,
    );
    const { modelDir } = await train(folder, { epochs: 1, outputDir: at('headed') });
    await expect(train(modelDir)).rejects.toThrow(
      /has a head already; start from the model without/,
    );
    const { outputNames } = decodeModel(readFileSync(join(modelDir, 'onnx/model.onnx')));
    expect(outputNames).toEqual(expect.arrayContaining(['embedding', 'logits']));
  });
});
