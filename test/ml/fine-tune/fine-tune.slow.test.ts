import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadClassifier } from '../../../src/ml/encoder/classifier.js';
import {
  FineTuneError,
  type FineTuneOptions,
  fineTune,
  type ProgressEvent,
} from '../../../src/ml/fine-tune.js';
import { writeTinyModel } from '../encoder/model-folder.js';
import { writeRows } from './rows.js';

const root = mkdtempSync(join(tmpdir(), 'stepwell-fine-tune-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (name: string): string => join(root, name);

writeTinyModel(at('base'));
writeRows(at('train.jsonl'), 60, 1);
writeRows(at('validation.jsonl'), 20, 2);

function options(output: string, more: Partial<FineTuneOptions> = {}): FineTuneOptions {
  return {
    model: at('base'),
    trainPath: at('train.jsonl'),
    validationPath: at('validation.jsonl'),
    labels: ['positive', 'negative'],
    outputDir: at(output),
    epochs: 4,
    batchSize: 8,
    learningRate: 3e-3,
    dropout: 0.1,
    seed: 7,
    threads: 2,
    ...more,
  };
}

const fileHash = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex');

describe('full fine-tuning', () => {
  test('learns, reports every step and epoch, and leaves a complete model folder', async () => {
    const events: ProgressEvent[] = [];
    const result = await fineTune(options('full', { epochs: 12, learningRate: 5e-3 }), {
      onProgress: (event) => events.push(event),
    });
    expect(result.metrics.map((entry) => entry.epoch).join()).toBe('1,2,3,4,5,6,7,8,9,10,11,12');
    expect(events.filter((event) => event.validation === undefined).length).toBe(result.steps);
    expect(events.at(-1)?.step).toBe(events.at(-1)?.totalSteps);
    expect(result.metrics[result.bestEpoch - 1]!.validation!.accuracy).toBeGreaterThan(0.8);
    expect(result.baseHashAfter).not.toBe(result.baseHashBefore);
    expect(result.trainableParameters).toBe(result.totalParameters);
    for (const file of [
      'onnx/model.onnx',
      'config.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'training_metrics.json',
      'README.md',
    ]) {
      expect(existsSync(join(result.modelDir, file)), file).toBe(true);
    }
    // The exported model scores what training reported for the epoch that it kept.
    const rows = readFileSync(at('validation.jsonl'), 'utf8').trim().split('\n');
    const truth = rows.map((row) => JSON.parse(row) as { text: string; label: string });
    const classifier = await loadClassifier(result.modelDir);
    const answers = await classifier.predict(truth.map((row) => row.text));
    const correct = answers.filter((answer, i) => answer.label === truth[i]!.label).length;
    expect(correct / truth.length).toBeCloseTo(
      result.metrics[result.bestEpoch - 1]!.validation!.accuracy,
      10,
    );
    await classifier.close();
  });

  test('a run killed midway and called again ends with the same bytes', async () => {
    const whole = await fineTune(options('whole'));
    const interrupted = options('resumed', {
      checkpointDir: at('checkpoints'),
      checkpointEverySteps: 3,
    });
    let pid = 0;
    const killed = fineTune(interrupted, {
      onStart: (id) => {
        pid = id;
      },
      onProgress: ({ step }) => {
        if (step === 14) process.kill(pid, 'SIGKILL');
      },
    });
    await expect(killed).rejects.toThrow('SIGKILL');
    expect(existsSync(at('resumed/onnx/model.onnx'))).toBe(false);
    const resumed = await fineTune(interrupted);
    expect(resumed.resumedFromStep).toBeGreaterThan(0);
    expect(resumed.resumedFromStep).toBeLessThan(whole.steps);
    expect(resumed.weightsHash).toBe(whole.weightsHash);
    expect(resumed.metrics).toEqual(whole.metrics);
    // Neither where nor how long a run was changes what it leaves.
    for (const file of ['onnx/model.onnx', 'training_metrics.json']) {
      expect(fileHash(at(`resumed/${file}`)), file).toBe(fileHash(at(`whole/${file}`)));
    }
  });

  test("another run's checkpoint is not continued", async () => {
    const checkpointDir = at('mixed');
    const first = await fineTune(options('mixed-a', { checkpointDir, epochs: 1 }));
    const again = await fineTune(options('mixed-a', { checkpointDir, epochs: 1 }));
    expect(again.resumedFromStep).toBe(first.steps);
    expect(again.weightsHash).toBe(first.weightsHash);
    const other = await fineTune(options('mixed-b', { checkpointDir, epochs: 1, seed: 8 }));
    expect(other.resumedFromStep).toBe(0);
    expect(other.weightsHash).not.toBe(first.weightsHash);
  });

  test('stops early and keeps the best epoch', async () => {
    const earlyStop = { patience: 1, metric: 'loss' } as const;
    const result = await fineTune(options('early', { epochs: 30, earlyStop, learningRate: 1e-2 }));
    expect(result.metrics.length).toBeLessThan(30);
    expect(result.bestEpoch).toBe(result.metrics.length - 1);
  });

  test('only the top layer moves when one is trainable, and a head with the same labels goes on', async () => {
    const stage1 = await fineTune(options('stage1', { strategy: 'feature-extraction', epochs: 1 }));
    const stage2 = await fineTune(
      options('stage2', { model: stage1.modelDir, trainableLayers: 1, epochs: 1 }),
    );
    expect(stage2.headReused).toBe(true);
    expect(stage2.trainableParameters).toBeLessThan(stage2.totalParameters / 2);
    expect(stage2.baseHashBefore).toBe(stage1.baseHashAfter);
    expect(stage2.baseHashAfter).not.toBe(stage2.baseHashBefore);
  });

  test('aborting kills the training process', async () => {
    const abort = new AbortController();
    let pid = 0;
    const running = fineTune(options('aborted', { epochs: 500 }), {
      signal: abort.signal,
      onStart: (id) => {
        pid = id;
      },
      onProgress: ({ step }) => {
        if (step === 3) abort.abort(new Error('enough'));
      },
    });
    await expect(running).rejects.toThrow('enough');
    await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
  });
});

describe('feature extraction', () => {
  test('trains the head alone: the base has the same hash before and after', async () => {
    const result = await fineTune(
      options('features', { strategy: 'feature-extraction', epochs: 20, learningRate: 0.05 }),
    );
    expect(result.baseHashAfter).toBe(result.baseHashBefore);
    expect(result.trainableParameters).toBe(32 * 2 + 2);
    const losses = result.metrics.map((entry) => entry.trainLoss);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
  });
});

describe('mistakes are answered in one sentence that names them', () => {
  const CASES: readonly [string, Partial<FineTuneOptions>, RegExp][] = [
    ['batch size', { batchSize: 0 }, /^batchSize must be a whole number from 1 to 1024, not 0$/],
    ['rate', { learningRate: Number.NaN }, /^learningRate must be a number/],
    ['labels', { labels: ['one'] }, /^labels must list at least two/],
    ['twins', { labels: ['a', 'a'] }, /^labels must list/],
    ['weights', { classWeights: [1, 2, 3] }, /^classWeights must be 'balanced' or 2 positive/],
    [
      'strategy',
      { strategy: 'lora' as 'full' },
      /^strategy must be one of feature-extraction, full/,
    ],
    [
      'train file',
      { trainPath: '/nowhere.jsonl' },
      /^trainPath: there is no file \/nowhere.jsonl$/,
    ],
    [
      'early stop',
      { validationPath: undefined, earlyStop: { patience: 1, metric: 'loss' } },
      /^earlyStop needs validationPath/,
    ],
    [
      'a label of the data',
      { labels: ['good', 'bad'] },
      /line 1: the label "positive" is not one of/,
    ],
    ['model folder', { model: '/nowhere/at/all' }, /^model: there is no folder/],
  ];
  test.each(CASES)('%s', async (_, change, message) => {
    const attempt = fineTune(options('refused', change));
    await expect(attempt).rejects.toThrow(FineTuneError);
    await expect(attempt).rejects.toThrow(message);
  });

  test('a hub id without a network says what to do', async () => {
    process.env.HF_ENDPOINT = 'http://127.0.0.1:9';
    const attempt = fineTune(options('hub', { model: 'org/some-bert', cacheDir: at('cache') }));
    await expect(attempt).rejects.toThrow(/org\/some-bert is no local folder.*give the path of/);
    delete process.env.HF_ENDPOINT;
  });

  test('a broken line is named', async () => {
    writeFileSync(at('broken.jsonl'), '{"text": "fine", "label": "positive"}\n{"text": 3}\n');
    const attempt = fineTune(options('broken', { trainPath: at('broken.jsonl') }));
    await expect(attempt).rejects.toThrow(/broken\.jsonl, line 2: "text" must be a string/);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
