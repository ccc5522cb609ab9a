/** Monitors' numbers against SciPy (golden.py), and what the tests promise. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compareShares, samplesPerArm } from '../../../src/ml/monitor/ab-test.js';
import { selectRows, uncertainty } from '../../../src/ml/monitor/active-learning.js';
import { conceptDrift, ddm, pageHinkley } from '../../../src/ml/monitor/concept-drift.js';
import {
  binNumbers,
  expectedPsi,
  jensenShannon,
  psi,
  wasserstein,
} from '../../../src/ml/monitor/distances.js';
import {
  chiSquareSurvival,
  kolmogorovSurvival,
  normalQuantile,
  normalTwoSided,
} from '../../../src/ml/monitor/special-functions.js';
import { chiSquare, kolmogorovSmirnov, meanShift } from '../../../src/ml/monitor/two-sample.js';
import { SeededRandom } from '../../../src/ml/onnx/seeded-random.js';

const golden = JSON.parse(readFileSync(new URL('./golden.json', import.meta.url), 'utf8')) as {
  samples: { a: number[]; b: number[]; ks: number; ksExactP: number; wasserstein: number }[];
  tables: { r: number[]; c: number[]; chi2: number; p: number; js: number; psi: number }[];
  functions: Record<string, number[][]>;
  shares: { s1: number; n1: number; s2: number; n2: number; z: number; p: number }[];
  entropies: { p: number[]; entropy: number }[];
};

describe('numbers equal SciPy’s', () => {
  const close = (value: number, expected: number): void => {
    expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(expected)));
  };
  it('in the distribution functions', () => {
    for (const [x = 0, k = 0, p = 0] of golden.functions.chi2 ?? [])
      close(chiSquareSurvival(x, k), p);
    for (const [x = 0, p = 0] of golden.functions.kolmogorov ?? []) close(kolmogorovSurvival(x), p);
    for (const [z = 0, p = 0] of golden.functions.normalTwoSided ?? []) close(normalTwoSided(z), p);
    for (const [p = 0, z = 0] of golden.functions.normalQuantile ?? []) close(normalQuantile(p), z);
  });
  it('in Kolmogorov-Smirnov and Wasserstein; the p-value is never far below the exact one', () => {
    for (const sample of golden.samples) {
      const result = kolmogorovSmirnov(sample.a, sample.b);
      close(result.statistic, sample.ks);
      close(wasserstein(sample.a, sample.b), sample.wasserstein);
      expect(Math.abs(result.pValue - sample.ksExactP)).toBeLessThan(0.03);
    }
  });
  it('in chi-square, Jensen-Shannon and PSI', () => {
    for (const table of golden.tables) {
      const result = chiSquare(table.r, table.c);
      close(result.statistic, table.chi2);
      close(result.pValue, table.p);
      close(jensenShannon({ reference: table.r, current: table.c }), table.js);
      close(psi({ reference: table.r, current: table.c }), table.psi);
    }
  });
  it('in the comparison of shares and in entropy', () => {
    for (const { s1, n1, s2, n2, z, p } of golden.shares) {
      const result = compareShares(
        { successes: s1, samples: n1 },
        { successes: s2, samples: n2 },
        0.05,
      );
      close(result.z, z);
      close(result.pValue, p);
    }
    for (const { p, entropy } of golden.entropies) close(uncertainty(p, 'entropy'), entropy);
  });
});

describe('an A/B test', () => {
  it('asks for the samples that textbooks ask for', () => {
    // Fleiss, without continuity correction: 80 % against 85 %.
    const n = samplesPerArm({ baselineRate: 0.8, minimumEffect: 0.05, alpha: 0.05, power: 0.8 });
    expect(n).toBe(906);
  });
  it('has about the power it promises and rarely sees a difference that is not there', () => {
    const random = new SeededRandom(5, 'ab');
    const draw = (rate: number, n: number) => ({
      samples: n,
      successes: Array.from({ length: n }, () => random.uniform() < rate).filter(Boolean).length,
    });
    const n = samplesPerArm({ baselineRate: 0.8, minimumEffect: 0.1, alpha: 0.05, power: 0.8 });
    const found = (other: number): number =>
      Array.from({ length: 400 }, () => compareShares(draw(0.8, n), draw(other, n), 0.05)).filter(
        (result) => result.pValue < 0.05,
      ).length / 400;
    expect(found(0.9)).toBeGreaterThan(0.74);
    expect(found(0.8)).toBeLessThan(0.08);
  });
});

describe('PSI', () => {
  it('of equal populations is what is expected of samples that small', () => {
    const random = new SeededRandom(3, 'psi');
    const sample = (n: number) => Array.from({ length: n }, () => random.uniform());
    const ratios = Array.from({ length: 100 }, () => {
      const binned = binNumbers(sample(300), sample(100));
      return psi(binned) / expectedPsi(binned);
    });
    const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
    expect(mean).toBeGreaterThan(0.8);
    expect(mean).toBeLessThan(1.3);
  });
});

describe('the permutation test', () => {
  const random = new SeededRandom(11, 'vectors');
  const rows = (n: number, shift: number) =>
    Array.from({ length: n }, () =>
      Float64Array.from({ length: 8 }, () => random.uniform() + shift),
    );
  const test = (shift: number) =>
    meanShift(rows(120, 0), rows(60, shift), { permutations: 499, random: () => random.uniform() });
  it('finds a shifted mean and is repeatable in its verdict', () => {
    expect(test(0.15).pValue).toBe(1 / 500);
    expect(test(0.15).statistic).toBeGreaterThan(2 * test(0.15).expected);
  });
  it('raises false alarms as often as its level says', () => {
    const alarms = Array.from({ length: 100 }, () => test(0)).filter(({ pValue }) => pValue < 0.05);
    expect(alarms.length).toBeLessThan(12);
  });
});

describe('concept drift', () => {
  const random = new SeededRandom(21, 'errors');
  const errors = (n: number, rate: number) =>
    Array.from({ length: n }, () => (random.uniform() < rate ? 1 : 0));
  it('is seen by DDM and by Page-Hinkley soon after the error rate has risen, and confirmed', () => {
    const stream = [...errors(600, 0.1), ...errors(300, 0.5)];
    const found = ddm(stream, { minSamples: 300 });
    expect(found.level).toBe('drift');
    expect(found.driftAt).toBeGreaterThan(600);
    expect(found.driftAt).toBeLessThan(720);
    const other = pageHinkley(stream, { threshold: 20 });
    expect(other.level).toBe('drift');
    expect(other.driftAt).toBeGreaterThan(600);
    expect(other.driftAt).toBeLessThan(760);
    expect(conceptDrift(stream)).toMatchObject({ drift: true });
  });
  it('is rarely confirmed where nothing changes, though DDM alone cries often', () => {
    const streams = Array.from({ length: 200 }, () => errors(400, 0.15));
    const alone = streams.filter((stream) => ddm(stream).level === 'drift').length;
    const confirmed = streams.filter((stream) => conceptDrift(stream).drift).length;
    expect(alone).toBeGreaterThan(10);
    expect(confirmed).toBeLessThanOrEqual(4);
  });
  it('is not seen without any error, nor in a few rows', () => {
    expect(conceptDrift(new Array<number>(500).fill(0)).drift).toBe(false);
    expect(conceptDrift(errors(20, 0.9)).drift).toBe(false);
  });
});

describe('active learning', () => {
  it('ranks by doubt', () => {
    for (const method of ['leastConfidence', 'margin', 'entropy'] as const) {
      expect(uncertainty([1, 0, 0], method)).toBeCloseTo(0);
      expect(uncertainty([1 / 3, 1 / 3, 1 / 3], method)).toBeCloseTo(1);
      expect(uncertainty([0.5, 0.4, 0.1], method)).toBeGreaterThan(
        uncertainty([0.9, 0.06, 0.04], method),
      );
    }
  });
  it('spreads its choice: of near twins only one is asked about', () => {
    const twin = { uncertainty: 0.9, vector: [1, 0] };
    const rows = [twin, { ...twin, uncertainty: 0.89 }, { uncertainty: 0.5, vector: [0, 1] }];
    expect(selectRows(rows, 2)).toEqual([0, 2]);
    expect(selectRows(rows, 2, { diversity: false })).toEqual([0, 1]);
    expect(selectRows(rows, 9)).toHaveLength(3);
    expect(selectRows([], 3)).toEqual([]);
  });
});
