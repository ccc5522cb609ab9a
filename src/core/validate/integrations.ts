/**
 * The optimized integrations of AWS Step Functions: which patterns each action has, and which
 * request fields AWS insists on when a definition is created. A table, and nothing else.
 *
 * Patterns after the developer guide's table of optimized integrations; required fields are those
 * measured with ValidateStateMachineDefinition, and for SageMaker those of its service model.
 */

export interface Integration {
  readonly sync: boolean;
  readonly token: boolean;
  readonly required: readonly string[];
}

type Row = readonly [actions: string, patterns: '' | 'sync' | 'token' | 'sync token'];

const SERVICES: Readonly<Record<string, readonly Row[]>> = {
  apigateway: [['invoke', 'token']],
  athena: [
    ['startQueryExecution', 'sync'],
    ['stopQueryExecution getQueryExecution getQueryResults', ''],
  ],
  batch: [['submitJob', 'sync']],
  bedrock: [
    ['invokeModel', ''],
    ['createModelCustomizationJob', 'sync'],
  ],
  'bedrock-agentcore': [['invokeHarness', '']],
  codebuild: [
    ['startBuild startBuildBatch', 'sync'],
    ['stopBuild stopBuildBatch batchDeleteBuilds batchGetReports', ''],
    ['retryBuild retryBuildBatch', 'sync'],
  ],
  databrew: [['startJobRun', 'sync']],
  dynamodb: [['getItem putItem updateItem deleteItem', '']],
  ecs: [['runTask', 'sync token']],
  eks: [
    ['call', ''],
    ['createCluster deleteCluster createNodegroup deleteNodegroup', 'sync'],
    ['createFargateProfile deleteFargateProfile runJob', 'sync'],
  ],
  elasticmapreduce: [
    ['createCluster terminateCluster addStep', 'sync'],
    ['cancelStep setClusterTerminationProtection', ''],
    ['modifyInstanceFleetByName modifyInstanceGroupByName', ''],
  ],
  'emr-containers': [['createVirtualCluster deleteVirtualCluster startJobRun', 'sync']],
  'emr-serverless': [
    ['createApplication startApplication stopApplication deleteApplication', 'sync'],
    ['startJobRun cancelJobRun', 'sync'],
  ],
  events: [['putEvents', 'token']],
  glue: [['startJobRun', 'sync']],
  http: [['invoke', '']],
  lambda: [['invoke', 'token']],
  mediaconvert: [['createJob', 'sync']],
  sagemaker: [
    ['createTrainingJob createTransformJob createHyperParameterTuningJob', 'sync'],
    ['createLabelingJob createProcessingJob', 'sync'],
    ['createEndpoint createEndpointConfig createModel updateEndpoint', ''],
  ],
  sns: [['publish', 'token']],
  sqs: [['sendMessage', 'token']],
  states: [['startExecution', 'sync token']],
};

const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  'lambda:invoke': ['FunctionName'],
  'sqs:sendMessage': ['QueueUrl', 'MessageBody'],
  'sns:publish': ['Message'],
  'dynamodb:getItem': ['TableName', 'Key'],
  'dynamodb:putItem': ['TableName', 'Item'],
  'dynamodb:updateItem': ['TableName', 'Key'],
  'dynamodb:deleteItem': ['TableName', 'Key'],
  'states:startExecution': ['StateMachineArn'],
  'events:putEvents': ['Entries'],
  'ecs:runTask': ['TaskDefinition'],
  'glue:startJobRun': ['JobName'],
  'batch:submitJob': ['JobName', 'JobQueue', 'JobDefinition'],
  'sagemaker:createTrainingJob': [
    'TrainingJobName',
    'AlgorithmSpecification',
    'RoleArn',
    'OutputDataConfig',
    'ResourceConfig',
    'StoppingCondition',
  ],
  'sagemaker:createTransformJob': [
    'TransformJobName',
    'ModelName',
    'TransformInput',
    'TransformOutput',
    'TransformResources',
  ],
  'sagemaker:createHyperParameterTuningJob': [
    'HyperParameterTuningJobName',
    'HyperParameterTuningJobConfig',
  ],
  'sagemaker:createProcessingJob': [
    'ProcessingJobName',
    'ProcessingResources',
    'AppSpecification',
    'RoleArn',
  ],
  'sagemaker:createLabelingJob': [
    'LabelingJobName',
    'LabelAttributeName',
    'InputConfig',
    'OutputConfig',
    'RoleArn',
    'HumanTaskConfig',
  ],
  'sagemaker:createModel': ['ModelName', 'ExecutionRoleArn'],
  'sagemaker:createEndpointConfig': ['EndpointConfigName', 'ProductionVariants'],
  'sagemaker:createEndpoint': ['EndpointName', 'EndpointConfigName'],
  'sagemaker:updateEndpoint': ['EndpointName', 'EndpointConfigName'],
};

const INTEGRATIONS: ReadonlyMap<string, Integration> = new Map(
  Object.entries(SERVICES).flatMap(([service, rows]) =>
    rows.flatMap(([actions, patterns]) =>
      actions.split(' ').map((action) => {
        const key = `${service}:${action}`;
        const sync = patterns.includes('sync');
        const token = patterns.includes('token');
        return [key, { sync, token, required: REQUIRED[key] ?? [] }] as const;
      }),
    ),
  ),
);

/** `lambda`, `invoke` to what AWS offers under that name, if anything. */
export function findIntegration(service: string, action: string): Integration | undefined {
  return INTEGRATIONS.get(`${service}:${action}`);
}
