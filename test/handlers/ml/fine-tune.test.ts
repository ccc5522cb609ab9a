import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FineTune, fineTuneHandler } from '../../../src/handlers/ml/fine-tune.js';
import { readHyperparameters } from '../../../src/handlers/ml/fine-tune-hyperparameters.js';
import type { JsonObject } from '../../../src/lib/json.js';
import { FineTuneError } from '../../../src/ml/fine-tune.js';
import { testContext } from '../../serving/context.js';

let home: string;
let train: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'fine-tune-'));
  const rows = ['positive', 'neutral', 'negative'].map((label, labelId) => ({
    text: 'x',
    label,
    labelId,
  }));
  train = join(home, 'train.jsonl');
  await writeFile(train, rows.map((row) => JSON.stringify(row)).join('\n'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** Writes a "model" and says what it was asked; `fail` makes it die after its first checkpoint. */
function fakeFineTune(fail: () => boolean = () => false) {
  const calls: Parameters<FineTune>[0][] = [];
  const fineTune: FineTune = async (options, hooks) => {
    calls.push(options);
    const checkpoint = join(options.checkpointDir as string, 'step-5');
    const resumed = await readFile(checkpoint, 'utf8').then(
      () => 5,
      () => 0,
    );
    hooks.onProgress({ epoch: 1, step: 5, totalSteps: 10, loss: 0.5 });
    await writeFile(checkpoint, 'weights');
    if (fail()) throw new Error('the machine caught fire');
    await mkdir(options.outputDir, { recursive: true });
    await writeFile(join(options.outputDir, 'model.json'), JSON.stringify({ always: 'neutral' }));
    const validation = { loss: 0.3, accuracy: 0.9, macroF1: 0.88 };
    return {
      modelDir: options.outputDir,
      metrics: [
        { epoch: 1, trainLoss: 0.5, validation },
        { epoch: 2, trainLoss: 0.4, validation: { ...validation, accuracy: 0.8 } },
      ],
      bestEpoch: 1,
      trainableParameters: 3,
      totalParameters: 9,
      baseHashBefore: 'a',
      baseHashAfter: 'b',
      weightsHash: 'w',
      steps: 10,
      seconds: 1.5,
      cpuSeconds: 2.5,
      resumedFromStep: resumed,
      headReused: false,
      peakMegabytes: 1,
      stages: [],
    };
  };
  return { fineTune, calls };
}

describe('ml:fine-tune', () => {
  it('maps the result of ml:preprocess and its parameters, and stores the model', async () => {
    const { fineTune, calls } = fakeFineTune();
    const handler = fineTuneHandler({ fineTune, defaults: { model: 'base' } });
    const context = testContext(home);
    const result = (await handler.run(
      {
        dataset: {
          train: { uri: train, rows: 3 },
          test: { uri: '/never/read', rows: 1 },
          labels: ['positive', 'neutral', 'negative'],
          dataVersion: 'd1',
        },
        epochs: 2,
        strategy: 'feature-extraction',
        earlyStop: { patience: 1, metric: 'loss' },
      },
      context,
    )) as JsonObject;
    expect(calls[0]).toMatchObject({
      model: 'base',
      trainPath: train,
      epochs: 2,
      batchSize: 16,
      learningRate: 2e-5,
      strategy: 'feature-extraction',
      labels: ['positive', 'neutral', 'negative'],
    });
    expect(calls[0]).not.toHaveProperty('validationPath');
    expect(result).toMatchObject({
      model: {
        uri: expect.stringMatching(/^artifact:\/\/sha256\/[0-9a-f]{64}\/model$/),
        baseModel: 'base',
      },
      metrics: {
        trainLoss: 0.5,
        validationAccuracy: 0.9,
        validationMacroF1: 0.88,
        validationLoss: 0.3,
      },
      dataVersion: 'd1',
      baseHashBefore: 'a',
      resumedFromStep: 0,
      runId: expect.stringMatching(/^run-[0-9a-f]{16}$/),
    });
    const folder = await context.artifacts.path((result.model as JsonObject).uri as string);
    expect(await readdir(folder)).toEqual(['model.json']);
    expect(context.shown[0]).toMatchObject({
      done: 5,
      total: 10,
      note: 'epoch 1, step 5 of 10, loss 0.5000',
    });
    const curve = await context.artifacts.path((result.history as JsonObject).uri as string);
    expect(JSON.parse((await readFile(curve, 'utf8')).trim())).toMatchObject({
      step: 5,
      loss: 0.5,
    });
  });

  it('finds the labels in the data when none are given', async () => {
    const { fineTune, calls } = fakeFineTune();
    await fineTuneHandler({ fineTune }).run({ train }, testContext(home));
    expect(calls[0]?.labels).toEqual(['positive', 'neutral', 'negative']);
    expect(calls[0]?.model).toBe('distilbert-base-uncased');
  });

  it('goes on from its checkpoint in the next attempt, but not with other parameters', async () => {
    let dies = true;
    const { fineTune } = fakeFineTune(() => dies);
    const handler = fineTuneHandler({ fineTune });
    await expect(handler.run({ train }, testContext(home))).rejects.toMatchObject({
      error: 'Training.Failed',
      reason: 'the machine caught fire',
    });
    dies = false;
    const again = (await handler.run({ train }, testContext(home, { attempt: 1 }))) as JsonObject;
    expect(again.resumedFromStep).toBe(5);
    const other = (await handler.run({ train, epochs: 9 }, testContext(home))) as JsonObject;
    expect(other.resumedFromStep).toBe(0);
    expect(other.runId).not.toBe(again.runId);
  });

  it.each<[JsonObject, RegExp]>([
    [{}, /dataset: give/],
    [{ train: 'labels-missing.jsonl' }, /labels: the training data has the label ids \[\]/],
    [{ train: 'broken.jsonl' }, /not JSON Lines/],
    [{ train: 'train.jsonl', hyperparameters: { epoch_count: '3' } }, /"epoch_count" is unknown/],
    [{ train: 'train.jsonl', hyperparameters: { epochs: 'three' } }, /"three" is no integer/],
    [{ train: 'train.jsonl', hyperparameters: { epochs: '0' } }, /epochs/],
  ])('refuses %j', async (parameters, message) => {
    await writeFile(join(home, 'labels-missing.jsonl'), '{"text":"x","label":"a"}\n');
    await writeFile(join(home, 'broken.jsonl'), 'not json\n');
    const { fineTune } = fakeFineTune();
    const run = fineTuneHandler({ fineTune }).run(parameters, testContext(home));
    await expect(run).rejects.toMatchObject({
      error: 'ValidationException',
      reason: expect.stringMatching(message),
    });
  });

  it('gives mistakes in options their own error name, and passes an abort on', async () => {
    const refusing: FineTune = async () => {
      throw new FineTuneError('epochs must be a whole number');
    };
    await expect(
      fineTuneHandler({ fineTune: refusing }).run({ train }, testContext(home)),
    ).rejects.toMatchObject({ error: 'Training.InvalidOptions' });
    const controller = new AbortController();
    const reason = new Error('stopped by a person');
    const aborting: FineTune = async () => {
      controller.abort(reason);
      throw new Error('killed');
    };
    await expect(
      fineTuneHandler({ fineTune: aborting }).run(
        { train },
        testContext(home, { signal: controller.signal }),
      ),
    ).rejects.toBe(reason);
  });
});

describe('hyperparameters', () => {
  it('are read in the spellings of Hugging Face and of the SageMaker SDK', () => {
    const read = readHyperparameters({
      num_train_epochs: '3',
      'per-device-train-batch-size': '8',
      learning_rate: '2e-5',
      model_name: '"distilbert-base-uncased"',
      lr_scheduler_type: 'cosine',
      early_stopping: '2',
      class_weights: '[1, 2, 3]',
      sagemaker_program: '"train.py"',
    });
    expect(read).toEqual({
      values: {
        epochs: 3,
        batchSize: 8,
        learningRate: 2e-5,
        schedule: 'cosine',
        earlyStop: { patience: 2, metric: 'loss' },
        classWeights: [1, 2, 3],
      },
      model: 'distilbert-base-uncased',
      problems: [],
    });
  });

  it.each<[JsonObject]>([
    [{ epochs: '' }],
    [{ epochs: '1.5' }],
    [{ epochs: 'NaN' }],
    [{ lr: 'Infinity' }],
    [{ seed: null }],
    [{ constructor: '1' }],
  ])('refuse %j', (given) => {
    expect(readHyperparameters(given).problems).toHaveLength(1);
  });
});
