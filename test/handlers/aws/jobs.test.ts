/** Every job that `.sync` waits for: what is submitted, asked and given back, call by call. */
import { expect, it } from 'vitest';
import { createAws } from '../../../src/handlers/aws/index.js';
import { CANCELLED, TaskFailure } from '../../../src/handlers/handler.js';
import { findIntegration } from '../../../src/core/validate/integrations.js';
import type { Json, JsonObject } from '../../../src/lib/json.js';
import { createWorld, failureOf } from '../world.js';

type Call = readonly [string, Json];
type Answers = Readonly<Record<string, readonly (JsonObject | Error)[]>>;

/** A package of the SDK without models: answers by command, the last one again and again. */
function fakePackage(answers: Answers, calls: Call[]): Record<string, unknown> {
  const left = new Map(Object.entries(answers).map(([name, list]) => [name, [...list]]));
  const command = (name: string) =>
    class {
      readonly name = name;
      readonly middlewareStack = { add: () => {} };
      constructor(readonly input: Json) {}
    };
  class FakeClient {
    readonly config = { serviceId: 'Fake' };
    async send(sent: { name: string; input: Json }): Promise<unknown> {
      calls.push([sent.name, sent.input]);
      const list = left.get(sent.name) ?? [];
      const answer = (list.length > 1 ? list.shift() : list[0]) ?? {};
      if (answer instanceof Error) throw answer;
      return answer;
    }
  }
  const commands = Object.keys(answers).map((name) => [`${name}Command`, command(name)]);
  return { FakeClient, ...Object.fromEntries(commands) };
}

function notFound(): Error {
  const metadata = { $metadata: { httpStatusCode: 404, requestId: 'r' } };
  return Object.assign(new Error('gone'), { name: 'ResourceNotFoundException', ...metadata });
}

async function run(
  resource: string,
  parameters: JsonObject,
  answers: Answers,
  changes: object = {},
): Promise<{ readonly result: Json; readonly calls: readonly Call[] }> {
  const calls: Call[] = [];
  const world = await createWorld();
  try {
    const config = world.config({});
    const { handlers } = createAws({
      config,
      environment: { AWS_ENDPOINT_URL: 'http://unused' },
      load: async () => fakePackage(answers, calls),
      pollMs: { first: 1, longest: 1 },
    });
    const [base] = resource.split('.');
    const handler = handlers.find((one) => one.resource === base);
    if (handler === undefined) throw new Error(`Nobody does ${resource}.`);
    const context = world.context(config, changes);
    const task = { ...context.task, resource: `arn:aws:states:::${resource}` };
    const result = await handler.run(parameters, { ...context, task, ...changes });
    return { result, calls };
  } finally {
    await world.close();
  }
}

const status = (member: string, State: string): JsonObject => ({ [member]: { Status: { State } } });

it.each<[string, JsonObject, Answers, Json, readonly Call[]]>([
  [
    'glue:startJobRun.sync',
    { JobName: 'j' },
    {
      StartJobRun: [{ JobRunId: 'r' }],
      GetJobRun: [{ JobRun: { JobRunState: 'RUNNING' } }, { JobRun: { JobRunState: 'SUCCEEDED' } }],
    },
    { JobRunState: 'SUCCEEDED' },
    [
      ['StartJobRun', { JobName: 'j' }],
      ['GetJobRun', { JobName: 'j', RunId: 'r' }],
      ['GetJobRun', { JobName: 'j', RunId: 'r' }],
    ],
  ],
  [
    'codebuild:startBuildBatch.sync',
    { ProjectName: 'p' },
    {
      StartBuildBatch: [{ BuildBatch: { Id: 'b' } }],
      BatchGetBuildBatches: [{ BuildBatches: [{ Id: 'b', BuildBatchStatus: 'SUCCEEDED' }] }],
    },
    { BuildBatch: { Id: 'b', BuildBatchStatus: 'SUCCEEDED' } },
    [
      ['StartBuildBatch', { ProjectName: 'p' }],
      ['BatchGetBuildBatches', { Ids: ['b'] }],
    ],
  ],
  [
    'databrew:startJobRun.sync',
    { Name: 'j' },
    { StartJobRun: [{ RunId: 'r' }], DescribeJobRun: [{ RunId: 'r', State: 'SUCCEEDED' }] },
    { RunId: 'r', State: 'SUCCEEDED' },
    [
      ['StartJobRun', { Name: 'j' }],
      ['DescribeJobRun', { Name: 'j', RunId: 'r' }],
    ],
  ],
  [
    'mediaconvert:createJob.sync',
    { Role: 'r' },
    { CreateJob: [{ Job: { Id: 'm' } }], GetJob: [{ Job: { Id: 'm', Status: 'COMPLETE' } }] },
    { Job: { Id: 'm', Status: 'COMPLETE' } },
    [
      ['CreateJob', { Role: 'r' }],
      ['GetJob', { Id: 'm' }],
    ],
  ],
  [
    'bedrock:createModelCustomizationJob.sync',
    { JobName: 'j' },
    {
      CreateModelCustomizationJob: [{ JobArn: 'arn' }],
      GetModelCustomizationJob: [{ Status: 'InProgress' }, { Status: 'Completed' }],
    },
    { Status: 'Completed' },
    [
      ['CreateModelCustomizationJob', { JobName: 'j' }],
      ['GetModelCustomizationJob', { JobIdentifier: 'arn' }],
      ['GetModelCustomizationJob', { JobIdentifier: 'arn' }],
    ],
  ],
  [
    'eks:createCluster.sync',
    { Name: 'c' },
    { CreateCluster: [{}], DescribeCluster: [{ Cluster: { Name: 'c', Status: 'ACTIVE' } }] },
    { Cluster: { Name: 'c', Status: 'ACTIVE' } },
    [
      ['CreateCluster', { Name: 'c' }],
      ['DescribeCluster', { Name: 'c' }],
    ],
  ],
  [
    'emr-containers:startJobRun.sync',
    { VirtualClusterId: 'v' },
    { StartJobRun: [{ Id: 'r' }], DescribeJobRun: [{ JobRun: { Id: 'r', State: 'COMPLETED' } }] },
    { JobRun: { Id: 'r', State: 'COMPLETED' } },
    [
      ['StartJobRun', { VirtualClusterId: 'v' }],
      ['DescribeJobRun', { Id: 'r', VirtualClusterId: 'v' }],
    ],
  ],
  [
    'emr-serverless:startJobRun.sync',
    { ApplicationId: 'a' },
    {
      StartJobRun: [{ ApplicationId: 'a', JobRunId: 'r' }],
      GetJobRun: [{ JobRun: { State: 'RUNNING' } }, { JobRun: { State: 'SUCCESS' } }],
    },
    { JobRun: { State: 'SUCCESS' } },
    [
      ['StartJobRun', { ApplicationId: 'a' }],
      ['GetJobRun', { ApplicationId: 'a', JobRunId: 'r' }],
      ['GetJobRun', { ApplicationId: 'a', JobRunId: 'r' }],
    ],
  ],
  [
    'emr-serverless:stopApplication.sync',
    { ApplicationId: 'a' },
    { StopApplication: [{}], GetApplication: [{ Application: { State: 'STOPPED' } }] },
    { Application: { State: 'STOPPED' } },
    [
      ['StopApplication', { ApplicationId: 'a' }],
      ['GetApplication', { ApplicationId: 'a' }],
    ],
  ],
  [
    'elasticmapreduce:createCluster.sync',
    { Name: 'c' },
    {
      RunJobFlow: [{ JobFlowId: 'j-1', ClusterArn: 'arn' }],
      DescribeCluster: [status('Cluster', 'STARTING'), status('Cluster', 'WAITING')],
    },
    { Cluster: { Status: { State: 'WAITING' } }, ClusterId: 'j-1' },
    [
      ['RunJobFlow', { Name: 'c' }],
      ['DescribeCluster', { ClusterId: 'j-1' }],
      ['DescribeCluster', { ClusterId: 'j-1' }],
    ],
  ],
  [
    'elasticmapreduce:addStep.sync',
    { ClusterId: 'j-1', Step: { Name: 's' } },
    { AddJobFlowSteps: [{ StepIds: ['s-1'] }], DescribeStep: [status('Step', 'COMPLETED')] },
    { Step: { Status: { State: 'COMPLETED' } } },
    [
      ['AddJobFlowSteps', { JobFlowId: 'j-1', Steps: [{ Name: 's' }] }],
      ['DescribeStep', { ClusterId: 'j-1', StepId: 's-1' }],
    ],
  ],
  [
    'elasticmapreduce:terminateCluster.sync',
    { ClusterId: 'j-1' },
    { TerminateJobFlows: [{}], DescribeCluster: [status('Cluster', 'TERMINATED')] },
    { Cluster: { Status: { State: 'TERMINATED' } } },
    [
      ['TerminateJobFlows', { JobFlowIds: ['j-1'] }],
      ['DescribeCluster', { ClusterId: 'j-1' }],
    ],
  ],
  [
    'elasticmapreduce:cancelStep',
    { ClusterId: 'j-1', StepId: 's-1' },
    { CancelSteps: [{ CancelStepsInfoList: [{ StepId: 's-1', Status: 'SUBMITTED' }] }] },
    { CancelStepsInfo: { StepId: 's-1', Status: 'SUBMITTED' } },
    [['CancelSteps', { ClusterId: 'j-1', StepIds: ['s-1'] }]],
  ],
  [
    'elasticmapreduce:modifyInstanceGroupByName',
    { ClusterId: 'j-1', InstanceGroupName: 'core', InstanceGroup: { InstanceCount: 3 } },
    {
      ListInstanceGroups: [{ InstanceGroups: [{ Id: 'g', Name: 'core' }] }],
      ModifyInstanceGroups: [{}],
    },
    {},
    [
      ['ListInstanceGroups', { ClusterId: 'j-1' }],
      [
        'ModifyInstanceGroups',
        { ClusterId: 'j-1', InstanceGroups: [{ InstanceCount: 3, InstanceGroupId: 'g' }] },
      ],
    ],
  ],
  [
    'bedrock:invokeModel',
    { ModelId: 'm', Body: { prompt: 'p' } },
    { InvokeModel: [{ Body: '{"completion":"c"}', ContentType: 'application/json' }] },
    { Body: { completion: 'c' }, ContentType: 'application/json' },
    [['InvokeModel', { ModelId: 'm', Body: '{"prompt":"p"}' }]],
  ],
])('%s', async (resource, parameters, answers, expected, expectedCalls) => {
  const { result, calls } = await run(resource, parameters, answers);
  expect(result).toEqual(expected);
  expect(calls).toEqual(expectedCalls);
});

it('what is deleted is done when it is gone', async () => {
  const { result, calls } = await run(
    'eks:deleteCluster.sync',
    { Name: 'c' },
    {
      DeleteCluster: [{ Cluster: { Name: 'c', Status: 'DELETING' } }],
      DescribeCluster: [{ Cluster: { Status: 'DELETING' } }, notFound()],
    },
  );
  expect(result).toMatchObject({ Cluster: { Name: 'c' } });
  expect(calls.map(([name]) => name)).toEqual([
    'DeleteCluster',
    'DescribeCluster',
    'DescribeCluster',
  ]);
});

it('a job that fails fails the task with its description', async () => {
  const failure = await failureOf(
    run(
      'emr-serverless:startJobRun.sync',
      { ApplicationId: 'a' },
      { StartJobRun: [{ JobRunId: 'r' }], GetJobRun: [{ JobRun: { State: 'FAILED' } }] },
    ).then(({ result }) => result),
  );
  expect(failure).toBeInstanceOf(TaskFailure);
  expect([failure.error, failure.reason]).toEqual([
    'States.TaskFailed',
    '{"JobRun":{"State":"FAILED"}}',
  ]);
});

it('a step that nobody wants any more is cancelled', async () => {
  const abort = new AbortController();
  const answers = {
    AddJobFlowSteps: [{ StepIds: ['s-1'] }],
    DescribeStep: [status('Step', 'RUNNING')],
    CancelSteps: [{}],
  };
  const calls: Call[] = [];
  const world = await createWorld();
  const config = world.config({});
  const { handlers } = createAws({
    config,
    environment: { AWS_ENDPOINT_URL: 'http://unused' },
    load: async () => fakePackage(answers, calls),
    pollMs: { first: 1, longest: 1 },
  });
  const handler = handlers.find(({ resource }) => resource === 'elasticmapreduce:addStep');
  const context = world.context(config, { signal: abort.signal });
  const task = { ...context.task, resource: 'arn:aws:states:::elasticmapreduce:addStep.sync' };
  const running = handler?.run({ ClusterId: 'j-1', Step: {} }, { ...context, task });
  setTimeout(() => abort.abort(CANCELLED), 20);
  await expect(running).rejects.toThrow();
  expect(calls.at(-1)).toEqual(['CancelSteps', { ClusterId: 'j-1', StepIds: ['s-1'] }]);
  await world.close();
});

it('every integration that AWS offers is served, but those that talk to Kubernetes', async () => {
  const world = await createWorld();
  const { handlers } = createAws({ config: world.config({}), environment: {} });
  const served = new Set(handlers.map(({ resource }) => resource));
  const offered = `athena:startQueryExecution athena:getQueryResults batch:submitJob
    bedrock:invokeModel bedrock:createModelCustomizationJob codebuild:startBuild
    codebuild:startBuildBatch codebuild:retryBuild codebuild:retryBuildBatch codebuild:stopBuild
    codebuild:stopBuildBatch codebuild:batchDeleteBuilds codebuild:batchGetReports
    databrew:startJobRun dynamodb:getItem dynamodb:putItem dynamodb:updateItem dynamodb:deleteItem
    ecs:runTask eks:createCluster eks:deleteCluster eks:createNodegroup eks:deleteNodegroup
    eks:createFargateProfile eks:deleteFargateProfile elasticmapreduce:createCluster
    elasticmapreduce:terminateCluster elasticmapreduce:addStep elasticmapreduce:cancelStep
    elasticmapreduce:setClusterTerminationProtection elasticmapreduce:modifyInstanceFleetByName
    elasticmapreduce:modifyInstanceGroupByName emr-containers:createVirtualCluster
    emr-containers:deleteVirtualCluster emr-containers:startJobRun emr-serverless:createApplication
    emr-serverless:startApplication emr-serverless:stopApplication emr-serverless:deleteApplication
    emr-serverless:startJobRun emr-serverless:cancelJobRun events:putEvents glue:startJobRun
    mediaconvert:createJob sqs:sendMessage apigateway:invoke`.split(/\s+/);
  for (const resource of offered) {
    const [service = '', action = ''] = resource.split(':');
    expect(findIntegration(service, action), resource).toBeDefined();
    expect(served, resource).toContain(resource);
  }
  await world.close();
});
