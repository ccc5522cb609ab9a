import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runFineTune } from '../../../src/ml/train/run.js';
import { type FineTuneOptions, settle } from '../../../src/ml/train/settings.js';
import { writeTinyModel } from '../encoder/model-folder.js';
import { LABELS, writeRows } from './rows.js';

const root = mkdtempSync(join(tmpdir(), 'stepwell-strategies-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (name: string): string => join(root, name);

writeTinyModel(at('base'));
writeRows(at('train.jsonl'), 24, 1);
writeRows(at('validation.jsonl'), 8, 2);

/** In this process: what a child would do, without its start. */
const train = (more: Partial<FineTuneOptions>) =>
  runFineTune(settle(optionsOf(more)), () => undefined);

function optionsOf(more: Partial<FineTuneOptions>): FineTuneOptions {
  return {
    model: at('base'),
    trainPath: at('train.jsonl'),
    validationPath: at('validation.jsonl'),
    labels: LABELS,
    outputDir: at('out'),
    epochs: 1,
    batchSize: 8,
    learningRate: 1e-3,
    seed: 7,
    threads: 1,
    ...more,
  };
}

const HEAD = 'head';
const TOP = 'encoder.layer.1';
const ALL = [HEAD, TOP, 'encoder.layer.0', 'embeddings'];

describe('gradual unfreezing', () => {
  test('goes from the head to everything, and what is frozen in a stage keeps its hash', async () => {
    const stages = [
      { trainableLayers: 0, epochs: 2 },
      { trainableLayers: 1, learningRate: 5e-4 },
      { trainableLayers: null },
    ];
    const result = await train({ strategy: 'gradual-unfreezing', stages });
    expect(result.stages.map((stage) => stage.trainable)).toEqual([[HEAD], [HEAD, TOP], ALL]);
    expect(result.metrics.map((entry) => entry.epoch)).toEqual([1, 2, 3, 4]);
    expect(result.stages[1]?.rates[0]).toMatchObject({ group: HEAD, learningRate: 5e-4 });
    const [first, second, third] = result.stages.map((stage) => stage.frozenHash);
    // Stage 2 leaves out less than stage 1; stage 3 leaves out nothing.
    expect(new Set([first, second, third]).size).toBe(3);
    expect(result.steps).toBe(result.stages.reduce((sum, stage) => sum + stage.steps, 0));
  });

  test('without stages: two epochs of the head, one of the upper half, then all', async () => {
    const result = await train({ strategy: 'gradual-unfreezing', epochs: 1 });
    const plan = result.stages.map(({ trainable, epochs }) => [trainable.length, epochs]);
    expect(plan).toEqual([
      [1, 2],
      [2, 1],
      [4, 1],
    ]);
  });

  test('as tasks, stage by stage, it ends with the weights that one run ends with', async () => {
    const stages = [{ trainableLayers: 0 }, { trainableLayers: 1 }, {}];
    const whole = await train({ strategy: 'gradual-unfreezing', stages });
    let model = at('base');
    let weightsHash = '';
    for (const [index, stage] of stages.entries()) {
      const result = await train({ ...stage, model, outputDir: at(`stage-${index}`) });
      ({ modelDir: model, weightsHash } = result);
      expect(result.headReused).toBe(index > 0);
    }
    expect(weightsHash).toBe(whole.weightsHash);
  });
});

test('discriminative rates fall by 2.6 a layer, and the table says so', async () => {
  const { stages } = await train({ strategy: 'discriminative', learningRate: 2.6e-3 });
  const rows = stages[0]!.rates.map(({ group, learningRate }) => [group, learningRate.toFixed(8)]);
  expect(rows).toEqual([
    [HEAD, '0.00260000'],
    [TOP, '0.00260000'],
    ['encoder.layer.0', '0.00100000'],
    ['embeddings', '0.00038462'],
  ]);
  expect(stages[0]!.rates.reduce((sum, row) => sum + row.parameters, 0)).toBe(
    stages[0]!.trainableParameters,
  );
});

test('a trained set that is not the expected one is refused before any step', async () => {
  const wrong = train({ trainableLayers: 2, expectTrainable: [HEAD, TOP] });
  await expect(wrong).rejects.toThrow(
    /expectTrainable names head, encoder.layer.1, but these settings train head, encoder.layer.1, encoder.layer.0/,
  );
  const right = await train({ trainableLayers: 1, expectTrainable: [TOP, HEAD] });
  expect(right.stages[0]?.trainable).toEqual([HEAD, TOP]);
});

test('with accumulation a step takes the batches that are left at the end of an epoch', async () => {
  const result = await train({ batchSize: 8, maxLength: 16, gradientAccumulationSteps: 2 });
  expect(result.steps).toBe(2);
});

test('a stage that is done is read from its checkpoint; one that was cut goes on inside', async () => {
  const stages = [{ trainableLayers: 0, epochs: 2 }, { epochs: 2 }];
  const options = { strategy: 'gradual-unfreezing', stages, checkpointEverySteps: 1 } as const;
  const whole = await train(options);
  let seen = 0;
  const cut = runFineTune(
    settle({ ...optionsOf(options), checkpointDir: at('stages') }),
    ({ step, validation }) => {
      seen = step;
      if (step === whole.stages[0]!.steps + 2 && validation === undefined) throw new Error('cut');
    },
  );
  await expect(cut).rejects.toThrow('cut');
  const resumed = await train({ ...options, checkpointDir: at('stages') });
  expect(resumed.resumedFromStep).toBe(seen - 1);
  expect(resumed.weightsHash).toBe(whole.weightsHash);
  expect(resumed.metrics).toEqual(whole.metrics);
});

test('rows that are read through a frozen base are told of, for a heartbeat', async () => {
  const read: [number, number][] = [];
  const options = settle(optionsOf({ strategy: 'feature-extraction' }));
  await runFineTune(
    options,
    () => undefined,
    (...rows) => read.push(rows),
  );
  // Features of both files, then the validation of one epoch.
  expect(read.filter(([done, total]) => done === total)).toEqual([
    [24, 24],
    [8, 8],
    [8, 8],
  ]);
});

describe('settings that contradict each other are refused', () => {
  test.each<[Partial<FineTuneOptions>, RegExp]>([
    [{ strategy: 'discriminative', layerDecay: 1 }, /^layerDecay must be below 1/],
    [{ stages: [{}] }, /^stages belong to the strategy gradual-unfreezing, not to full/],
    [{ strategy: 'gradual-unfreezing', stages: [] }, /^stages must list/],
    [{ strategy: 'gradual-unfreezing', stages: [{ epochs: 0 }] }, /^stages\/0\/epochs must be/],
    [
      { strategy: 'gradual-unfreezing', expectTrainable: [HEAD] },
      /^expectTrainable belongs to one stage/,
    ],
    [{ labelSmoothing: 1 }, /^labelSmoothing must be a number from 0 to 0.9/],
    [{ gradientAccumulationSteps: 0 }, /^gradientAccumulationSteps must be a whole number/],
  ])('%j', async (change, message) => {
    await expect((async () => train(change))()).rejects.toThrow(message);
  });
});
