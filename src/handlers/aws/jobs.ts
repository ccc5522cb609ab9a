/**
 * Which jobs of AWS services `.sync` waits for: how each is submitted, described, judged and stopped.
 * Data and nothing else; sync-jobs drives them. Compute here, clusters in cluster-jobs.
 */
import { isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { OPTIMISED_SERVICES } from './optimised.js';

export interface Request {
  readonly action: string;
  readonly parameters: JsonObject;
}

export interface Judgement {
  readonly ok: boolean;
  readonly result: Json;
}

export interface Job {
  readonly service: keyof typeof OPTIMISED_SERVICES;
  readonly action: string;
  readonly description: string;
  /** Where the integration's action is not the service's own. */
  submit?(parameters: JsonObject): Request;
  /** What the integration shows of the answer to a submit; the answer itself where absent. */
  submitted?(answer: JsonObject): JsonObject;
  describe(submitted: JsonObject, parameters: JsonObject): Request;
  /** Null where AWS has nothing to stop it with. */
  readonly stop: ((submitted: JsonObject, parameters: JsonObject) => Request) | null;
  /** Null while it runs. */
  outcome(description: JsonObject, submitted: JsonObject): Judgement | null;
  /** A submit that was answered but started nothing. */
  refused?(submitted: JsonObject): boolean;
  /** What is described is gone when the job, which deletes it, is done. */
  readonly endsGone?: boolean;
}

export const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
export const object = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});
export const first = (value: Json | undefined): JsonObject =>
  object(isArray(value) ? value[0] : undefined);

export function byState(
  result: Json,
  state: string,
  succeeded: string,
  failed: RegExp,
): Judgement | null {
  if (state === succeeded) return { ok: true, result };
  return failed.test(state) ? { ok: false, result } : null;
}

export const COMPUTE_JOBS: readonly Job[] = [
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
  ...['startBuild', 'retryBuild'].map(codeBuild),
  ...['startBuildBatch', 'retryBuildBatch'].map(codeBuildBatch),
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
  {
    service: 'databrew',
    action: 'startJobRun',
    description: 'Starts a DataBrew job; with .sync waits for its end.',
    describe: ({ RunId }, { Name }) => ({
      action: 'describeJobRun',
      parameters: { Name: text(Name), RunId: text(RunId) },
    }),
    stop: ({ RunId }, { Name }) => ({
      action: 'stopJobRun',
      parameters: { Name: text(Name), RunId: text(RunId) },
    }),
    outcome: (run) => byState(run, text(run.State), 'SUCCEEDED', /^(FAILED|TIMEOUT|STOPPED)$/),
  },
  {
    service: 'mediaconvert',
    action: 'createJob',
    description: 'Creates a MediaConvert job; with .sync waits for its end.',
    describe: (submitted) => ({
      action: 'getJob',
      parameters: { Id: text(object(submitted.Job).Id) },
    }),
    stop: (submitted) => ({
      action: 'cancelJob',
      parameters: { Id: text(object(submitted.Job).Id) },
    }),
    outcome: (found) =>
      byState(
        { Job: object(found.Job) },
        text(object(found.Job).Status),
        'COMPLETE',
        /^(ERROR|CANCELED)$/,
      ),
  },
  {
    service: 'bedrock',
    action: 'createModelCustomizationJob',
    description: 'Fine-tunes a Bedrock model; with .sync waits for its end.',
    describe: ({ JobArn }) => ({
      action: 'getModelCustomizationJob',
      parameters: { JobIdentifier: text(JobArn) },
    }),
    stop: ({ JobArn }) => ({
      action: 'stopModelCustomizationJob',
      parameters: { JobIdentifier: text(JobArn) },
    }),
    outcome: (found) => byState(found, text(found.Status), 'Completed', /^(Failed|Stopped)$/),
  },
];

const BUILD_FAILED = /^(FAILED|FAULT|TIMED_OUT|STOPPED)$/;

function codeBuild(action: string): Job {
  return {
    service: 'codebuild',
    action,
    description: 'Runs a CodeBuild build; with .sync waits for its end.',
    describe: ({ Build }) => ({
      action: 'batchGetBuilds',
      parameters: { Ids: [text(object(Build).Id)] },
    }),
    stop: ({ Build }) => ({ action: 'stopBuild', parameters: { Id: text(object(Build).Id) } }),
    outcome: ({ Builds }) => {
      const build = first(Builds);
      return byState({ Build: build }, text(build.BuildStatus), 'SUCCEEDED', BUILD_FAILED);
    },
  };
}

function codeBuildBatch(action: string): Job {
  return {
    service: 'codebuild',
    action,
    description: 'Runs a CodeBuild batch build; with .sync waits for its end.',
    describe: ({ BuildBatch }) => ({
      action: 'batchGetBuildBatches',
      parameters: { Ids: [text(object(BuildBatch).Id)] },
    }),
    stop: ({ BuildBatch }) => ({
      action: 'stopBuildBatch',
      parameters: { Id: text(object(BuildBatch).Id) },
    }),
    outcome: ({ BuildBatches }) => {
      const batch = first(BuildBatches);
      const state = text(batch.BuildBatchStatus);
      return byState({ BuildBatch: batch }, state, 'SUCCEEDED', BUILD_FAILED);
    },
  };
}

function clusterOf(cluster: Json | undefined): JsonObject {
  return cluster === undefined ? {} : { Cluster: cluster };
}
