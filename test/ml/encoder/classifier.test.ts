import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { env, pipeline } from '@xenova/transformers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadClassifier } from '../../../src/ml/encoder/classifier.js';
import { parseConfig } from '../../../src/ml/encoder/config.js';
import { exportModel } from '../../../src/ml/encoder/export.js';
import { headParameters, initialise } from '../../../src/ml/encoder/parameters.js';
import { softmax } from '../../../src/ml/encoder/probabilities.js';
import { loadTokenizer } from '../../../src/ml/encoder/tokenizer.js';
import { logitGraph } from '../../../src/ml/encoder/training-graph.js';
import { SeededRandom } from '../../../src/ml/onnx/seeded-random.js';
import { openSession, runSession } from '../../../src/ml/onnx/session.js';
import { TINY_CONFIG, writeJson, writeTinyModel } from './model-folder.js';

const folder = mkdtempSync(join(tmpdir(), 'stepwell-classifier-'));
const LABELS = ['positive', 'neutral', 'negative'];
const TEXTS = [
  'The food was great!',
  'it crashed',
  'The room was not very good, but it was not awful and the app is fast. It arrived on Monday.',
  '',
];
const config = parseConfig(TINY_CONFIG);
const parameters = writeTinyModel(folder);
const random = new SeededRandom(8);
for (const spec of headParameters(config, 3)) {
  const tensor = initialise(spec, random);
  parameters.set(spec.name, { ...tensor, data: tensor.data.map((v) => v * 30) });
}

beforeAll(() => {
  writeFileSync(join(folder, 'onnx', 'model.onnx'), exportModel(config, parameters, 'classifier'));
  writeJson(folder, 'config.json', {
    ...TINY_CONFIG,
    architectures: ['BertForSequenceClassification'],
    id2label: Object.fromEntries(LABELS.map((label, id) => [id, label])),
    label2id: Object.fromEntries(LABELS.map((label, id) => [label, id])),
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Probabilities by the static graph that training uses, one text at a time. */
async function byTrainingGraph(text: string): Promise<number[]> {
  const ids = loadTokenizer(folder, { maxLength: 40 })(text);
  const session = await openSession(logitGraph(config, 3, { batch: 1, sequence: ids.length }), 1);
  const int64 = (values: readonly number[]) => ({
    type: 'int64' as const,
    shape: [1, ids.length],
    data: BigInt64Array.from(values.map(BigInt)),
  });
  const result = await runSession(session, {
    ...Object.fromEntries(parameters),
    input_ids: int64(ids),
    attention_mask: int64(ids.map(() => 1)),
  });
  return softmax(result.get('logits')!.data as Float32Array);
}

describe('a written classifier', () => {
  test('predicts what the training graph computes, padded in one batch', async () => {
    const classifier = await loadClassifier(folder);
    const predictions = await classifier.predict(TEXTS);
    for (const [i, text] of TEXTS.entries()) {
      const expected = await byTrainingGraph(text);
      LABELS.forEach((label, id) => {
        expect(predictions[i]!.scores[label]).toBeCloseTo(expected[id]!, 5);
      });
      expect(predictions[i]!.score).toBe(Math.max(...Object.values(predictions[i]!.scores)));
    }
    await classifier.close();
  });

  test('gives one vector of the hidden size per text, in order', async () => {
    const classifier = await loadClassifier(folder);
    const vectors = await classifier.embed(TEXTS);
    expect(vectors.map((vector) => vector.length)).toEqual(TEXTS.map(() => config.hiddenSize));
    const [alone] = await classifier.embed([TEXTS[2]!]);
    alone!.forEach((value, i) => {
      expect(vectors[2]![i]).toBeCloseTo(value, 4);
    });
    await classifier.close();
  });

  test("answers in transformers.js's text-classification pipeline alike", async () => {
    env.allowRemoteModels = false;
    env.localModelPath = dirname(folder);
    const name = folder.slice(dirname(folder).length + 1);
    const classify = await pipeline('text-classification', name, { dtype: 'fp32' });
    const theirs = (await classify(TEXTS.slice(0, 3))) as { label: string; score: number }[];
    const classifier = await loadClassifier(folder);
    const ours = await classifier.predict(TEXTS.slice(0, 3));
    theirs.forEach(({ label, score }, i) => {
      expect(label).toBe(ours[i]!.label);
      expect(score).toBeCloseTo(ours[i]!.score, 4);
    });
  });

  test('without id2label is refused', async () => {
    const bare = mkdtempSync(join(tmpdir(), 'stepwell-bare-'));
    writeTinyModel(bare);
    await expect(loadClassifier(bare)).rejects.toThrow('no id2label');
    rmSync(bare, { recursive: true });
  });
});
