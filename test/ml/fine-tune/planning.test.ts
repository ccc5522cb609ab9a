import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  buckets,
  epochRandom,
  hideTokens,
  planEpoch,
  planEvaluation,
  tokenFeeds,
} from '../../../src/ml/train/batches.js';
import { classWeights } from '../../../src/ml/train/rows.js';
import { rateFactor, rateGroups } from '../../../src/ml/train/schedule.js';
import { scoreLogits } from '../../../src/ml/train/scores.js';

const lengths = fc.array(fc.integer({ min: 2, max: 100 }), { minLength: 1, maxLength: 200 });

describe('batches', () => {
  test('buckets double up to the longest text', () => {
    expect(buckets(100)).toEqual([16, 32, 64, 100]);
    expect(buckets(12)).toEqual([12]);
  });

  test('an epoch holds every row once, in buckets that fit', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 32 }), fc.nat(), (rows, size, seed) => {
        const plan = planEpoch(rows, buckets(100), size, epochRandom(seed, 0));
        const seen = plan.flatMap((batch) => batch.rows).sort((a, b) => a - b);
        expect(seen).toEqual(rows.map((_, index) => index));
        for (const { sequence, rows: members } of plan) {
          expect(members.length).toBeLessThanOrEqual(size);
          expect(Math.max(...members.map((row) => rows[row]!))).toBeLessThanOrEqual(sequence);
        }
      }),
    );
  });

  test('epochs differ in order, not in their number of batches; a seed repeats them', () => {
    const rows = Array.from({ length: 90 }, (_, i) => 5 + (i % 40));
    const plan = (epoch: number) => planEpoch(rows, buckets(64), 8, epochRandom(42, epoch));
    expect(plan(1)).not.toEqual(plan(0));
    expect(plan(1).length).toBe(plan(0).length);
    expect(plan(1)).toEqual(plan(1));
    expect(planEvaluation(rows, buckets(64), 8)).toEqual(planEvaluation(rows, buckets(64), 8));
  });
});

test('hidden tokens lie between the first and the last, and the seed repeats them', () => {
  const rows = [{ ids: [2, 9, 9, 9, 9, 3], label: 0 }];
  const feeds = tokenFeeds(rows, { sequence: 8, rows: [0] }, 1, 0);
  const hidden = (rate: number) =>
    Array.from(
      hideTokens(feeds, [6], rate, 4, epochRandom(1, 0)).input_ids!.data as BigInt64Array,
      Number,
    );
  expect(hidden(1)).toEqual([2, 4, 4, 4, 4, 3, 0, 0]);
  expect(hidden(0)).toEqual([2, 9, 9, 9, 9, 3, 0, 0]);
  expect(hidden(0.5)).toEqual(hidden(0.5));
});

describe('learning rates', () => {
  test.each([
    ['linear', 10, 1],
    ['linear', 55, 0.5],
    ['linear', 99, 1 / 90],
    ['cosine', 55, 0.5],
    ['constant', 99, 1],
    ['linear', 4, 5 / 11],
  ] as const)('%s at step %i of 100 after 10 of warm-up: %f', (schedule, step, factor) => {
    expect(rateFactor(schedule, step, 100, 0.1)).toBeCloseTo(factor, 10);
  });

  const names = [
    'embeddings.LayerNorm.bias',
    'encoder.layer.0.output.dense.weight',
    'encoder.layer.1.output.dense.weight',
    'classifier.weight',
  ];
  const base = {
    strategy: 'full',
    learningRate: 1,
    headLearningRate: 10,
    layerDecay: 0.5,
    trainableLayers: null,
  } as const;

  test('fall layer by layer downwards', () => {
    const { groupOf, rateOf } = rateGroups(names, 2, base);
    expect(names.map((name) => rateOf.get(groupOf.get(name)!))).toEqual([0.25, 0.5, 1, 10]);
  });

  test('only the asked-for top layers and the head are trained', () => {
    const trained = (trainableLayers: number) => [
      ...rateGroups(names, 2, { ...base, trainableLayers }).groupOf.keys(),
    ];
    expect(trained(1)).toEqual(names.slice(2));
    expect(trained(2)).toEqual(names.slice(1));
    const frozen = rateGroups(names, 2, { ...base, strategy: 'feature-extraction' });
    expect([...frozen.groupOf.keys()]).toEqual(['classifier.weight']);
  });
});

test('balanced class weights make every class weigh the same in all', () => {
  const rows = [0, 0, 0, 1].map((label) => ({ label }));
  const labels = ['a', 'b'];
  expect(classWeights(rows, { classWeights: 'balanced', labels })).toEqual([4 / 6, 2]);
  expect(classWeights(rows, { classWeights: null, labels })).toEqual([1, 1]);
});

test('scores are those of the confusion matrix', () => {
  const sure = (label: number) => Float32Array.from([0, 1, 2], (i) => (i === label ? 50 : 0));
  const scores = scoreLogits([sure(0), sure(0), sure(1), sure(1)], [0, 1, 1, 1], 3);
  expect(scores.accuracy).toBe(0.75);
  expect(scores.macroF1).toBeCloseTo((2 / 3 + 4 / 5) / 2, 10);
  expect(scores.loss).toBeGreaterThan(6);
});
