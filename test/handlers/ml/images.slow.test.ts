import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AutoModelForImageClassification, env, Tensor } from '@xenova/transformers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateHandler } from '../../../src/handlers/ml/evaluate.js';
import { fineTuneHandler } from '../../../src/handlers/ml/fine-tune.js';
import { imageFolderHandler } from '../../../src/handlers/ml/image-folder.js';
import type { JsonObject } from '../../../src/lib/json.js';
import { loadClassifier } from '../../../src/ml/encoder/classifier.js';
import { loadImageProcessor } from '../../../src/ml/encoder/images.js';
import { writeImages, writeVisionModel } from '../../ml/encoder/vision-folder.js';
import { testContext } from '../../serving/context.js';

let home: string;
let dataset: JsonObject;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'images-'));
  await writeImages(join(home, 'pictures'), 40);
  writeVisionModel(join(home, 'vit'));
  dataset = (await imageFolderHandler.run(
    { source: 'pictures', split: { testSize: 0.2, validationSize: 0.1 } },
    testContext(home),
  )) as JsonObject;
});
afterAll(() => rm(home, { recursive: true, force: true }));

const train = (hyperparameters: JsonObject, visit: string) =>
  fineTuneHandler().run(
    { dataset, model: './vit', hyperparameters: { batchSize: 8, seed: 3, ...hyperparameters } },
    testContext(home, { visit }),
  ) as Promise<JsonObject>;

describe('image classification, from a folder to a model', () => {
  it('splits images by their bytes, labels named by the folders', async () => {
    expect(dataset).toMatchObject({
      labels: ['lying', 'standing'],
      duplicates: 0,
      skippedCount: 0,
    });
    const counts = ['train', 'validation', 'test'].map(
      (side) => (dataset[side] as JsonObject).rows,
    );
    expect(counts).toEqual([56, 8, 16]);
    const again = await imageFolderHandler.run(
      { source: 'pictures', split: { testSize: 0.2, validationSize: 0.1 } },
      testContext(home, { visit: 'again' }),
    );
    expect((again as JsonObject).dataVersion).toBe(dataset.dataVersion);
  });

  it('names a broken picture, or skips it', async () => {
    await writeImages(join(home, 'broken'), 2);
    await writeFile(join(home, 'broken/lying/torn.png'), 'PNG but not really');
    const run = (parameters: JsonObject) =>
      imageFolderHandler.run(
        { source: 'broken', ...parameters },
        testContext(home, { visit: 'b' }),
      );
    await expect(run({})).rejects.toMatchObject({
      error: 'DataSource.BadFormat',
      reason: expect.stringMatching(/^lying\/torn\.png: /),
    });
    expect(await run({ onBadImage: 'skip' })).toMatchObject({ skipped: ['lying/torn.png'] });
  });

  it('learns the head on a frozen base', async () => {
    const frozen = await train(
      { strategy: 'feature-extraction', epochs: 15, learningRate: 0.01 },
      'frozen',
    );
    expect(frozen.baseHashAfter).toBe(frozen.baseHashBefore);
    const losses = (frozen.epochs as JsonObject[]).map((entry) => entry.trainLoss as number);
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);
  });

  it('learns with all layers, and its model predicts in every form', async () => {
    const whole = await train({ epochs: 12, learningRate: 2e-3, dropout: 0 }, 'whole');
    const report = (await evaluateHandler().run(
      {
        model: whole.model as JsonObject,
        dataset: dataset.test as JsonObject,
        textColumn: 'image',
      },
      testContext(home, { visit: 'evaluate' }),
    )) as JsonObject;
    expect(report.accuracy).toBeGreaterThan(0.85);
    await predictsInEveryForm(whole);
  });
});

/** The same picture as a file, as a data URL, and through transformers.js, which loads the folder. */
async function predictsInEveryForm(trained: JsonObject): Promise<void> {
  const { artifacts } = testContext(home);
  const folder = await artifacts.path((trained.model as JsonObject).uri as string);
  const picture = join(home, 'pictures/standing/3.png');
  const classifier = await loadClassifier(folder, { imageFolder: home });
  const bytes = await readFile(picture);
  const [byName, byUrl] = await classifier.predict([
    'pictures/standing/3.png',
    `data:image/png;base64,${bytes.toString('base64')}`,
  ]);
  expect(byName).toEqual(byUrl);
  const guarded = await loadClassifier(folder);
  await expect(guarded.predict([picture])).rejects.toThrow(/not as the name of a file/);
  env.allowRemoteModels = false;
  env.localModelPath = join(folder, '..');
  const model = await AutoModelForImageClassification.from_pretrained('model', { dtype: 'fp32' });
  const processor = loadImageProcessor(folder, { size: 16, patchSize: 4, channels: 3 });
  const planes = new Float32Array(3 * 16 * 16);
  processor.normalise(await processor.decode(picture), planes);
  const { logits } = await model({ pixel_values: new Tensor('float32', planes, [1, 3, 16, 16]) });
  const [a, b] = Array.from(logits.data as Float32Array);
  const share = 1 / (1 + Math.exp(a! - b!));
  expect(byName!.scores.standing).toBeCloseTo(share, 5);
  await Promise.all([classifier.close(), guarded.close()]);
}
