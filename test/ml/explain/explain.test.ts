import { describe, expect, test } from 'vitest';
import { explain, type Predict } from '../../../src/ml/explain/explain.js';
import { type Ask, kernelShap } from '../../../src/ml/explain/kernel-shap.js';
import { weightedR2, weightedRidge } from '../../../src/ml/explain/least-squares.js';
import { lime } from '../../../src/ml/explain/lime.js';

const counted =
  (f: (mask: Uint8Array) => number): Ask =>
  async (masks) =>
    masks.map(f);
const weights = Array.from({ length: 20 }, (_, i) => ((i * 7) % 5) - 2);
const linear = (mask: Uint8Array) => mask.reduce((sum, bit, i) => sum + bit * weights[i]!, 3);

describe('KernelSHAP', () => {
  test('up to 12 features it is the Shapley formula: the glove game', async () => {
    // Player 0 owns a left glove, 1 and 2 a right one each; a pair is worth 1. Known: 2/3, 1/6, 1/6.
    const glove = counted((mask) => (mask[0] === 1 && (mask[1] === 1 || mask[2] === 1) ? 1 : 0));
    const found = await kernelShap(3, glove, { samples: 0, seed: 1 });
    expect(found.method).toBe('exact');
    [2 / 3, 1 / 6, 1 / 6].forEach((value, i) => {
      expect(found.values[i]).toBeCloseTo(value, 12);
    });
    expect(found.additivityError).toBeLessThan(1e-12);
    expect(found.r2).toBeLessThan(1);
  });

  test.each([1, 2, 5, 12])('exact of a sum of %d parts gives the parts', async (count) => {
    const found = await kernelShap(count, counted(linear), { samples: 0, seed: 1 });
    found.values.forEach((value, i) => {
      expect(value).toBeCloseTo(weights[i]!, 10);
    });
    expect(found).toMatchObject({ base: 3, evaluations: 2 ** count });
  });

  test('sampled it still gives the parts of a sum, adds up, and is seeded', async () => {
    const found = await kernelShap(20, counted(linear), { samples: 200, seed: 1 });
    expect(found.method).toBe('sampled');
    found.values.forEach((value, i) => {
      expect(value).toBeCloseTo(weights[i]!, 5);
    });
    expect(found.additivityError).toBeLessThan(1e-9);
    expect(found.r2).toBeCloseTo(1, 9);
    expect(await kernelShap(20, counted(linear), { samples: 200, seed: 1 })).toEqual(found);
  });

  test('sampled comes near the exact values where features act together', async () => {
    // Pairs (0,1), (2,3), … are worth 1 each: by symmetry every feature has 1/2.
    const pairs = counted((mask) => {
      let sum = 0;
      for (let i = 0; i < mask.length; i += 2) sum += mask[i]! * mask[i + 1]!;
      return sum;
    });
    const found = await kernelShap(14, pairs, { samples: 4000, seed: 3 });
    for (const value of found.values) expect(Math.abs(value - 0.5)).toBeLessThan(0.06);
    expect(found.r2).toBeLessThan(0.99);
  });
});

test('LIME finds the sign and order of words, and says how well a line fits', async () => {
  const found = await lime(8, counted(linear), {
    samples: 400,
    seed: 2,
    kernelWidth: 25,
    ridge: 1e-6,
  });
  found.values.forEach((value, i) => {
    expect(value).toBeCloseTo(weights[i]!, 4);
  });
  expect(found.r2).toBeCloseTo(1, 8);
  const xor = counted((mask) => mask.reduce((sum, bit) => sum + bit, 0) % 2);
  expect(
    (await lime(8, xor, { samples: 400, seed: 2, kernelWidth: 25, ridge: 1 })).r2,
  ).toBeLessThan(0.3);
});

test('weighted ridge: known numbers, the shrinking, the unpenalised intercept, the singular system', () => {
  const rows = [
    [1, 0],
    [1, 1],
    [1, 2],
  ];
  const [a, b] = weightedRidge(rows, [1, 3, 5], [1, 2, 1], 0) as [number, number];
  expect([a, b].map((x) => Math.round(x * 1e9) / 1e9)).toEqual([1, 2]);
  // sum w (x - 1)^2 = 2, so the slope shrinks to 2 * 2 / (2 + 2); the line still passes the centre.
  const shrunk = weightedRidge(rows, [1, 3, 5], [1, 2, 1], 2, [0]) as [number, number];
  expect(shrunk[1]).toBeCloseTo(1, 12);
  expect(shrunk[0]).toBeCloseTo(2, 12);
  expect(() =>
    weightedRidge(
      [
        [1, 1],
        [2, 2],
      ],
      [1, 2],
      [1, 1],
      0,
    ),
  ).toThrow('singular');
  expect(weightedR2([1, 3, 5], [1, 3, 5], [1, 1, 1])).toBe(1);
});

describe('texts', () => {
  const predict: Predict = async (texts) =>
    texts.map((text) => {
      const good = /good/.test(text) ? 0.9 : 0.2;
      return { label: good > 0.5 ? 'pos' : 'neg', scores: { pos: good, neg: 1 - good } };
    });
  const options = {
    method: 'shap',
    label: null,
    samples: 300,
    seed: 1,
    replacement: null,
    kernelWidth: 25,
    ridge: 1,
  } as const;

  test.each(['shap', 'lime'] as const)('%s gives the word that matters', async (method) => {
    const found = await explain('a good day, really', predict, { ...options, method });
    expect(found).toMatchObject({ predicted: 'pos', label: 'pos', score: 0.9 });
    const best = [...found.words].sort((a, b) => b.value - a.value)[0];
    expect(best?.word).toBe('good');
    if (method === 'shap') expect(best?.value).toBeCloseTo(0.7, 12);
    for (const { word, value } of found.words)
      if (word !== 'good') expect(Math.abs(value)).toBeLessThan(0.05);
  });

  test('another label turns the sign; an unknown one and an empty text are refused', async () => {
    const found = await explain('good', predict, { ...options, label: 'neg' });
    expect(found.words[0]?.value).toBeCloseTo(-0.7, 12);
    await expect(explain('good', predict, { ...options, label: 'x' })).rejects.toThrow(
      'none of the labels',
    );
    await expect(explain('  ', predict, options)).rejects.toThrow('0 words');
  });

  test('too few samples are said', async () => {
    const long = Array.from({ length: 40 }, (_, i) => `w${i}`).join(' ');
    const found = await explain(`${long} good`, predict, { ...options, samples: 60 });
    expect(found.warnings.join()).toContain('60 samples are few for 41 words');
  });
});
