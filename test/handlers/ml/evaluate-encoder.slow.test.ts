import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { evaluateHandler } from '../../../src/handlers/ml/evaluate.js';
import type { JsonObject } from '../../../src/lib/json.js';
import { exportModel } from '../../../src/ml/encoder/export.js';
import { bench } from '../../services/support/handler-context.js';
import { seededParameters, SMALL, smallConfig } from '../../ml/encoder/fixture.js';
import { SPECIAL_TOKENS, wordPieceTokenizer } from '../../ml/encoder/wordpiece.js';

const words = [...SPECIAL_TOKENS, 'good', 'bad', 'so', 'not', '##ly'];

/** A folder as fine-tuning writes it: config, tokenizer, one ONNX graph; weights seeded, untrained. */
async function modelFolder(folder: string): Promise<void> {
  const config = {
    ...SMALL,
    stepwell_pooling: 'mean',
    id2label: { 0: 'positive', 1: 'neutral', 2: 'negative' },
  };
  await mkdir(join(folder, 'onnx'), { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(wordPieceTokenizer(words)));
  await writeFile(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({ model_max_length: 12, tokenizer_class: 'BertTokenizer' }),
  );
  const small = smallConfig('mean');
  await writeFile(
    join(folder, 'onnx/model.onnx'),
    exportModel(small, seededParameters(small, 3), 'classifier'),
  );
}

test('our own encoder is evaluated in the child process, from an artifact folder', async () => {
  const at = await bench();
  await modelFolder(join(at.folder, 'model'));
  const model = await at.context.artifacts.putFolder(join(at.folder, 'model'), { name: 'model' });
  const rows = Array.from({ length: 30 }, (_, i) => ({
    text: [words[5 + (i % 4)], words[5 + (i % 3)]].join(' '),
    label: ['positive', 'neutral', 'negative'][i % 3],
  }));
  await at.write('test.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
  const parameters = { model: { ...model }, dataset: 'test.jsonl', latencySamples: 10 };
  const first = await at.run(evaluateHandler(), parameters);
  expect(first).toMatchObject({
    rows: 30,
    confusionMatrix: { labels: ['positive', 'neutral', 'negative'] },
  });
  const metrics = first.metrics as JsonObject;
  expect(metrics.logLoss).toBeGreaterThan(0);
  expect(metrics.accuracy).toBe(first.accuracy);
  // The same model on the same rows: the same predictions, to the byte.
  const second = await at.run(evaluateHandler(), parameters);
  expect(second.predictionsUri).toBe(first.predictionsUri);
  await at.close();
});
