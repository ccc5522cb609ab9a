import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { calibrateHandler } from '../../../src/handlers/ml/evaluation/calibrate.js';
import { explainHandler } from '../../../src/handlers/ml/evaluation/explain.js';
import type { JsonObject } from '../../../src/lib/json.js';
import type { LiveEndpoints } from '../../../src/serving/index.js';
import { type Bench, bench, failureOf } from '../../services/support/handler-context.js';

let at: Bench;
beforeEach(async () => {
  at = await bench();
});
afterEach(() => at.close());

const loader = new URL('../../services/support/fake-classifier.ts', import.meta.url).href;
/** Answers as `/invocations` does with top_k: every label, best first. */
const live = {
  invoke: async (endpoint: string, texts: readonly string[]) => {
    if (endpoint === 'down') return { status: 503, body: { Message: 'no replica' } };
    const body = texts.map((text) => {
      const score = text.includes('good') ? 0.9 : 0.3;
      const both = [
        { label: 'pos', score },
        { label: 'neg', score: 1 - score },
      ];
      return both.sort((a, b) => b.score - a.score);
    });
    return { status: 200, body };
  },
} as unknown as LiveEndpoints;
const handler = explainHandler({ live, loader });

test('a model in its child process: the word that it looks for carries the score', async () => {
  await at.write('model/fake.json', JSON.stringify({ mode: 'works' }));
  const result = await at.run(handler, { model: 'model', texts: ['so positive today'], top: 2 });
  const [one] = result.explanations as JsonObject[];
  expect(one).toMatchObject({ method: 'shap-exact', predicted: 'positive', evaluations: 8 });
  expect(((one as JsonObject).words as JsonObject[])[0]).toMatchObject({
    word: 'positive',
    value: expect.closeTo(0.7, 9),
  });
  expect((one as JsonObject).words).toHaveLength(2);
  expect(result.maximumAdditivityError).toBeLessThan(1e-9);
  const path = await at.context.artifacts.path(String(result.reportUri));
  const report = JSON.parse(await readFile(path, 'utf8'));
  expect(report.explanations[0].words).toHaveLength(3);
});

test('an endpoint, by LIME, with the rows of a dataset', async () => {
  await at.write('in.jsonl', '{"text":"a good day"}\n{"text":"a bad day"}\n');
  const parameters = { endpoint: 'e', dataset: 'in.jsonl', rows: 1, method: 'lime', samples: 100 };
  const result = await at.run(handler, parameters);
  const [one, ...others] = result.explanations as JsonObject[];
  expect(others).toEqual([]);
  expect(((one as JsonObject).words as JsonObject[])[0]).toMatchObject({ word: 'good' });
  expect(await at.run(handler, parameters)).toEqual(result);
});

test('an endpoint that is down, and neither model nor endpoint, are said', async () => {
  expect((await failureOf(at.run(handler, { endpoint: 'down', texts: ['a'] }))).reason).toContain(
    '503',
  );
  expect((await failureOf(at.run(handler, { texts: ['a'] }))).reason).toContain(
    'either "model" or "endpoint"',
  );
});

test('calibration returns a copy of the model with the fitted temperature, twice multiplies', async () => {
  await at.write('model/config.json', JSON.stringify({ id2label: { 0: 'a', 1: 'b' } }));
  // Ninety-nine percent sure and right in eight of ten rows: too sure.
  const lines = Array.from({ length: 100 }, (_, i) =>
    JSON.stringify({
      text: `${i}`,
      label: i % 5 === 0 ? 'b' : 'a',
      predicted: 'a',
      scores: { a: 0.99, b: 0.01 },
    }),
  );
  await at.write('p.jsonl', lines.join('\n'));
  const result = await at.run(calibrateHandler, {
    predictions: 'p.jsonl',
    test: 'p.jsonl',
    model: 'model',
  });
  // The sigmoid of logit(0.99) / T is 0.8 where T = logit(0.99) / logit(0.8).
  const wanted = Math.log(99) / Math.log(4);
  expect(result.temperature).toBeCloseTo(wanted, 4);
  expect(result.test).toMatchObject({
    rows: 100,
    before: { calibrationError: expect.closeTo(0.19, 6) },
  });
  expect(
    (result.test as { after: { calibrationError: number } }).after.calibrationError,
  ).toBeLessThan(1e-4);
  const folder = await at.context.artifacts.path((result.model as { uri: string }).uri);
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
  expect(config).toMatchObject({ stepwell_temperature: result.temperature, id2label: { 0: 'a' } });
  const again = await at.run(calibrateHandler, {
    predictions: 'p.jsonl',
    model: result.model as JsonObject,
  });
  const second = await at.context.artifacts.path((again.model as { uri: string }).uri);
  const twice = JSON.parse(await readFile(join(second, 'config.json'), 'utf8'));
  expect(twice.stepwell_temperature).toBeCloseTo(wanted * wanted, 3);
  await expect(stat(join(at.folder, 'scratch', 'calibrated'))).rejects.toThrow();
});
