/**
 * What does a training job here: the program or container configured for its image, else ml:fine-tune
 * over the data of its channels, or over the data that the execution has prepared before.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject, type JsonObject } from '../../lib/json.js';
import { type HandlerContext, TaskFailure } from '../handler.js';
import { runFineTune } from '../ml/fine-tune.js';
import { runRequestedJob } from '../training-job/request.js';
import type { SageMakerOptions } from './options.js';
import { channelsIn, imageOf, jobTargetOf, uriOfChannel } from './training-request.js';

/** Fetches what the job reads; what is answered does the work. */
export async function workOf(
  name: string,
  request: JsonObject,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<() => Promise<JsonObject>> {
  const target = jobTargetOf(request, options);
  if (target === null) {
    const parameters = await fineTuneParameters(request, context, options);
    return () => runFineTune(parameters, context, options.fineTune);
  }
  const channels: Record<string, string> = {};
  for (const channel of channelsIn(request)) {
    const uri = uriOfChannel(channel) as string;
    const isS3 = uri.startsWith('s3://');
    channels[String(channel.ChannelName)] = isS3 ? await readableFile(uri, context, options) : uri;
  }
  return () => runRequestedJob(target, name, request, channels, context);
}

async function fineTuneParameters(
  request: JsonObject,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const dataset =
    (await channelsOf(request, context, options)) ?? (await remembered(context, options));
  const image = imageOf(request);
  if (image !== null) {
    const what = 'TrainingImage is not run here: ml:fine-tune does the training';
    context.log.warn(what, { TrainingImage: image });
  }
  const { HyperParameters } = request;
  return { dataset, hyperparameters: isObject(HyperParameters) ? HyperParameters : {} };
}

/** The dataset of the input channels; null when the request has none. */
async function channelsOf(
  request: JsonObject,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject | null> {
  const channels = channelsIn(request);
  if (channels.length === 0) return null;
  const find = (names: readonly string[]): JsonObject | undefined =>
    channels.find((channel) => names.includes(String(channel.ChannelName).toLowerCase()));
  const train = find(['train', 'training']) ?? (channels.length === 1 ? channels[0] : undefined);
  const validation = find(['validation', 'valid', 'eval']);
  if (train === undefined) {
    throw new TaskFailure(
      'ValidationException',
      'InputDataConfig: there is no channel named "train".',
    );
  }
  const local = async (channel: JsonObject): Promise<JsonObject> => ({
    uri: await readableFile(uriOfChannel(channel) as string, context, options),
  });
  return {
    train: await local(train),
    ...(validation === undefined ? {} : { validation: await local(validation) }),
  };
}

/** An address that ml:fine-tune can read: S3 objects are fetched, a folder gives its only file. */
async function readableFile(
  uri: string,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<string> {
  if (uri.startsWith('artifact://')) return uri;
  if (uri.startsWith('s3://')) {
    if (options.fetchS3 !== undefined) return options.fetchS3(uri, context);
    throw new TaskFailure(
      'ValidationException',
      `InputDataConfig: ${uri} cannot be read here; ingest it first (ml:ingest) and give its artifact:// address.`,
    );
  }
  const path = await context.files.resolveReadable(uri.replace(/^file:\/\//, ''));
  if (!(await stat(path)).isDirectory()) return path;
  const files = (await readdir(path)).filter((name) => /\.(jsonl|ndjson|json)$/.test(name));
  if (files.length === 1) return join(path, files[0] as string);
  throw new TaskFailure(
    'ValidationException',
    `InputDataConfig: the folder ${uri} has ${files.length} JSON Lines files; one is needed.`,
  );
}

async function remembered(context: HandlerContext, options: SageMakerOptions): Promise<JsonObject> {
  const { dataset } = await options.workspaces.recall(context.task);
  if (isObject(dataset) && dataset.train !== undefined) return dataset;
  throw new TaskFailure(
    'ValidationException',
    'InputDataConfig: the request has none, "sagemaker.trainingDefaults" has none, and no state of ' +
      'this execution has prepared a dataset.',
  );
}
