import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { evaluateHandler } from '../../../src/handlers/ml/evaluate.js';
import type { JsonObject } from '../../../src/lib/json.js';
import { gate } from '../../../src/ml/metrics/evaluation.js';
import { type Bench, bench, failureOf } from '../../services/support/handler-context.js';

const fake = new URL('../../services/support/fake-classifier.ts', import.meta.url).href;
const evaluate = evaluateHandler({ classifierModule: fake });
let at: Bench;
beforeEach(async () => {
  at = await bench();
  await at.write('test.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
});
afterEach(() => at.close());

/** The fake says what it finds in the text: three of forty rows carry another label. */
const labels = ['positive', 'neutral', 'negative'];
const rows = Array.from({ length: 40 }, (_, i) => ({
  text: `${i} ${labels[i % 3]}`,
  label: i >= 37 ? 'neutral' : (labels[i % 3] as string),
}));
// Rows 37 and 39 turn wrong; row 38 would have been negative.
const wrong = rows.filter((row) => !row.text.includes(row.label)).length;

const parameters = { model: 'model', dataset: 'test.jsonl', batchSize: 7, latencySamples: 5 };
const modelThat = (mode: string) => at.write('model/fake.json', JSON.stringify({ mode }));

test('the report carries accuracy, F1, confusion matrix, calibration, latency and predictions', async () => {
  await modelThat('works');
  const report = await at.run(evaluate, { ...parameters, threads: 1 });
  const accuracy = (40 - wrong) / 40;
  expect(report).toMatchObject({ accuracy, rows: 40, metrics: { accuracy } });
  expect(report.f1Weighted).toBe((report.metrics as JsonObject).f1Weighted);
  const { matrix } = report.confusionMatrix as { matrix: number[][] };
  expect(matrix.flat().reduce((a, b) => a + b)).toBe(40);
  expect(report.calibrationError).toBeCloseTo(Math.abs(accuracy - 0.8), 12);
  expect(report.latency).toMatchObject({
    samples: 5,
    p50: expect.any(Number),
    p99: expect.any(Number),
  });
  expect((report.throughput as { perSecond: number }).perSecond).toBeGreaterThan(0);
  expect((report.mistakes as JsonObject[]).length).toBe(wrong);
  const interval = report.accuracyInterval as { low: number; high: number };
  expect(interval.low).toBeLessThan(accuracy);
  expect(interval.high).toBeGreaterThan(accuracy);
  const predictions = await at.rows(String(report.predictionsUri));
  expect(predictions).toHaveLength(40);
  expect(predictions[0]).toEqual({
    text: '0 positive',
    label: 'positive',
    predicted: 'positive',
    score: 0.8,
    scores: expect.objectContaining({ positive: 0.8 }),
  });
  expect(at.progress.map((one) => one.note)).toContain('40 of 40 rows evaluated');
  expect(await readdir(join(at.folder, 'scratch'))).toEqual([]);
});

test('the child sees its threads and none of the secrets of the environment', async () => {
  await modelThat('works');
  process.env.STEPWELL_TEST_SECRET = 'top-secret';
  await at.run(evaluate, { ...parameters, threads: 2 });
  delete process.env.STEPWELL_TEST_SECRET;
  const seen = await readFile(join(at.folder, 'model/seen.json'), 'utf8');
  expect(JSON.parse(seen)).toMatchObject({ options: { threads: 2 } });
  expect(seen).not.toContain('top-secret');
});

test('an abort kills the child even inside a run that never returns', async () => {
  await modelThat('hang');
  const run = at.run(evaluate, parameters);
  const pid = Number(await eventually(() => readFile(join(at.folder, 'model/pid'), 'utf8')));
  at.abort(new Error('the state was stopped'));
  await expect(run).rejects.toThrow('the state was stopped');
  await eventually(async () => {
    expect(() => process.kill(pid, 0)).toThrow();
  });
});

test.each([
  ['crash', {}, 'Evaluation.ProcessDied', /SIGABRT/],
  ['unloadable', {}, 'Evaluation.ModelNotLoaded', /^model: no such operator: Gelu99\.$/],
  ['nan', {}, 'Evaluation.Failed', /unusable prediction/],
  [
    'works',
    { labelColumn: 'sentiment' },
    'Evaluation.MissingColumn',
    /no column "sentiment"; it has: text, label/,
  ],
  [
    'works',
    { dataset: 'other.jsonl' },
    'Evaluation.LabelMismatch',
    /row 1: the label "angry" is none of the model's/,
  ],
  ['works', { dataset: 'empty.jsonl' }, 'Evaluation.NoRows', /no rows/],
  [
    'works',
    { minimum: { accuracy: 0.99 }, onGateFailure: 'fail' },
    'Evaluation.BelowMinimum',
    /accuracy 0\.\d+ is not >= 0\.99/,
  ],
])('a model that %s, with %j, fails as %s', async (mode, more, error, reason) => {
  await modelThat(mode);
  await at.write('other.jsonl', '{"text":"x positive","label":"angry"}\n');
  await at.write('empty.jsonl', '');
  const failure = await failureOf(at.run(evaluate, { ...parameters, ...more }));
  expect(failure.error).toBe(error);
  expect(failure.reason).toMatch(reason);
});

test('a gate reports every clause; a metric that is missing or null never passes', async () => {
  await modelThat('works');
  const report = await at.run(evaluate, { ...parameters, minimum: { accuracy: 0.85 } });
  expect(report.gate).toMatchObject({
    passed: true,
    clauses: [{ metric: 'accuracy', comparator: '>=', passed: true }],
  });
  expect(
    gate({ rocAucMacro: null }, { rocAucMacro: 0, nope: 0 }, { latencyP95Ms: 5 }),
  ).toMatchObject({
    passed: false,
    clauses: [{ passed: false }, { passed: false }, { passed: false }],
  });
});

async function eventually<T>(check: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await check();
    } catch (error) {
      if (attempt > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
