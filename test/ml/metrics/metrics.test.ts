import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  accuracy,
  averages,
  cohensKappa,
  confusionMatrix,
  matthewsCorrelation,
  perClass,
} from '../../../src/ml/metrics/classification.js';
import { mcNemar } from '../../../src/ml/metrics/comparison.js';
import { averagePrecision, rocAucOneVersusOne } from '../../../src/ml/metrics/ranking.js';
import { regressionMetrics } from '../../../src/ml/metrics/regression.js';
import { latencyOf } from '../../../src/ml/metrics/latency.js';
import {
  argmax,
  binaryBrier,
  brier,
  calibration,
  logLoss,
  rocAuc,
} from '../../../src/ml/metrics/probability.js';

type Score = { precision: number; recall: number; f1: number; support?: number };
interface Golden {
  name: string;
  classes: number;
  truth: number[];
  scores: number[][];
  accuracy: number;
  confusion: number[][];
  mcc: number;
  kappa: number;
  averagePrecision?: number[];
  aucOvo?: number;
  logLoss: number;
  brier: number;
  binaryBrier?: number;
  ece: number;
  micro: Score;
  macro: Score;
  weighted: Score;
  perClass: Score[];
  auc?: number[];
  aucMacro?: number;
  aucWeighted?: number;
}

const golden = JSON.parse(readFileSync(new URL('golden.json', import.meta.url), 'utf8')) as {
  cases: Golden[];
  regression: { truth: number[]; predicted: number[]; [metric: string]: number | number[] }[];
  mcnemar: { b: number; c: number; p: number }[];
  times: number[];
  percentiles: Record<string, number>;
};

const DIGITS = 12;

describe.each(golden.cases)('scikit-learn, $name', (known) => {
  const { truth, classes } = known;
  const scores = { values: Float64Array.from(known.scores.flat()), classes };
  const predicted = truth.map((_, i) => argmax(scores, i));
  const matrix = confusionMatrix(truth, predicted, classes);

  test('confusion matrix, accuracy and Matthews correlation are equal', () => {
    expect(matrix).toEqual(known.confusion);
    expect(accuracy(matrix)).toBe(known.accuracy);
    expect(matthewsCorrelation(matrix)).toBeCloseTo(known.mcc, DIGITS);
    expect(cohensKappa(matrix)).toBeCloseTo(known.kappa, DIGITS);
  });

  test('average precision and the one-against-one area are equal, ties too', () => {
    const found = averagePrecision(truth, scores);
    (known.averagePrecision ?? []).forEach((area, c) => {
      expect(found.perClass[c]).toBeCloseTo(area, DIGITS);
    });
    if (known.aucOvo !== undefined) {
      expect(rocAucOneVersusOne(truth, scores)).toBeCloseTo(known.aucOvo, DIGITS);
    }
    if (known.averagePrecision === undefined) expect(found.macro).toBeNull();
  });

  test('precision, recall and F1 are equal per class and in every average', () => {
    perClass(matrix).forEach((score, i) => {
      expectScore(score, known.perClass[i] as Score);
      expect(score.support).toBe(known.perClass[i]?.support);
    });
    const found = averages(matrix);
    for (const average of ['micro', 'macro', 'weighted'] as const) {
      expectScore(found[average], known[average]);
    }
  });

  test('log loss, Brier score and calibration error are equal', () => {
    expect(logLoss(truth, scores)).toBeCloseTo(known.logLoss, DIGITS);
    expect(brier(truth, scores)).toBeCloseTo(known.brier, DIGITS);
    expect(calibration(truth, scores).error).toBeCloseTo(known.ece, DIGITS);
    if (known.binaryBrier !== undefined) {
      expect(binaryBrier(truth, scores)).toBeCloseTo(known.binaryBrier, DIGITS);
    }
  });

  test('ROC-AUC one against the rest is equal, or null where sklearn refuses it', () => {
    const found = rocAuc(truth, scores);
    if (known.auc === undefined) {
      expect(found.macro).toBeNull();
      return;
    }
    known.auc.forEach((area, i) => {
      expect(found.perClass[i]).toBeCloseTo(area, DIGITS);
    });
    expect(found.macro).toBeCloseTo(known.aucMacro as number, DIGITS);
    if (known.aucWeighted !== undefined) {
      expect(found.weighted).toBeCloseTo(known.aucWeighted, DIGITS);
    }
  });
});

function expectScore(found: Score, known: Score): void {
  expect(found.precision).toBeCloseTo(known.precision, DIGITS);
  expect(found.recall).toBeCloseTo(known.recall, DIGITS);
  expect(found.f1).toBeCloseTo(known.f1, DIGITS);
}

test('percentiles are numpy’s', () => {
  const found = latencyOf(golden.times);
  expect(found.p50).toBeCloseTo(golden.percentiles['50'] as number, DIGITS);
  expect(found.p95).toBeCloseTo(golden.percentiles['95'] as number, DIGITS);
  expect(found.p99).toBeCloseTo(golden.percentiles['99'] as number, DIGITS);
  expect(found).toMatchObject({ samples: 57, max: Math.max(...golden.times) });
  expect(latencyOf([])).toMatchObject({ p50: 0, samples: 0 });
});

test('a probability of exactly 0 or 1 costs much, never infinity', () => {
  const scores = { values: [1, 0], classes: 2 };
  expect(logLoss([1], scores)).toBeCloseTo(-Math.log(2 ** -52), 6);
  expect(logLoss([0], scores)).toBeCloseTo(0, 12);
});

test('all metrics stay in their range and ROC-AUC mirrors when scores are negated', () => {
  const pairs = fc.array(fc.tuple(fc.nat(1), fc.integer({ min: 0, max: 20 })), { minLength: 2 });
  fc.assert(
    fc.property(pairs, (given) => {
      const truth = given.map(([label]) => label);
      const values = given.flatMap(([, score]) => [1 - score / 20, score / 20]);
      const scores = { values, classes: 2 };
      const matrix = confusionMatrix(
        truth,
        truth.map((_, i) => argmax(scores, i)),
        2,
      );
      for (const average of Object.values(averages(matrix))) {
        expect(average.f1).toBeGreaterThanOrEqual(0);
        expect(average.f1).toBeLessThanOrEqual(1);
      }
      const area = rocAuc(truth, scores).perClass[1];
      const mirrored = rocAuc(truth, { values: [...values].map((value) => 1 - value), classes: 2 });
      if (area === null || area === undefined) expect(mirrored.perClass[1]).toBeNull();
      else expect((mirrored.perClass[1] as number) + area).toBeCloseTo(1, DIGITS);
    }),
  );
});

test.each(golden.regression)('scikit-learn, regression', (known) => {
  const found = regressionMetrics(known.truth, known.predicted);
  for (const metric of ['mae', 'mse', 'rmse', 'r2'] as const) {
    expect(found?.[metric]).toBeCloseTo(known[metric] as number, DIGITS - 2);
  }
});

test('regression without rows, with one row, with a constant truth', () => {
  expect(regressionMetrics([], [])).toBeNull();
  expect(regressionMetrics([1], [3])).toMatchObject({ mae: 2, r2: null });
  expect(regressionMetrics([2, 2], [2, 2])?.r2).toBe(1);
  expect(regressionMetrics([2, 2], [2, 3])?.r2).toBe(0);
  expect(() => regressionMetrics([1], [])).toThrow('0 predictions for 1 true values');
});

test.each(golden.mcnemar)('scipy, McNemar of $b against $c', ({ b, c, p }) => {
  const found = mcNemar(b, c);
  expect(found.pValue).toBeCloseTo(p, 10);
  expect(found.method).toBe(b + c < 25 ? 'exact' : 'chi-square');
});
