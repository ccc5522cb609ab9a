/**
 * The optimised integrations that are a plain call of a service (`sqs:sendMessage`, `dynamodb:putItem`,
 * `events:putEvents`, …). AWS runs the SDK for Java 1 for them: error names, causes and the result's
 * metadata differ from the aws-sdk integrations and follow the recorded cases.
 */
import { isArray, isObject, type Json, type JsonObject, withKey } from '../../lib/json.js';
import { serviceCause } from '../aws-metadata.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import type { KeysOf } from './assumed-role.js';
import { type Answer, call, ServiceRefusal, Unreachable } from './call.js';
import type { Sdk } from './clients.js';
import { withMetadata } from './metadata.js';

export interface OptimisedService {
  /** As the Resource names it; also the name that finds the SDK's package. */
  readonly service: string;
  /** Before the dot of error names. */
  readonly prefix: string;
  /** In causes. */
  readonly causeName: string;
  /** Class of errors that the service's model does not know. */
  readonly baseException: string;
}

export const OPTIMISED_SERVICES = {
  sqs: service('sqs', 'SQS', 'AmazonSQS', 'AmazonSQSException'),
  sns: service('sns', 'SNS', 'AmazonSNS', 'AmazonSNSException'),
  dynamodb: service('dynamodb', 'DynamoDB', 'AmazonDynamoDBv2', 'AmazonDynamoDBException'),
  events: service('events', 'EventBridge', 'AmazonEventBridge', 'AmazonEventBridgeException'),
  batch: service('batch', 'Batch', 'AWSBatch', 'AWSBatchException'),
  ecs: service('ecs', 'ECS', 'AmazonECS', 'AmazonECSException'),
  glue: service('glue', 'Glue', 'AWSGlue', 'AWSGlueException'),
  codebuild: service('codebuild', 'CodeBuild', 'AWSCodeBuild', 'AWSCodeBuildException'),
  athena: service('athena', 'Athena', 'AmazonAthena', 'AmazonAthenaException'),
  bedrock: service('bedrock', 'Bedrock', 'AmazonBedrock', 'AmazonBedrockException'),
  'bedrock-runtime': service(
    'bedrock-runtime',
    'BedrockRuntime',
    'AmazonBedrockRuntime',
    'AmazonBedrockRuntimeException',
  ),
  databrew: service('databrew', 'DataBrew', 'AWSGlueDataBrew', 'AWSGlueDataBrewException'),
  eks: service('eks', 'EKS', 'AmazonEKS', 'AmazonEKSException'),
  elasticmapreduce: service(
    'elasticmapreduce',
    'ElasticMapReduce',
    'AmazonElasticMapReduce',
    'AmazonElasticMapReduceException',
  ),
  'emr-containers': service(
    'emr-containers',
    'EMRContainers',
    'AmazonEMRContainers',
    'AmazonEMRContainersException',
  ),
  'emr-serverless': service(
    'emr-serverless',
    'EmrServerless',
    'EMRServerless',
    'AWSEMRServerlessException',
  ),
  mediaconvert: service(
    'mediaconvert',
    'MediaConvert',
    'AWSMediaConvert',
    'AWSMediaConvertException',
  ),
} as const satisfies Readonly<Record<string, OptimisedService>>;

function service(
  name: string,
  prefix: string,
  causeName: string,
  baseException: string,
): OptimisedService {
  return { service: name, prefix, causeName, baseException };
}

export interface OptimisedOptions {
  readonly sdk: Sdk;
  readonly keysOf: KeysOf;
}

/** Actions without more to them than the call. */
const PLAIN: readonly (readonly [keyof typeof OPTIMISED_SERVICES, string, string])[] = [
  ['sqs', 'sendMessage', 'Sends a message to an SQS queue.'],
  ['dynamodb', 'getItem', 'Reads an item of a DynamoDB table.'],
  ['dynamodb', 'putItem', 'Writes an item into a DynamoDB table.'],
  ['dynamodb', 'updateItem', 'Changes an item of a DynamoDB table.'],
  ['dynamodb', 'deleteItem', 'Deletes an item of a DynamoDB table.'],
  ['athena', 'stopQueryExecution', 'Stops an Athena query.'],
  ['athena', 'getQueryExecution', 'Describes an Athena query.'],
  ['athena', 'getQueryResults', 'Reads the rows of an Athena query.'],
  ['codebuild', 'stopBuild', 'Stops a CodeBuild build.'],
  ['codebuild', 'stopBuildBatch', 'Stops a CodeBuild batch build.'],
  ['codebuild', 'batchDeleteBuilds', 'Deletes CodeBuild builds.'],
  ['codebuild', 'batchGetReports', 'Describes CodeBuild reports.'],
];

export function createOptimisedHandlers(options: OptimisedOptions): readonly Handler[] {
  return [
    ...PLAIN.map(([name, action, description]) =>
      handlerOf(`${name}:${action}`, description, async (parameters, context) =>
        withMetadata(name, await callOptimised(options, name, action, parameters, context)),
      ),
    ),
    handlerOf('events:putEvents', 'Sends events to EventBridge.', (parameters, context) =>
      putEvents(options, parameters, context),
    ),
  ];
}

/** The real SNS, for topics that the configuration does not know. */
export function createSnsFallback(options: OptimisedOptions): Handler {
  return handlerOf('sns:publish', 'Publishes to an SNS topic.', async (parameters, context) =>
    withMetadata('sns', await callOptimised(options, 'sns', 'publish', parameters, context)),
  );
}

function handlerOf(resource: string, description: string, run: Handler['run']): Handler {
  return { resource, description, parameters: {}, onWorkerLost: 'rerun', run };
}

/** One call; its failure in the words of the SDK for Java 1. */
export async function callOptimised(
  { sdk, keysOf }: OptimisedOptions,
  name: keyof typeof OPTIMISED_SERVICES,
  action: string,
  parameters: Json,
  context: HandlerContext,
): Promise<Answer> {
  try {
    const keys = await keysOf(context);
    const form = { time: 'epoch-ms' } as const;
    return await call(sdk, { service: name, action, parameters, keys, form }, context);
  } catch (error) {
    throw optimisedFailure(OPTIMISED_SERVICES[name], error);
  }
}

export function optimisedFailure(of: OptimisedService, error: unknown): unknown {
  if (error instanceof Unreachable) {
    return new TaskFailure(`${of.prefix}.SdkClientException`, error.message);
  }
  if (!(error instanceof ServiceRefusal)) return error;
  const { exception, code, text, status, requestId } = error.details;
  return new TaskFailure(
    `${of.prefix}.${exception ?? of.baseException}`,
    serviceCause(text, { service: of.causeName, status, code }, requestId),
  );
}

/** EventBridge refuses such an entry alone and takes the others. */
const MALFORMED = { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };

/**
 * AWS appends the ARNs of execution and machine to every entry's resources, and fails the task when
 * an entry failed. An entry whose detail is no JSON object is refused before it is sent, so that
 * stand-ins that do not look give the same answer.
 */
async function putEvents(
  options: OptimisedOptions,
  parameters: Json,
  context: HandlerContext,
): Promise<Json> {
  const given = isObject(parameters) && isArray(parameters.Entries) ? parameters.Entries : [];
  const entries = given.map((entry) => eventEntry(entry, context));
  const sent = entries.filter((entry) => !isMalformed(entry));
  const skipsCall = sent.length === 0 && entries.length > 0;
  const request = isObject(parameters) ? withKey(parameters, 'Entries', sent) : parameters;
  const answer = skipsCall
    ? null
    : await callOptimised(options, 'events', 'putEvents', request, context);
  const answered = answer === null ? [] : (answer.output.Entries as readonly Json[]);
  let next = 0;
  const results = entries.map((entry) => (isMalformed(entry) ? MALFORMED : answered[next++]));
  const refused = entries.length - sent.length;
  const failed = refused + Number(answer?.output.FailedEntryCount ?? 0);
  if (failed > 0) {
    const output = { Entries: results as Json[], FailedEntryCount: failed };
    throw new TaskFailure('EventBridge.FailedEntry', JSON.stringify(output));
  }
  return withMetadata('events', answer as Answer);
}

function eventEntry(entry: Json, { task }: HandlerContext): Json {
  if (!isObject(entry)) return entry;
  const own = isArray(entry.Resources) ? entry.Resources : [];
  const resources = [...own, task.executionArn, machineArnOf(task.executionArn)];
  const detail = entry.Detail;
  const text = detail === undefined || typeof detail === 'string' ? detail : JSON.stringify(detail);
  const made: JsonObject = withKey(entry, 'Resources', resources);
  return text === undefined ? made : withKey(made, 'Detail', text);
}

/** `…:execution:machine:name` belongs to `…:stateMachine:machine`. */
function machineArnOf(executionArn: string): string {
  const parts = executionArn.split(':');
  return [...parts.slice(0, 5), 'stateMachine', parts[6] ?? ''].join(':');
}

function isMalformed(entry: Json): boolean {
  if (!isObject(entry) || typeof entry.Detail !== 'string') return false;
  try {
    return !isObject(JSON.parse(entry.Detail) as Json);
  } catch {
    return true;
  }
}
