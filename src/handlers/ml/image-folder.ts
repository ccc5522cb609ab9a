/**
 * `ml:image-folder`: images with one folder per label become a dataset that `ml:fine-tune` takes when
 * its model is a vision transformer. Images and lists of rows are one artifact, so a list's names lead
 * to the very bytes that were split.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../../lib/json.js';
import { prepareImageFolder } from '../../ml/data/image-folder.js';
import type { PreprocessParameters } from '../../ml/data/preprocess.js';
import type { Handler, HandlerContext } from '../handler.js';
import { ADDRESS, type Address, asTask, locate, SPLIT } from './ingest-support.js';

interface Parameters {
  readonly source: Address;
  readonly split?: NonNullable<PreprocessParameters['split']>;
  readonly onBadImage?: 'fail' | 'skip';
}

export const imageFolderHandler: Handler = {
  resource: 'ml:image-folder',
  description: 'Images with one folder per label as a dataset: checked, split, content-addressed.',
  onWorkerLost: 'rerun',
  parameters: {
    type: 'object',
    required: ['source'],
    additionalProperties: false,
    properties: {
      source: ADDRESS,
      split: SPLIT,
      onBadImage: { enum: ['fail', 'skip'] },
    },
  },
  run: (parameters, context) => asTask(() => run(parameters as unknown as Parameters, context)),
};

async function run(parameters: Parameters, context: HandlerContext): Promise<JsonObject> {
  const source = await locate(parameters.source, context);
  const target = join(await context.scratch(), 'images');
  await rm(target, { recursive: true, force: true });
  const { testSize = 0.2, validationSize = 0, seed = 42, stratify = true } = parameters.split ?? {};
  const dataset = await prepareImageFolder(source, target, {
    split: { testSize, validationSize, seed, stratify },
    onBadImage: parameters.onBadImage ?? 'fail',
    signal: context.signal,
    progress: (done, total) => context.progress(done, total, `${done} of ${total} images`),
  });
  const stored = await context.artifacts.putFolder(target, { name: 'images' });
  await rm(target, { recursive: true, force: true });
  const sides = Object.entries(dataset.sides).map(([side, { file, rows }]) => [
    side,
    { uri: `${stored.uri}/${file}`, rows },
  ]);
  return {
    ...(Object.fromEntries(sides) as JsonObject),
    labels: [...dataset.labels],
    dataVersion: stored.sha256,
    bytes: stored.bytes,
    duplicates: dataset.duplicates,
    skipped: dataset.skipped.slice(0, 100),
    skippedCount: dataset.skipped.length,
  };
}
