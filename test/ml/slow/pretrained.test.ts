import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type FeedbackRow,
  RECOMMENDED,
  splitFeedback,
  writeJsonLines,
} from '../../../scripts/pretrain-evaluate/feedback.js';
import { loadClassifier } from '../../../src/ml/encoder/classifier.js';
import { type FineTuneOptions, fineTune } from '../../../src/ml/fine-tune.js';

const project = join(import.meta.dirname, '../../..');
const root = mkdtempSync(join(tmpdir(), 'stepwell-pretrained-'));
const split = splitFeedback(join(project, 'data/customer_feedback.csv'));

beforeAll(() => {
  writeJsonLines(join(root, 'train.jsonl'), [...split.fit, ...split.validation]);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Share of held-out rows that a classifier fine-tuned with `change` gets right. */
async function heldOutAccuracy(name: string, change: Partial<FineTuneOptions>) {
  const result = await fineTune({
    ...RECOMMENDED,
    model: join(project, 'models/stepwell-mini-bert'),
    trainPath: join(root, 'train.jsonl'),
    outputDir: join(root, name),
    ...change,
  });
  const classifier = await loadClassifier(result.modelDir);
  const predictions = await classifier.predict(split.test.map((row: FeedbackRow) => row.text));
  await classifier.close();
  const correct = predictions.filter(({ label }, i) => label === split.test[i]!.label).length;
  return { accuracy: correct / split.test.length, result };
}

describe('the shipped base on hand-written feedback that it has never seen', () => {
  // Two epochs only: the gate itself is judged by the pipeline's own run, not by a test.
  test('pre-training is worth more than five points after two epochs, within 1.5 GB', async () => {
    const pretrained = await heldOutAccuracy('pretrained', { epochs: 2 });
    const control = await heldOutAccuracy('control', { epochs: 2, initialisation: 'random' });
    console.log('held-out accuracy', pretrained.accuracy, 'from random weights', control.accuracy);
    expect(pretrained.accuracy).toBeGreaterThan(0.78);
    expect(pretrained.accuracy).toBeGreaterThan(control.accuracy + 0.05);
    expect(pretrained.result.peakMegabytes).toBeLessThan(1500);
  });
});
