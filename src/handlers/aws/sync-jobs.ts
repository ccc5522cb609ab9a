/**
 * `.sync` of services that run jobs: submit, record the answer, ask how it goes until it is over. A
 * re-run after a lost worker asks for the job it finds in `submission`; a task that nobody wants any
 * more tries to stop its job, as AWS does.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { CANCELLED, type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import { splitSuffix } from '../resource.js';
import { withMetadata } from './metadata.js';
import { callOptimised, type OPTIMISED_SERVICES, type OptimisedOptions } from './optimised.js';

export interface SyncOptions extends OptimisedOptions {
  readonly pollMs?: { readonly first: number; readonly longest: number };
}

interface Request {
  readonly action: string;
  readonly parameters: JsonObject;
}

interface Job {
  readonly service: keyof typeof OPTIMISED_SERVICES;
  readonly action: string;
  readonly description: string;
  describe(submitted: JsonObject, parameters: JsonObject): Request;
  stop(submitted: JsonObject, parameters: JsonObject): Request;
  /** Null while it runs. */
  outcome(description: JsonObject): { readonly ok: boolean; readonly result: Json } | null;
  /** A submit that was answered but started nothing. */
  refused?(submitted: JsonObject): boolean;
}

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const object = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});
const first = (value: Json | undefined): JsonObject =>
  object(isArray(value) ? value[0] : undefined);

function byState(
  result: Json,
  state: string,
  succeeded: string,
  failed: RegExp,
): { readonly ok: boolean; readonly result: Json } | null {
  if (state === succeeded) return { ok: true, result };
  return failed.test(state) ? { ok: false, result } : null;
}

const JOBS: readonly Job[] = [
  {
    service: 'batch',
    action: 'submitJob',
    description: 'Submits a job to AWS Batch; with .sync waits for its end.',
    describe: ({ JobId }) => ({ action: 'describeJobs', parameters: { Jobs: [text(JobId)] } }),
    stop: ({ JobId }) => ({
      action: 'terminateJob',
      parameters: { JobId: text(JobId), Reason: 'The task that submitted the job was stopped.' },
    }),
    outcome: ({ Jobs }) => byState(first(Jobs), text(first(Jobs).Status), 'SUCCEEDED', /^FAILED$/),
  },
  {
    service: 'ecs',
    action: 'runTask',
    description: 'Runs an ECS task; with .sync waits for its end.',
    describe: ({ Tasks }, { Cluster }) => ({
      action: 'describeTasks',
      parameters: { ...clusterOf(Cluster), Tasks: [text(first(Tasks).TaskArn)] },
    }),
    stop: ({ Tasks }, { Cluster }) => ({
      action: 'stopTask',
      parameters: { ...clusterOf(Cluster), Task: text(first(Tasks).TaskArn) },
    }),
    outcome: ({ Tasks }) => {
      const task = first(Tasks);
      if (task.LastStatus !== 'STOPPED') return null;
      const containers = isArray(task.Containers) ? task.Containers.map(object) : [];
      const ok = containers.length > 0 && containers.every(({ ExitCode }) => ExitCode === 0);
      return { ok, result: task };
    },
    refused: ({ Tasks, Failures }) =>
      (!isArray(Tasks) || Tasks.length === 0) && isArray(Failures) && Failures.length > 0,
  },
  {
    service: 'glue',
    action: 'startJobRun',
    description: 'Starts a Glue job; with .sync waits for its end.',
    describe: ({ JobRunId }, { JobName }) => ({
      action: 'getJobRun',
      parameters: { JobName: text(JobName), RunId: text(JobRunId) },
    }),
    stop: ({ JobRunId }, { JobName }) => ({
      action: 'batchStopJobRun',
      parameters: { JobName: text(JobName), JobRunIds: [text(JobRunId)] },
    }),
    outcome: ({ JobRun }) => {
      const state = text(object(JobRun).JobRunState);
      return byState(
        object(JobRun),
        state,
        'SUCCEEDED',
        /^(FAILED|ERROR|TIMEOUT|STOPPED|EXPIRED)$/,
      );
    },
  },
  {
    service: 'codebuild',
    action: 'startBuild',
    description: 'Starts a CodeBuild build; with .sync waits for its end.',
    describe: ({ Build }) => ({
      action: 'batchGetBuilds',
      parameters: { Ids: [text(object(Build).Id)] },
    }),
    stop: ({ Build }) => ({ action: 'stopBuild', parameters: { Id: text(object(Build).Id) } }),
    outcome: ({ Builds }) => {
      const build = first(Builds);
      const state = text(build.BuildStatus);
      return byState({ Build: build }, state, 'SUCCEEDED', /^(FAILED|FAULT|TIMED_OUT|STOPPED)$/);
    },
  },
  {
    service: 'athena',
    action: 'startQueryExecution',
    description: 'Starts an Athena query; with .sync waits for its end.',
    describe: ({ QueryExecutionId }) => ({
      action: 'getQueryExecution',
      parameters: { QueryExecutionId: text(QueryExecutionId) },
    }),
    stop: ({ QueryExecutionId }) => ({
      action: 'stopQueryExecution',
      parameters: { QueryExecutionId: text(QueryExecutionId) },
    }),
    outcome: ({ QueryExecution }) => {
      const state = text(object(object(QueryExecution).Status).State);
      return byState(
        { QueryExecution: object(QueryExecution) },
        state,
        'SUCCEEDED',
        /^(FAILED|CANCELLED)$/,
      );
    },
  },
];

function clusterOf(cluster: Json | undefined): JsonObject {
  return cluster === undefined ? {} : { Cluster: cluster };
}

export function createJobHandlers(options: SyncOptions): readonly Handler[] {
  return JOBS.map((job) => ({
    resource: `${job.service}:${job.action}`,
    description: job.description,
    parameters: {},
    onWorkerLost: 'rerun',
    run: (parameters, context) => run(options, job, object(parameters), context),
  }));
}

async function run(
  options: SyncOptions,
  job: Job,
  parameters: JsonObject,
  context: HandlerContext,
): Promise<Json> {
  const waits = splitSuffix(context.task.resource).suffix.startsWith('.sync');
  if (context.submission !== null)
    return wait(options, job, parameters, context.submission, context);
  const { service, action } = job;
  const answer = await callOptimised(options, service, action, parameters, context);
  if (job.refused?.(answer.output)) {
    throw new TaskFailure('AmazonECS.Unknown', JSON.stringify(answer.output));
  }
  const submitted = withMetadata(service, answer);
  if (!waits) return submitted;
  await context.submitted(submitted);
  return wait(options, job, parameters, submitted, context);
}

const POLL_MS = { first: 2_000, longest: 20_000 };

async function wait(
  options: SyncOptions,
  job: Job,
  parameters: JsonObject,
  submission: Json,
  context: HandlerContext,
): Promise<Json> {
  const submitted = object(submission);
  const ask = (request: Request, within: HandlerContext) =>
    callOptimised(options, job.service, request.action, request.parameters, within);
  const { first: firstMs, longest } = options.pollMs ?? POLL_MS;
  try {
    for (let pauseMs = firstMs; ; pauseMs = Math.min(pauseMs * 1.5, longest)) {
      const { output } = await ask(job.describe(submitted, parameters), context);
      const outcome = job.outcome(output);
      if (outcome?.ok === true) return outcome.result;
      if (outcome !== null) {
        throw new TaskFailure('States.TaskFailed', JSON.stringify(outcome.result));
      }
      await sleep(pauseMs, undefined, { signal: context.signal });
    }
  } catch (error) {
    if (context.signal.aborted && context.signal.reason === CANCELLED) {
      const signal = AbortSignal.timeout(10_000);
      await ask(job.stop(submitted, parameters), { ...context, signal }).catch((failure) => {
        context.log.warn('A job could not be stopped.', { error: String(failure) });
      });
    }
    throw error;
  }
}
