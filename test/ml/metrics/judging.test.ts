import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mcNemarOf, pairedBootstrap, requirePairs } from '../../../src/ml/metrics/comparison.js';
import { fairness } from '../../../src/ml/metrics/fairness.js';
import {
  groupsBy,
  type PredictionTable,
  readPredictions,
  sampleOf,
} from '../../../src/ml/metrics/predictions.js';
import { qualityOf } from '../../../src/ml/metrics/quality.js';

type Line = { text?: string; label: string; predicted: string; kept?: Record<string, string> };

async function tableOf(lines: readonly Line[]): Promise<PredictionTable> {
  async function* each() {
    for (const line of lines) yield JSON.stringify(line);
  }
  return await readPredictions(each(), 'predictions');
}

/** `count` rows of a group, `selected` predicted yes, `right` of them truly. */
const group = (name: string, rows: readonly (readonly [string, string, number])[]): Line[] =>
  rows.flatMap(([label, predicted, count]) =>
    Array.from({ length: count }, () => ({ label, predicted, kept: { sex: name, site: 'a' } })),
  );

describe('fairness, against counts made by hand', () => {
  // f: 40 rows, 20 selected, TPR 15/20, FPR 5/20. m: 50 rows, 40 selected, TPR 27/30, FPR 13/20.
  const lines = [
    ...group('f', [
      ['yes', 'yes', 15],
      ['yes', 'no', 5],
      ['no', 'yes', 5],
      ['no', 'no', 15],
    ]),
    ...group('m', [
      ['yes', 'yes', 27],
      ['yes', 'no', 3],
      ['no', 'yes', 13],
      ['no', 'no', 7],
    ]),
    ...group('x', [['yes', 'no', 3]]),
  ];
  const options = { columns: ['sex'], favourable: ['yes'], minimumRows: 10 };

  test('parity, equal opportunity, equalized odds and four-fifths', async () => {
    const found = fairness(await tableOf(lines), options);
    expect(found.demographicParityDifference).toBeCloseTo(0.3, 12);
    expect(found.demographicParityRatio).toBeCloseTo(0.625, 12);
    expect(found.equalOpportunityDifference).toBeCloseTo(0.15, 12);
    expect(found.equalizedOddsDifference).toBeCloseTo(0.4, 12);
    expect(found.equalizedOddsRatio).toBeCloseTo(0.25 / 0.65, 12);
    expect(found.fourFifths).toBe(false);
    expect(found.pValue).toBeLessThan(0.01);
  });

  test('a small group is shown, warned of and not compared', async () => {
    const found = fairness(await tableOf(lines), options);
    expect(found.groups.map((one) => [one.group, one.compared])).toEqual([
      ['f', true],
      ['m', true],
      ['x', false],
    ]);
    expect(found.warnings).toEqual(['sex "x" has 3 rows, fewer than 10: shown, but not compared.']);
    const all = fairness(await tableOf(lines), { ...options, minimumRows: 1 });
    expect(all.demographicParityRatio).toBe(0);
  });

  test('groups of several columns are intersections; an absent column is named', async () => {
    const table = await tableOf(lines);
    expect([...groupsBy(table, ['sex', 'site']).keys()]).toEqual(['f & a', 'm & a', 'x & a']);
    expect(() => groupsBy(table, ['age'])).toThrow(/"age" \(kept: sex, site\).*keepColumns/);
  });

  test('one group cannot be compared: no verdict instead of a good one', async () => {
    const found = fairness(await tableOf(lines.slice(0, 40)), options);
    expect(found).toMatchObject({ demographicParityRatio: null, fourFifths: null, pValue: null });
  });
});

describe('two models on the same rows', () => {
  const rows = (wrong: (i: number) => boolean): Line[] =>
    Array.from({ length: 120 }, (_, i) => {
      const label = i % 2 === 0 ? 'a' : 'b';
      return { text: `row ${i}`, label, predicted: wrong(i) ? (label === 'a' ? 'b' : 'a') : label };
    });
  const options = { metric: 'accuracy', resamples: 500, seed: 7, confidence: 0.95 };

  test('McNemar counts disagreements only', async () => {
    const [a, b] = [
      await tableOf(rows((i) => i < 30)),
      await tableOf(rows((i) => i >= 20 && i < 32)),
    ];
    expect(mcNemarOf(a, b)).toMatchObject({ onlyBaseline: 2, onlyCandidate: 20, method: 'exact' });
  });

  test('the bootstrap is seeded, finds a real difference, and none between equals', async () => {
    const [a, b] = [await tableOf(rows((i) => i < 30)), await tableOf(rows((i) => i < 8))];
    const found = await pairedBootstrap(a, b, options);
    expect(found.difference).toBeCloseTo(22 / 120, 12);
    expect(found.interval?.low).toBeGreaterThan(0.1);
    expect(found.interval?.high).toBeLessThan(0.27);
    expect(found.pValue).toBeLessThan(0.01);
    expect(await pairedBootstrap(a, b, options)).toEqual(found);
    expect((await pairedBootstrap(a, b, { ...options, seed: 8 })).interval).not.toBeNull();
    expect(await pairedBootstrap(a, a, options)).toMatchObject({ difference: 0, pValue: 1 });
  });

  test('a metric that needs scores is undefined without them, never zero', async () => {
    const a = await tableOf(rows(() => false));
    const found = await pairedBootstrap(a, a, { ...options, metric: 'logLoss' });
    expect(found).toMatchObject({ difference: null, interval: null, pValue: null });
  });

  test('other rows are refused', async () => {
    const a = await tableOf(rows(() => false));
    const b = await tableOf(rows(() => false).slice(1));
    expect(() => requirePairs(a, b)).toThrow('not evaluated on the same rows (row 1 differs)');
  });
});

test('a sample of all places is the table itself, whatever the rows', async () => {
  const label = fc.constantFrom('a', 'b', 'c');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ label, predicted: label }), { minLength: 1 }),
      async (lines) => {
        const table = await tableOf(lines);
        const places = Array.from({ length: lines.length }, (_, i) => i).reverse();
        for (const metric of ['accuracy', 'f1Macro', 'cohensKappa', 'matthewsCorrelation']) {
          const whole = qualityOf(metric, sampleOf(table));
          expect(qualityOf(metric, sampleOf(table, places))).toBeCloseTo(whole as number, 12);
        }
      },
    ),
  );
});

test('predictions that are none are refused with their place', async () => {
  async function* lines() {
    yield '{"label":"a","predicted":"b"}';
    yield '{"label":"a"}';
  }
  await expect(readPredictions(lines(), 'p.jsonl')).rejects.toThrow(
    'p.jsonl, line 2: needs "label"',
  );
});
