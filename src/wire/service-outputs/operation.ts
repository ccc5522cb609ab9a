/**
 * Which service's operation answers a Task. An optimised integration may go by another name, and
 * with `.sync` its result is what AWS polls: the mock is checked against the Describe operation as
 * the service answers it (boto/boto3#4683: with `startExecution.sync:2` AWS takes `Output` only as
 * text, although a real run shows it parsed).
 */
import type { TaskResource } from '../../core/fact.js';

export interface Operation {
  /** As Step Functions names it after `aws-sdk:`. */
  readonly service: string;
  readonly action: string;
}

interface Optimised {
  readonly service: string;
  /** The operation whose answer is the result of `<action>.sync`. */
  readonly polled?: { readonly [action: string]: string };
}

/**
 * Left out: `http` and `apigateway` (any answer), `elasticmapreduce` without `.sync` and
 * `bedrock:invokeModel` (AWS documents a shape of its own).
 */
const OPTIMISED: Readonly<Record<string, Optimised>> = {
  athena: { service: 'athena', polled: { startQueryExecution: 'getQueryExecution' } },
  batch: { service: 'batch', polled: { submitJob: 'describeJobs' } },
  bedrock: {
    service: 'bedrock',
    polled: { createModelCustomizationJob: 'getModelCustomizationJob' },
  },
  codebuild: {
    service: 'codebuild',
    polled: {
      startBuild: 'batchGetBuilds',
      startBuildBatch: 'batchGetBuildBatches',
      retryBuild: 'batchGetBuilds',
      retryBuildBatch: 'batchGetBuildBatches',
    },
  },
  databrew: { service: 'databrew', polled: { startJobRun: 'describeJobRun' } },
  dynamodb: { service: 'dynamodb' },
  ecs: { service: 'ecs', polled: { runTask: 'describeTasks' } },
  eks: {
    service: 'eks',
    polled: {
      createCluster: 'describeCluster',
      createFargateProfile: 'describeFargateProfile',
      createNodegroup: 'describeNodegroup',
    },
  },
  elasticmapreduce: {
    service: 'emr',
    polled: {
      addStep: 'describeStep',
      createCluster: 'describeCluster',
      terminateCluster: 'describeCluster',
    },
  },
  'emr-containers': {
    service: 'emrcontainers',
    polled: { deleteVirtualCluster: 'describeVirtualCluster', startJobRun: 'describeJobRun' },
  },
  'emr-serverless': {
    service: 'emrserverless',
    polled: {
      cancelJobRun: 'getJobRun',
      createApplication: 'getApplication',
      startApplication: 'getApplication',
      startJobRun: 'getJobRun',
      stopApplication: 'getApplication',
    },
  },
  events: { service: 'eventbridge' },
  glue: { service: 'glue', polled: { startJobRun: 'getJobRun' } },
  lambda: { service: 'lambda' },
  mediaconvert: { service: 'mediaconvert', polled: { createJob: 'getJob' } },
  sagemaker: {
    service: 'sagemaker',
    polled: {
      createHyperParameterTuningJob: 'describeHyperParameterTuningJob',
      createLabelingJob: 'describeLabelingJob',
      createProcessingJob: 'describeProcessingJob',
      createTrainingJob: 'describeTrainingJob',
      createTransformJob: 'describeTransformJob',
    },
  },
  sns: { service: 'sns' },
  sqs: { service: 'sqs' },
  states: { service: 'sfn', polled: { startExecution: 'describeExecution' } },
};

/** Other names under which an `aws-sdk:` service is met, hyphens aside. */
const ALIASES: Readonly<Record<string, string>> = {
  applicationdiscoveryservice: 'applicationdiscovery',
  ce: 'costexplorer',
  cloudwatchevents: 'eventbridge',
  cognitoidp: 'cognitoidentityprovider',
  configservice: 'config',
  costandusagereportservice: 'costandusagereport',
  databasemigrationservice: 'databasemigration',
  directoryservice: 'directory',
  elasticmapreduce: 'emr',
  elb: 'elasticloadbalancing',
  elbv2: 'elasticloadbalancingv2',
  events: 'eventbridge',
  iotdata: 'iotdataplane',
  lexruntimeservice: 'lexruntime',
  logs: 'cloudwatchlogs',
  states: 'sfn',
  stepfunctions: 'sfn',
};

/** The operation, or null where no model says what the result is. */
export function operationOf(resource: TaskResource): Operation | null {
  const { kind, type, action, pattern } = resource;
  // The result of a callback is whatever its caller sends.
  if (kind !== 'task' || pattern === 'wait-for-task-token') return null;
  if (type.startsWith('aws-sdk:')) return { service: sdkService(type), action };
  const optimised = Object.hasOwn(OPTIMISED, type) ? OPTIMISED[type] : undefined;
  if (optimised === undefined) return null;
  const { service, polled = {} } = optimised;
  if (pattern === 'request-response') return { service, action };
  const submitted = action.replace(/\.sync(:2)?$/, '');
  const described = Object.hasOwn(polled, submitted) ? polled[submitted] : undefined;
  return described === undefined ? null : { service, action: described };
}

function sdkService(type: string): string {
  const name = type.slice('aws-sdk:'.length).toLowerCase().replaceAll('-', '');
  return Object.hasOwn(ALIASES, name) ? (ALIASES[name] as string) : name;
}
