import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sparkline } from '../../../src/ml/tracking/curve.js';
import { numberOf, numberText } from '../../../src/ml/tracking/numbers.js';
import { openRuns } from '../../../src/ml/tracking/run-store.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepwell-runs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const start = { key: 'visit', experiment: 'ml-training', name: 'run/FineTune', user: 'ann' };

test('a run in the layout of MLflow: meta, params, metrics, tags, artifacts', async () => {
  const runs = openRuns(folder, () => 1_700_000_000_000);
  const run = await runs.start({ ...start, tags: { 'stepwell.state': 'FineTune' } });
  await run.param('hyperparameters.learningRate', '2e-5');
  for (const [step, loss] of [
    [1, 0.9],
    [2, Number.NaN],
    [3, Number.POSITIVE_INFINITY],
  ] as const) {
    await run.metric('loss', loss, step);
  }
  await run.artifact('links.json', '{}');
  await run.end('FINISHED');
  const [info] = await runs.list();
  expect(info).toMatchObject({ status: 'FINISHED', experiment: 'ml-training', runId: run.runId });
  const home = join(folder, String(info?.experimentId), run.runId);
  expect(readFileSync(join(home, 'metrics/loss'), 'utf8')).toBe(
    '1700000000000 0.9 1\n1700000000000 nan 2\n1700000000000 inf 3\n',
  );
  expect(readFileSync(join(home, 'meta.yaml'), 'utf8')).toMatch(
    /^experiment_id: '\d{18}'$[\s\S]*^run_id: '[0-9a-f]{32}'$[\s\S]*^status: 3$/m,
  );
  expect(readFileSync(join(home, 'tags/mlflow.runName'), 'utf8')).toBe('run/FineTune');
  const found = await runs.find(run.runId.slice(0, 6));
  expect(found?.metrics.get('loss')?.map((point) => point.value)).toEqual([
    0.9,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ]);
  expect([...(found?.params ?? [])]).toEqual([['hyperparameters.learningRate', '2e-5']]);
  expect(found?.artifacts).toEqual(['links.json']);
});

test('a parameter is written once: the same again is fine, another is a warning and the first stays', async () => {
  const runs = openRuns(folder);
  const run = await runs.start(start);
  expect(await run.param('lr', '1')).toBeNull();
  expect(await run.param('lr', '1')).toBeNull();
  expect(await run.param('lr', '2')).toMatch(/"lr" of run .* is "1"; "2" was not recorded/);
  expect((await runs.find(run.runId))?.params.get('lr')).toBe('1');
});

test('the same key goes on in the same run: a resumed attempt has one curve', async () => {
  let clock = 1;
  const runs = openRuns(folder, () => clock++);
  const first = await runs.start(start);
  await first.metric('loss', 0.9, 1);
  await first.end('FAILED');
  const again = await runs.start(start);
  await again.metric('loss', 0.5, 2);
  expect(again.runId).toBe(first.runId);
  const found = await runs.find(first.runId);
  expect(found).toMatchObject({ status: 'RUNNING', endTime: null });
  expect(found?.metrics.get('loss')?.map((point) => point.step)).toEqual([1, 2]);
  await runs.start({ ...start, key: 'other' });
  expect(await runs.list()).toHaveLength(2);
  await expect(runs.find('')).rejects.toThrow('2 runs');
});

test.each(['../../outside', '/etc/passwd', 'a/../../../b', '..'])(
  'the name %s stays inside the run',
  async (name) => {
    const runs = openRuns(join(folder, 'deep', 'runs'));
    const run = await runs.start(start);
    await run.tag(name, 'x');
    await run.artifact(name, 'x');
    expect(existsSync(join(folder, 'outside'))).toBe(false);
    expect([...((await runs.find(run.runId))?.tags.values() ?? [])]).toContain('x');
  },
);

test('every double comes back from its text, bit for bit', () => {
  fc.assert(
    fc.property(fc.double(), (value) => {
      expect(Object.is(numberOf(numberText(value)), value)).toBe(true);
    }),
  );
  expect(numberOf('')).toBeNull();
  expect(numberOf('abc')).toBeNull();
});

test('a curve as blocks: rising, flat, with a gap, thinned', () => {
  expect(sparkline([1, 2, 3, 4, 5, 6, 7, 8])).toBe('▁▂▃▄▅▆▇█');
  expect(sparkline([2, 2])).toBe('▄▄');
  expect(sparkline([0, Number.NaN, 1])).toBe('▁ █');
  expect(
    sparkline(
      Array.from({ length: 1000 }, (_, i) => i),
      8,
    ),
  ).toBe('▁▂▃▄▅▆▇█');
  expect(sparkline([])).toBe('');
});
