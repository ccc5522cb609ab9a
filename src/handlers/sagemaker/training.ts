/**
 * `sagemaker:createTrainingJob` done here: SageMaker's request and Describe response around the work
 * of `ml:fine-tune`. What the request leaves out comes from the configuration's defaults, then from
 * the execution's workspace. A job that ends other than Completed is a failed task, never a success.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject, type JsonObject } from '../../lib/json.js';
import { type Handler, type HandlerContext, narrowed } from '../handler.js';
import type { BackgroundJobs } from './background.js';
import {
  completed,
  endedAs,
  entered,
  initialDescription,
  MAX_RUNTIME_SECONDS,
  restarted,
} from './description.js';
import { jobFailed, sagemakerError } from './errors.js';
import { type SageMakerOptions, sagemakerArn } from './options.js';
import { describeTrainingJob } from './training-description.js';
import { checkTrainingRequest, jobTargetOf, withTrainingDefaults } from './training-request.js';
import { workOf } from './training-work.js';

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
            await perform(job, narrowed(detached, { signal }), options);
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
      run: (parameters, context) => describeTrainingJob(parameters as JsonObject, context, options),
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
  const request = withTrainingDefaults(parameters, options);
  checkTrainingRequest(request, context, jobTargetOf(request, options) !== null);
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
  const limited = narrowed(context, { signal: limit.signal });
  try {
    limited.signal.throwIfAborted();
    await save(entered(restarted(description, now()), 'Downloading', now()));
    const work = await workOf(job.name, job.request, limited, options);
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

/** What a job may use after its task has ended: no heartbeat, a folder of its own. */
async function detachedContext(
  job: Job,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<HandlerContext> {
  const folder = join(options.workFolder, job.name);
  await mkdir(folder, { recursive: true });
  return narrowed(context, {
    heartbeat: () => undefined,
    progress: (done, total, note) => context.log.debug(note ?? 'training', { done, total }),
    scratch: async () => folder,
  });
}
