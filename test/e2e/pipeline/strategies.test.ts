/**
 * The training machines as a user runs them, with tiny models: gradual unfreezing as three tasks, a
 * hyperparameter search whose trials are tasks of a Map, and an image classifier.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/lib/json.js';
import { writeTinyModel } from '../../ml/encoder/model-folder.js';
import { writeImages, writeVisionModel } from '../../ml/encoder/vision-folder.js';
import { type Loose, Project, ROOT } from './project.js';

let project: Project;
beforeAll(() => {
  project = new Project({ rows: 90 });
  writeTinyModel(join(project.path, 'models/tiny'));
});
afterAll(() => project.remove());

/** The shipped input of a machine, on the tiny model of two layers. */
function inputOf(name: string, change: (input: Loose) => void): JsonObject {
  const path = join(ROOT, `state-machines/${name}.input.json`);
  const input = JSON.parse(readFileSync(path, 'utf8')) as Loose;
  input.model = 'models/tiny';
  input.hyperparameters = { ...input.hyperparameters, maxLength: 32, epochs: 1 };
  change(input);
  return input as JsonObject;
}

describe('gradual unfreezing as tasks', () => {
  const input = inputOf('train-gradual-unfreezing', (value) => {
    const { head, top, all } = value.stages;
    head.hyperparameters.epochs = 1;
    Object.assign(top, { trainable: ['head', 'encoder.layer.1'] });
    Object.assign(top.hyperparameters, { trainableLayers: 1, epochs: 1 });
    all.trainable = ['head', 'encoder.layer.1', 'encoder.layer.0', 'embeddings'];
    all.hyperparameters.epochs = 1;
  });

  it('trains the head, then the top, then everything, each from the checkpoint before', async () => {
    const { result } = await project.run('state-machines/train-gradual-unfreezing.asl.json', input);
    expect(result.status).toBe('SUCCEEDED');
    const { stages, accuracy } = result.output;
    expect(stages.map((stage: Loose) => stage.trainable.length)).toEqual([1, 2, 4]);
    expect(new Set(stages.map((stage: Loose) => stage.frozenHash)).size).toBe(3);
    expect(accuracy).toBeGreaterThan(0);
  });

  it('fails in the stage whose trained parts are not the expected ones', async () => {
    const wrong = structuredClone(input) as Loose;
    wrong.stages.top.hyperparameters.trainableLayers = 2;
    const { result } = await project.run('state-machines/train-gradual-unfreezing.asl.json', wrong);
    expect(result).toMatchObject({ status: 'FAILED', error: 'Training.InvalidOptions' });
    expect(result.cause).toMatch(/^expectTrainable names head, encoder.layer.1, but/);
  });
});

describe('hyperparameter search', () => {
  it('halves its trials rung by rung and trains with the best', async () => {
    const input = inputOf('hyperparameter-search', (value) => {
      delete value.hyperparameters.epochs;
      Object.assign(value.search, { trials: 4 });
      // A rate that no training survives: its trial fails, the search goes on.
      value.search.space = { learningRate: [1e-4, 1e-3, 3e-3, 11] };
      value.search.halving.maximum = 2;
    });
    const { result } = await project.run('state-machines/hyperparameter-search.asl.json', input);
    expect(result.status).toBe('SUCCEEDED');
    const { best, leaderboard, model } = result.output;
    expect(leaderboard.length).toBe(2);
    expect(best.hyperparameters).toMatchObject({ epochs: 2, batchSize: 16 });
    expect([1e-4, 1e-3, 3e-3]).toContain(best.hyperparameters.learningRate);
    expect(project.exists(project.artifact(model.uri))).toBe(true);
  });
});

describe('an image classifier', () => {
  it('goes from a folder of pictures to a judged model', async () => {
    await writeImages(join(project.path, 'data/images'), 20);
    writeVisionModel(join(project.path, 'models/vit'));
    const { result } = await project.run('state-machines/train-image-classifier.asl.json', {
      source: 'data/images',
      model: 'models/vit',
      hyperparameters: { epochs: 8, batchSize: 8, learningRate: 0.003, dropout: 0, seed: 3 },
    });
    expect(result.status).toBe('SUCCEEDED');
    expect(result.output.labels).toEqual(['lying', 'standing']);
    expect(result.output.accuracy).toBeGreaterThan(0.5);
  });
});
