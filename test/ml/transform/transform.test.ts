import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Row } from '../../../src/ml/data/record.js';
import { loadClassifier } from '../../../src/ml/encoder/classifier.js';
import { readTransform, savedTextTransform } from '../../../src/ml/transform/saved.js';
import { applyTransform, fitTransform, type Step } from '../../../src/ml/transform/steps.js';
import { writeTinyModel } from '../encoder/model-folder.js';

const fitted = (steps: readonly Step[], rows: readonly Row[]) => fitTransform(steps, rows);

test('every step by known numbers (scikit-learn 1.2: StandardScaler, MinMaxScaler, RobustScaler)', () => {
  const rows = [1, 2, 3, 10].map((x) => ({ x, c: x > 2 ? 'b' : 'a' }));
  const of = (method: 'standard' | 'minMax' | 'robust') =>
    fitted([{ step: 'scale', column: 'x', method }], rows).rows.map((row) => Number(row.x));
  expect(of('minMax')).toEqual([0, 1 / 9, 2 / 9, 1]);
  // Median 2.5, quartiles 1.75 and 4.75.
  expect(of('robust')).toEqual([-0.5, -1 / 6, 1 / 6, 2.5]);
  const deviation = Math.sqrt((9 + 4 + 1 + 36) / 4);
  [-3, -2, -1, 6].forEach((gap, i) => {
    expect(of('standard')[i]).toBeCloseTo(gap / deviation, 12);
  });
  expect(fitted([{ step: 'oneHot', column: 'c' }], rows).rows[3]).toEqual({
    x: 10,
    'c=a': 0,
    'c=b': 1,
  });
  expect(fitted([{ step: 'ordinal', column: 'c' }], rows).rows.map((row) => row.c)).toEqual([
    0, 0, 1, 1,
  ]);
  expect(fitted([{ step: 'select', columns: ['c'] }], rows).rows[0]).toEqual({ c: 'a' });
  const constant = fitted([{ step: 'scale', column: 'x' }], [{ x: 0.1 }, { x: 0.1 }, { x: 0.1 }]);
  expect(constant.rows.map((row) => row.x)).toEqual([0, 0, 0]);
});

test('gaps are filled with what the training rows had; a step sees what those before it left', () => {
  const rows: Row[] = [{ x: '1' }, { x: '' }, { x: '4' }, { x: '4' }];
  const steps: Step[] = [
    { step: 'cast', column: 'x', to: 'number' },
    { step: 'impute', column: 'x', strategy: 'median' },
  ];
  const { transform, rows: made } = fitted(steps, rows);
  expect(made.map((row) => row.x)).toEqual([1, 4, 4, 4]);
  expect(applyTransform(transform, { x: null })).toEqual({ x: 4 });
  const frequent = fitted(
    [{ step: 'impute', column: 'x', strategy: 'mostFrequent' }],
    [{ x: 'b' }, { x: 'a' }, { x: null }],
  );
  expect(frequent.rows[2]).toEqual({ x: 'a' });
});

test('what was not there at fitting: zeros, minus one, or a refusal that names the step', () => {
  const rows = [{ c: 'a' }];
  const apply = (step: Step, row: Row) => applyTransform(fitted([step], rows).transform, row);
  expect(apply({ step: 'oneHot', column: 'c' }, { c: 'z' })).toEqual({ 'c=a': 0 });
  expect(apply({ step: 'ordinal', column: 'c' }, { c: 'z' })).toEqual({ c: -1 });
  expect(() => apply({ step: 'oneHot', column: 'c', onUnknown: 'fail' }, { c: 'z' })).toThrow(
    '/steps/0: "z" in "c"',
  );
  expect(() => apply({ step: 'ordinal', column: 'c' }, { d: 1 })).toThrow(
    'no column "c"; the row has: d',
  );
  expect(() => fitted([{ step: 'scale', column: 'c' }], rows)).toThrow('cast it first');
  expect(() => fitted([{ step: 'impute', column: 'c', strategy: 'mean' }], [{ c: null }])).toThrow(
    'no value to learn from',
  );
});

test('training and serving are equal: any rows, saved and read again, one at a time', () => {
  const row = fc.record({
    n: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }), {
      nil: null,
    }),
    c: fc.option(fc.string({ maxLength: 3 }), { nil: null }),
    t: fc.string(),
    unused: fc.boolean(),
  });
  const steps: Step[] = [
    { step: 'impute', column: 'n', strategy: 'constant', value: 0 },
    { step: 'scale', column: 'n', method: 'standard' },
    { step: 'oneHot', column: 'c' },
    { step: 'normaliseText', column: 't', lowercase: true },
  ];
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), (rows) => {
      const { transform, rows: trained } = fitted(steps, rows);
      const served = readTransform(JSON.stringify(transform), 'saved');
      expect(rows.map((one) => applyTransform(served, one))).toEqual(trained);
    }),
  );
});

test('a model serves with the transform it was trained with', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stepwell-transform-'));
  try {
    writeTinyModel(folder);
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    writeFileSync(
      join(folder, 'config.json'),
      JSON.stringify({ ...config, id2label: { 0: 'a', 1: 'b' } }),
    );
    const raw = 'gooood   app';
    const plain = await loadClassifier(folder);
    const { transform } = fitted(
      [{ step: 'normaliseText', column: 'text', unicode: 'NFKC', lowercase: true }],
      [{ text: raw }],
    );
    writeFileSync(join(folder, 'transform.json'), JSON.stringify(transform));
    const cleaning = await loadClassifier(folder);
    // Full-width letters are unknown to the tokenizer until they are normalised.
    const [asked] = await cleaning.embed(['ｇｏｏｄ  app']);
    const [meant] = await plain.embed(['good app']);
    const [unclean] = await plain.embed(['ｇｏｏｄ  app']);
    expect(Array.from(asked as Float32Array)).toEqual(Array.from(meant as Float32Array));
    expect(Array.from(unclean as Float32Array)).not.toEqual(Array.from(meant as Float32Array));
    await Promise.all([plain.close(), cleaning.close()]);
    const tabular = fitted([{ step: 'ordinal', column: 'text' }], [{ text: raw }]).transform;
    writeFileSync(join(folder, 'transform.json'), JSON.stringify(tabular));
    expect(() => savedTextTransform(folder)).toThrow('the step "ordinal" cannot be applied');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
