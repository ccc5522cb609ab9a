/**
 * Every operation of the AWS Step Functions API with its input members: type, length, pattern, enum,
 * required. This one table drives validation, the types of the actions and the tests against the
 * SDK's own model. Facts come from the service model `stepfunctions/2016-11-23`; where AWS is
 * recorded to be laxer than its model the comment says so.
 */
import type { Shape, StructureShape, ValueOf } from './shapes.js';

const arn = { type: 'string', min: 1, max: 256 } as const;
const longArn = { type: 'string', min: 1, max: 2000 } as const;
const name = { type: 'string', min: 1, max: 80 } as const;
const definition = { type: 'string', min: 1, max: 1_048_576, sensitive: true } as const;
const description = { type: 'string', max: 256, sensitive: true } as const;
const data = { type: 'string', max: 262_144, sensitive: true, payload: true } as const;
/**
 * Recorded: an execution starts with an input slightly above 262,144 bytes and its first state then
 * fails. Where AWS draws its line is not recorded; ours is 8 KiB above.
 */
const executionInput = { type: 'string', max: 270_336, sensitive: true, payload: true } as const;
const error = { type: 'string', max: 256, sensitive: true } as const;
const cause = { type: 'string', max: 32_768, sensitive: true } as const;
const taskToken = { type: 'string', min: 1, max: 2048 } as const;
const traceHeader = { type: 'string', max: 256, pattern: '\\p{ASCII}*' } as const;
const pageSize = { type: 'integer', min: 0, max: 1000 } as const;
const pageToken = { type: 'string', min: 1, max: 1024 } as const;
const flag = { type: 'boolean' } as const;
const text = { type: 'string' } as const;
const machineType = { type: 'string', enum: ['STANDARD', 'EXPRESS'] } as const;
const includedData = { type: 'string', enum: ['ALL_DATA', 'METADATA_ONLY'] } as const;
const aliasName = {
  ...name,
  pattern: '^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$',
} as const;

const tagKey = { type: 'string', min: 1, max: 128 } as const;
const tags = {
  type: 'list',
  of: structure('Tag', [], { key: tagKey, value: { type: 'string', max: 256 } }),
} as const;

const loggingConfiguration = structure('LoggingConfiguration', [], {
  level: { type: 'string', enum: ['ALL', 'ERROR', 'FATAL', 'OFF'] },
  includeExecutionData: flag,
  destinations: {
    type: 'list',
    of: structure('LogDestination', [], {
      cloudWatchLogsLogGroup: structure('CloudWatchLogsLogGroup', [], { logGroupArn: arn }),
    }),
  },
});

const tracingConfiguration = structure('TracingConfiguration', [], { enabled: flag });

const encryptionConfiguration = structure('EncryptionConfiguration', ['type'], {
  kmsKeyId: { type: 'string', min: 1, max: 2048 },
  kmsDataKeyReusePeriodSeconds: { type: 'integer', min: 60, max: 900 },
  type: { type: 'string', enum: ['AWS_OWNED_KEY', 'CUSTOMER_MANAGED_KMS_KEY'] },
});

const routingConfiguration = {
  type: 'list',
  min: 1,
  max: 2,
  of: structure('RoutingConfigurationListItem', ['stateMachineVersionArn', 'weight'], {
    stateMachineVersionArn: arn,
    weight: { type: 'integer', min: 0, max: 100 },
  }),
} as const;

export const OPERATIONS = {
  CreateActivity: input(['name'], { name, tags, encryptionConfiguration }),
  CreateStateMachine: input(['name', 'definition', 'roleArn'], {
    name,
    definition,
    roleArn: arn,
    type: machineType,
    loggingConfiguration,
    tags,
    tracingConfiguration,
    publish: flag,
    versionDescription: description,
    encryptionConfiguration,
  }),
  CreateStateMachineAlias: input(['name', 'routingConfiguration'], {
    description,
    name: aliasName,
    routingConfiguration,
  }),
  DeleteActivity: input(['activityArn'], { activityArn: arn }),
  DeleteStateMachine: input(['stateMachineArn'], { stateMachineArn: arn }),
  DeleteStateMachineAlias: input(['stateMachineAliasArn'], { stateMachineAliasArn: arn }),
  DeleteStateMachineVersion: input(['stateMachineVersionArn'], {
    stateMachineVersionArn: longArn,
  }),
  DescribeActivity: input(['activityArn'], { activityArn: arn }),
  DescribeExecution: input(['executionArn'], { executionArn: arn, includedData }),
  DescribeMapRun: input(['mapRunArn'], { mapRunArn: longArn }),
  DescribeStateMachine: input(['stateMachineArn'], { stateMachineArn: arn, includedData }),
  DescribeStateMachineAlias: input(['stateMachineAliasArn'], { stateMachineAliasArn: arn }),
  DescribeStateMachineForExecution: input(['executionArn'], { executionArn: arn, includedData }),
  GetActivityTask: input(['activityArn'], { activityArn: arn, workerName: name }),
  GetExecutionHistory: input(['executionArn'], {
    executionArn: arn,
    maxResults: pageSize,
    reverseOrder: flag,
    nextToken: pageToken,
    includeExecutionData: flag,
  }),
  ListActivities: input([], { maxResults: pageSize, nextToken: pageToken }),
  ListExecutions: input([], {
    stateMachineArn: arn,
    statusFilter: {
      type: 'string',
      enum: ['SUCCEEDED', 'TIMED_OUT', 'PENDING_REDRIVE', 'ABORTED', 'FAILED', 'RUNNING'],
    },
    maxResults: pageSize,
    nextToken: { type: 'string', min: 1, max: 3096 },
    mapRunArn: longArn,
    redriveFilter: { type: 'string', enum: ['REDRIVEN', 'NOT_REDRIVEN'] },
  }),
  ListMapRuns: input(['executionArn'], {
    executionArn: arn,
    maxResults: pageSize,
    nextToken: pageToken,
  }),
  ListStateMachineAliases: input(['stateMachineArn'], {
    stateMachineArn: arn,
    nextToken: pageToken,
    maxResults: pageSize,
  }),
  ListStateMachineVersions: input(['stateMachineArn'], {
    stateMachineArn: arn,
    nextToken: pageToken,
    maxResults: pageSize,
  }),
  ListStateMachines: input([], { maxResults: pageSize, nextToken: pageToken }),
  ListTagsForResource: input(['resourceArn'], { resourceArn: arn }),
  PublishStateMachineVersion: input(['stateMachineArn'], {
    stateMachineArn: arn,
    revisionId: text,
    description,
  }),
  RedriveExecution: input(['executionArn'], {
    executionArn: arn,
    clientToken: { type: 'string', min: 1, max: 64, pattern: '[!-~]+' },
  }),
  SendTaskFailure: input(['taskToken'], { taskToken, error, cause }),
  SendTaskHeartbeat: input(['taskToken'], { taskToken }),
  SendTaskSuccess: input(['taskToken', 'output'], { taskToken, output: data }),
  StartExecution: input(['stateMachineArn'], {
    stateMachineArn: arn,
    name,
    input: executionInput,
    traceHeader,
  }),
  StartSyncExecution: input(['stateMachineArn'], {
    stateMachineArn: arn,
    name,
    input: executionInput,
    traceHeader,
    includedData,
  }),
  StopExecution: input(['executionArn'], { executionArn: arn, error, cause }),
  TagResource: input(['resourceArn', 'tags'], { resourceArn: arn, tags }),
  TestState: input(['definition'], {
    definition,
    roleArn: arn,
    input: data,
    inspectionLevel: { type: 'string', enum: ['INFO', 'DEBUG', 'TRACE'] },
    revealSecrets: flag,
    variables: data,
    stateName: { ...name, sensitive: true },
    mock: structure('MockInput', [], {
      result: data,
      errorOutput: structure('MockErrorOutput', [], { error, cause }),
      fieldValidationMode: { type: 'string', enum: ['STRICT', 'PRESENT', 'NONE'] },
    }),
    context: data,
    stateConfiguration: structure('TestStateConfiguration', [], {
      retrierRetryCount: { type: 'integer', min: 0 },
      errorCausedByState: { ...name, sensitive: true },
      mapIterationFailureCount: { type: 'integer', min: 0 },
      mapItemReaderData: data,
    }),
  }),
  UntagResource: input(['resourceArn', 'tagKeys'], {
    resourceArn: arn,
    tagKeys: { type: 'list', of: tagKey },
  }),
  UpdateMapRun: input(['mapRunArn'], {
    mapRunArn: longArn,
    maxConcurrency: { type: 'integer', min: 0 },
    toleratedFailurePercentage: { type: 'float', min: 0, max: 100 },
    toleratedFailureCount: { type: 'integer', min: 0 },
  }),
  UpdateStateMachine: input(['stateMachineArn'], {
    stateMachineArn: arn,
    definition,
    roleArn: arn,
    loggingConfiguration,
    tracingConfiguration,
    publish: flag,
    versionDescription: description,
    encryptionConfiguration,
  }),
  UpdateStateMachineAlias: input(['stateMachineAliasArn'], {
    stateMachineAliasArn: arn,
    description,
    routingConfiguration,
  }),
  ValidateStateMachineDefinition: input(['definition'], {
    definition,
    type: machineType,
    severity: { type: 'string', enum: ['ERROR', 'WARNING'] },
    maxResults: { type: 'integer', min: 0, max: 100 },
  }),
} as const;

export type Operation = keyof typeof OPERATIONS;
export type Input<O extends Operation> = ValueOf<(typeof OPERATIONS)[O]>;
export type Tag = NonNullable<Input<'CreateActivity'>['tags']>[number];
export type LoggingInput = NonNullable<Input<'CreateStateMachine'>['loggingConfiguration']>;
export type EncryptionInput = NonNullable<Input<'CreateActivity'>['encryptionConfiguration']>;
export type RoutingInput = Input<'CreateStateMachineAlias'>['routingConfiguration'];

export function isOperation(text: string): text is Operation {
  return Object.hasOwn(OPERATIONS, text);
}

function input<const R extends readonly string[], const M extends StructureShape['members']>(
  required: R,
  members: M,
) {
  return structure('Input', required, members);
}

function structure<
  const R extends readonly string[],
  const M extends { readonly [member: string]: Shape },
>(shapeName: string, required: R, members: M) {
  return { type: 'structure' as const, name: shapeName, required, members };
}
