/**
 * `sagemaker:createTrainingJob` done here: SageMaker's request and Describe response around the work
 * of `ml:fine-tune`. What the request leaves out comes from the configuration's defaults, then from
 * the execution's workspace. A job that ends other than Completed is a failed task, never a success.
 */
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fromEntries, isArray, isObject, type JsonObject } from '../lib/json.js';
import { type Handler, type HandlerContext, TaskFailure } from './handler.js';
import { runFineTune } from './ml/fine-tune.js';
import { readHyperparameters } from './ml/fine-tune-hyperparameters.js';
import {
  abandoned,
  completed,
  endedAs,
  entered,
  initialDescription,
  MAX_RUNTIME_SECONDS,
  restarted,
  withIsoDates,
} from './sagemaker-description.js';
import { Findings, jobFailed, sagemakerError } from './sagemaker-errors.js';
import { mergeDeep, type SageMakerOptions, sagemakerArn } from './sagemaker-options.js';
import type { TrainingJobTarget } from './training-job/job.js';
import { runRequestedJob } from './training-job/request.js';

const CREATE = 'arn:aws:states:::sagemaker:createTrainingJob';

const PARAMETERS: JsonObject = {
  type: 'object',
  properties: {
    TrainingJobName: { type: 'string', description: '1 to 63 letters, digits, hyphens.' },
    RoleArn: { type: 'string' },
    AlgorithmSpecification: { type: 'object' },
    HyperParameters: { type: 'object' },
    InputDataConfig: { type: 'array', items: { type: 'object' } },
    OutputDataConfig: { type: 'object' },
    ResourceConfig: { type: 'object' },
    StoppingCondition: { type: 'object' },
  },
};

/** Jobs that go on after their task has ended. */
export interface BackgroundJobs {
  start(name: string, work: (signal: AbortSignal) => Promise<void>): void;
  /** Resolves when no job runs. */
  settle(): Promise<void>;
  /** Aborts every job and waits for its end. */
  stop(): Promise<void>;
}

export function backgroundJobs(): BackgroundJobs {
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();
  const settle = async (): Promise<void> => {
    while (running.size > 0) await Promise.allSettled([...running]);
  };
  return {
    start: (_name, work) => {
      const job: Promise<void> = work(stopping.signal)
        .catch(() => undefined)
        .finally(() => running.delete(job));
      running.add(job);
    },
    settle,
    stop: async () => {
      stopping.abort(new Error('Stepwell is shutting down.'));
      await settle();
    },
  };
}

export function trainingHandlers(options: SageMakerOptions, background: BackgroundJobs): Handler[] {
  return [
    {
      resource: `${CREATE}.sync`,
      description: 'SageMaker training job, done here by ml:fine-tune; answers its description.',
      parameters: PARAMETERS,
      onWorkerLost: 'rerun',
      run: async (parameters, context) => {
        const job = await claimed(parameters as JsonObject, context, options);
        if (context.submission === null) {
          await context.submitted({ TrainingJobArn: job.arn });
        }
        return perform(job, context, options);
      },
    },
    {
      resource: CREATE,
      description: 'SageMaker training job, started here; goes on while the engine runs.',
      parameters: PARAMETERS,
      onWorkerLost: 'rerun',
      run: async (parameters, context) => {
        const job = await claimed(parameters as JsonObject, context, options);
        if (!job.finished) {
          const detached = await detachedContext(job, context, options);
          background.start(job.name, async (signal) => {
            await perform(job, { ...detached, signal }, options);
          });
        }
        return { TrainingJobArn: job.arn };
      },
    },
    {
      resource: 'arn:aws:states:::aws-sdk:sagemaker:describeTrainingJob',
      description: 'The description of a SageMaker training job that was run here.',
      parameters: { type: 'object', properties: { TrainingJobName: { type: 'string' } } },
      onWorkerLost: 'rerun',
      run: (parameters, context) => describe(parameters as JsonObject, context, options),
    },
  ];
}

interface Job {
  readonly name: string;
  readonly arn: string;
  readonly request: JsonObject;
  readonly record: JsonObject;
  readonly finished: boolean;
}

/** Checks the request and takes the job's name; the same visit finds its own job again. */
async function claimed(
  parameters: JsonObject,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<Job> {
  const request = mergeDeep(textual(options.defaults?.trainingDefaults ?? {}), parameters);
  checkRequest(request, context, jobTargetOf(request, options) !== null);
  const name = request.TrainingJobName as string;
  const arn = sagemakerArn(context, `training-job/${name.toLowerCase()}`);
  const now = (options.now ?? Date.now)();
  const description = initialDescription(request, arn, now);
  const record = { description, pid: process.pid, executionArn: context.task.executionArn };
  // AWS would refuse a retry of the same state here, because the failed attempt has used the name.
  // The visit is the owner instead, so that Retry goes on from the checkpoint; and a redriven
  // execution may take over its own job that did not complete.
  const kept = await options.records.claim(
    'training-jobs',
    name,
    context.visitKey,
    record,
    (existing) => existing.executionArn === context.task.executionArn && endedBadly(existing),
  );
  if (kept === null) {
    throw sagemakerError(
      'ResourceInUse',
      `Training job names must be unique within an AWS account and region, and a training job with this name already exists (${arn})`,
      context,
    );
  }
  const status = isObject(kept.description) ? kept.description.TrainingJobStatus : null;
  return { name, arn, request, record: kept, finished: status === 'Completed' };
}

function endedBadly({ description }: JsonObject): boolean {
  const status = isObject(description) ? description.TrainingJobStatus : null;
  return status === 'Failed' || status === 'Stopped';
}

/** A person writes 3 in the configuration where SageMaker's map wants "3". */
function textual(defaults: JsonObject): JsonObject {
  const { HyperParameters } = defaults;
  if (!isObject(HyperParameters)) return defaults;
  const texts = Object.entries(HyperParameters).map(([key, value]) => {
    return [key, typeof value === 'string' ? value : JSON.stringify(value)] as const;
  });
  return { ...defaults, HyperParameters: fromEntries(texts) };
}

function checkRequest(request: JsonObject, context: HandlerContext, isOwnProgram: boolean): void {
  const findings = new Findings(context);
  findings.name('TrainingJobName', request.TrainingJobName);
  findings.roleArn('RoleArn', request.RoleArn);
  const hyperparameters = isObject(request.HyperParameters) ? request.HyperParameters : {};
  for (const [key, value] of Object.entries(hyperparameters)) {
    const at = `hyperParameters.${key}.member`;
    if (typeof value !== 'string')
      findings.add(`Value at '${at}' must be a string, as "${String(value)}"`);
    else if (value.length > 2500) {
      findings.constraint(at, value, 'Member must have length less than or equal to 2500');
    }
    if (key.length > 256) {
      findings.constraint(at, key, 'Member must have length less than or equal to 256');
    }
  }
  // A program of the user's own has hyperparameters that only it knows.
  const problems = isOwnProgram ? [] : readHyperparameters(hyperparameters).problems;
  for (const problem of problems) findings.add(`Value at 'hyperParameters': ${problem}`);
  const channels = isArray(request.InputDataConfig) ? request.InputDataConfig : [];
  for (const [index, channel] of channels.entries()) {
    const at = `InputDataConfig.${index + 1}.member`;
    if (!isObject(channel) || typeof channel.ChannelName !== 'string') {
      findings.missing(`${at}.channelName`);
    } else if (uriOfChannel(channel) === null) findings.missing(`${at}.dataSource`);
  }
  findings.raise();
}

function uriOfChannel(channel: JsonObject): string | null {
  const source = isObject(channel.DataSource) ? channel.DataSource : {};
  const s3 = isObject(source.S3DataSource) ? source.S3DataSource : {};
  const files = isObject(source.FileSystemDataSource) ? source.FileSystemDataSource : {};
  if (typeof s3.S3Uri === 'string') return s3.S3Uri;
  return typeof files.DirectoryPath === 'string' ? files.DirectoryPath : null;
}

/** Runs the job to its end and answers its description, or throws the failure that `.sync` shows. */
async function perform(
  job: Job,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  if (job.finished) return job.record.description as JsonObject;
  const now = options.now ?? Date.now;
  let description = job.record.description as JsonObject;
  const save = async (next: JsonObject): Promise<void> => {
    description = next;
    await options.records.put('training-jobs', job.name, {
      ...job.record,
      pid: process.pid,
      description,
    });
  };
  const limit = runtimeLimit(job.request, context.signal);
  const limited: HandlerContext = { ...context, signal: limit.signal };
  try {
    limited.signal.throwIfAborted();
    await save(entered(restarted(description, now()), 'Downloading', now()));
    const work = await workOf(job, limited, options);
    await save({ ...entered(description, 'Training', now()), TrainingStartTime: now() });
    const result = await work();
    await save(completed(entered(description, 'Uploading', now()), result, now()));
    await options.workspaces.remember(context.task, {
      model: { ...(result.model as JsonObject), labels: result.labels ?? null },
      training: {
        metrics: result.metrics ?? {},
        parameters: result.parameters ?? {},
        runId: result.runId ?? null,
        dataVersion: result.dataVersion ?? null,
        trainingJobName: job.name,
      },
    });
    return description;
  } catch (error) {
    const stopped = context.signal.aborted;
    const ending = stopped ? 'Stopped' : limit.signal.aborted ? 'MaxRuntimeExceeded' : 'Failed';
    await save(endedAs(ending, error, description, now()));
    if (stopped) throw error;
    throw jobFailed(description);
  } finally {
    limit.clear();
  }
}

/** StoppingCondition.MaxRuntimeInSeconds beside the task's own signal. */
function runtimeLimit(
  request: JsonObject,
  signal: AbortSignal,
): { readonly signal: AbortSignal; clear(): void } {
  const condition = isObject(request.StoppingCondition) ? request.StoppingCondition : {};
  const seconds = Number(condition.MaxRuntimeInSeconds ?? MAX_RUNTIME_SECONDS);
  const timer = new AbortController();
  const timeout = setTimeout(
    () => timer.abort(new Error(`The job ran longer than MaxRuntimeInSeconds, ${seconds}.`)),
    Math.min(seconds * 1000, 2 ** 31 - 1),
  );
  return { signal: AbortSignal.any([signal, timer.signal]), clear: () => clearTimeout(timeout) };
}

/** What does the job: the program or container configured for its image, else ml:fine-tune. */
async function workOf(
  job: Job,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<() => Promise<JsonObject>> {
  const target = jobTargetOf(job.request, options);
  if (target === null) {
    const parameters = await fineTuneParameters(job, context, options);
    return () => runFineTune(parameters, context, options.fineTune);
  }
  const { request } = job;
  const channels: Record<string, string> = {};
  for (const channel of isArray(request.InputDataConfig) ? request.InputDataConfig : []) {
    const of = channel as JsonObject;
    const uri = uriOfChannel(of) as string;
    const isS3 = uri.startsWith('s3://');
    channels[String(of.ChannelName)] = isS3 ? await readableFile(uri, context, options) : uri;
  }
  return () => runRequestedJob(target, job.name, request, channels, context);
}

function jobTargetOf(request: JsonObject, options: SageMakerOptions): TrainingJobTarget | null {
  const algorithm = isObject(request.AlgorithmSpecification) ? request.AlgorithmSpecification : {};
  const image = algorithm.TrainingImage;
  return typeof image === 'string' ? (options.jobOfImage?.(image) ?? null) : null;
}

async function fineTuneParameters(
  job: Job,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const { request } = job;
  const dataset =
    (await channelsOf(request, context, options)) ?? (await remembered(context, options));
  const algorithm = isObject(request.AlgorithmSpecification) ? request.AlgorithmSpecification : {};
  if (typeof algorithm.TrainingImage === 'string') {
    context.log.warn('TrainingImage is not run here: ml:fine-tune does the training', {
      TrainingImage: algorithm.TrainingImage,
    });
  }
  return {
    dataset,
    hyperparameters: isObject(request.HyperParameters) ? request.HyperParameters : {},
  };
}

/** The dataset of the input channels; null when the request has none. */
async function channelsOf(
  request: JsonObject,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject | null> {
  const channels = (
    isArray(request.InputDataConfig) ? request.InputDataConfig : []
  ) as JsonObject[];
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

/** What a job may use after its task has ended: no heartbeat, a folder of its own. */
async function detachedContext(
  job: Job,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<HandlerContext> {
  const folder = join(options.workFolder, job.name);
  await mkdir(folder, { recursive: true });
  return {
    ...context,
    heartbeat: () => undefined,
    progress: (done, total, note) => context.log.debug(note ?? 'training', { done, total }),
    scratch: async () => folder,
  };
}

/** The aws-sdk integration writes dates as ISO texts, the optimised one as epoch milliseconds. */
async function describe(
  parameters: JsonObject,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const findings = new Findings(context);
  findings.name('TrainingJobName', parameters.TrainingJobName);
  findings.raise();
  const name = parameters.TrainingJobName as string;
  const record = await options.records.get('training-jobs', name);
  if (record === null) {
    throw sagemakerError('ResourceNotFound', 'Requested resource not found.', context);
  }
  const now = (options.now ?? Date.now)();
  const current = record.description as JsonObject;
  const lost = current.TrainingJobStatus === 'InProgress' && !runs(Number(record.pid));
  return withIsoDates(lost ? abandoned(current, now) : current) as JsonObject;
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}
