import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  readSearch,
  rungsOf,
  type SearchOptions,
  selectBest,
  startSearch,
} from '../../../src/ml/search/search.js';
import { parseSpace, randomPoints } from '../../../src/ml/search/space.js';

function options(more: Partial<SearchOptions>): SearchOptions {
  return {
    space: { learningRate: { min: 1e-5, max: 1e-3, scale: 'log' } },
    strategy: 'random',
    trials: 9,
    seed: 42,
    base: {},
    halving: { resource: 'epochs', minimum: 1, maximum: 9, factor: 3 },
    ...more,
  };
}

describe('the trials of a search', () => {
  test('a grid is every combination, ranges by their points', () => {
    const space = {
      batchSize: [8, 16],
      learningRate: { min: 1e-5, max: 1e-3, scale: 'log', points: 3 },
      epochs: { min: 1, max: 3, step: 2 },
    };
    const { trials } = startSearch(options({ strategy: 'grid', space, base: { seed: 1 } }));
    expect(trials).toHaveLength(12);
    expect(trials[0]).toEqual({
      trial: 't-001',
      hyperparameters: { seed: 1, batchSize: 8, learningRate: 1e-5, epochs: 1 },
    });
    const rates = trials.map((trial) => trial.hyperparameters.learningRate);
    expect(new Set(rates)).toEqual(new Set([1e-5, 1e-4, 1e-3]));
    expect(trials.at(-1)?.hyperparameters.epochs).toBe(3);
  });

  test('random draws follow from the seed, keep to the ranges and do not repeat', () => {
    const space = {
      learningRate: { min: 1e-5, max: 1e-2, scale: 'log' },
      batchSize: { min: 4, max: 32, type: 'integer' },
      schedule: ['linear', 'cosine'],
    };
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 30 }), (seed, count) => {
        const points = randomPoints(parseSpace(space), count, seed);
        expect(points).toEqual(randomPoints(parseSpace(space), count, seed));
        expect(points.slice(0, 3)).toEqual(
          randomPoints(parseSpace(space), Math.min(3, count), seed),
        );
        expect(new Set(points.map((point) => JSON.stringify(point))).size).toBe(count);
        for (const { learningRate, batchSize } of points) {
          expect(learningRate).toBeGreaterThanOrEqual(1e-5);
          expect(learningRate).toBeLessThanOrEqual(1e-2);
          expect(Number.isInteger(batchSize)).toBe(true);
          expect(batchSize).toBeGreaterThanOrEqual(4);
          expect(batchSize).toBeLessThanOrEqual(32);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('an exhausted space gives fewer trials, not twins', () => {
    const search = startSearch(options({ space: { optimizer: ['adamw', 'sgd'] }, trials: 9 }));
    expect(search.trials.map((trial) => trial.hyperparameters.optimizer).sort()).toEqual([
      'adamw',
      'sgd',
    ]);
  });

  test("SageMaker's ParameterRanges are read", () => {
    const space = {
      IntegerParameterRanges: [{ Name: 'epochs', MinValue: '1', MaxValue: '2' }],
      ContinuousParameterRanges: [
        { Name: 'lr', MinValue: '0.001', MaxValue: '0.1', ScalingType: 'Logarithmic' },
      ],
      CategoricalParameterRanges: [{ Name: 'optimizer', Values: ['sgd'] }],
    };
    const [trial] = startSearch(options({ space, trials: 1 })).trials;
    expect(Object.keys(trial!.hyperparameters)).toEqual(['epochs', 'lr', 'optimizer']);
  });

  test.each([
    [{}, /space: it is empty/],
    [{ lr: [] }, /space\/lr: must list/],
    [{ lr: { min: 1 } }, /space\/lr: must have "values", or/],
    [{ lr: { min: 2, max: 1 } }, /space\/lr: "min" 2 must not be above/],
    [{ lr: { min: 0, max: 1, scale: 'log' } }, /needs "min" above 0/],
    [{ epochs: [1] }, /space\/epochs: it is the resource/],
  ])('%j is refused', (space, message) => {
    expect(() => startSearch(options({ space, strategy: 'halving' }))).toThrow(message);
  });

  test('a grid over a bare range, or one that is too large, is refused', () => {
    const bare = { lr: { min: 0, max: 1 } };
    expect(() => startSearch(options({ space: bare, strategy: 'grid' }))).toThrow(/"points" or/);
    const large = { a: { min: 0, max: 1, points: 30 }, b: { min: 0, max: 1, points: 30 } };
    expect(() => startSearch(options({ space: large, strategy: 'grid' }))).toThrow(/900 points/);
  });
});

describe('successive halving', () => {
  test('gives a third of the trials three times as much', () => {
    const plan = rungsOf(9, { resource: 'epochs', minimum: 1, maximum: 9, factor: 3 });
    expect(plan).toEqual([
      { trials: 9, resource: 1 },
      { trials: 3, resource: 3 },
      { trials: 1, resource: 9 },
    ]);
  });

  test('carries the best through its rungs and ends with one', () => {
    let search = startSearch(options({ strategy: 'halving' }));
    const epochs: unknown[] = [];
    for (;;) {
      epochs.push(search.trials.map((trial) => trial.hyperparameters.epochs));
      const results = search.trials.map((trial) => ({
        trial,
        metrics: { validationMacroF1: Number(trial.hyperparameters.learningRate) },
      }));
      const selection = selectBest(
        JSON.parse(JSON.stringify(results)),
        'validationMacroF1',
        'maximize',
        readSearch(JSON.parse(JSON.stringify(search))),
      );
      if (selection.done) {
        const all = startSearch(options({ strategy: 'halving' })).trials;
        const rates = all.map((trial) => Number(trial.hyperparameters.learningRate));
        expect(selection.best.score).toBe(Math.max(...rates));
        break;
      }
      search = selection.search!;
    }
    expect(epochs).toEqual([[1, 1, 1, 1, 1, 1, 1, 1, 1], [3, 3, 3], [9]]);
  });
});

describe('selection', () => {
  const result = (trial: string, score: number | null) => ({
    trial: { trial, hyperparameters: {} },
    ...(score === null
      ? { error: { Error: 'Training.Failed', Cause: 'diverged' } }
      : { metrics: { deep: { f1: score } } }),
  });

  test('ranks by a metric at any depth; equals keep their order, failures are told', () => {
    const results = [result('a', 0.5), result('b', null), result('c', 0.7), result('d', 0.7)];
    const selection = selectBest(results, 'deep.f1', 'maximize', null);
    expect(selection.leaderboard.map((entry) => entry.trial)).toEqual(['c', 'd', 'a']);
    expect(selection.failed).toEqual([{ trial: 'b', reason: 'Training.Failed: diverged' }]);
    expect(selection.done).toBe(true);
    expect(selectBest(results, 'deep.f1', 'minimize', null).best.trial).toBe('a');
  });

  test('a missing metric is a failure, and without any score there is no best', () => {
    const selection = selectBest(
      [result('a', 0.5), { trial: 'b', metrics: {} }],
      'deep.f1',
      'maximize',
      null,
    );
    expect(selection.failed[0]).toEqual({
      trial: 'b',
      reason: 'the result has no metric "deep.f1"',
    });
    expect(() => selectBest([result('b', null)], 'deep.f1', 'maximize', null)).toThrow(
      'no trial has a score; b: Training.Failed: diverged',
    );
  });
});
