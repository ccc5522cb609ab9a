import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Handler } from '../../src/handlers/handler.js';
import type { FineTune } from '../../src/handlers/ml/fine-tune.js';
import {
  createSageMaker,
  openSageMakerRecords,
  type SageMaker,
} from '../../src/handlers/sagemaker/index.js';
import { workspaceHandlers } from '../../src/handlers/sagemaker/workspace.js';
import type { TrainingJobTarget } from '../../src/handlers/training-job/job.js';
import { mergeDeep } from '../../src/handlers/sagemaker/options.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { openRegistry } from '../../src/ml/registry/index.js';
import { openWorkspaces, type Workspaces } from '../../src/ml/workspace.js';
import { testContext } from '../serving/context.js';
import { FAKE_LOADER, type Home, temporaryHome } from '../serving/fixture.js';

const ROLE = 'arn:aws:iam::123456789012:role/SageMakerRole';
let home: Home;
let sagemaker: SageMaker;
let workspaces: Workspaces;
let dataset: JsonObject;
let train: FineTune;
let clock: number;

beforeEach(async () => {
  home = await temporaryHome();
  clock = 1_700_000_000_000;
  workspaces = openWorkspaces(join(home.folder, 'workspaces'));
  const path = join(home.folder, 'train.jsonl');
  const rows = ['positive', 'neutral', 'negative'].map((label, labelId) => ({
    text: 'x',
    label,
    labelId,
  }));
  await writeFile(path, rows.map((row) => JSON.stringify(row)).join('\n'));
  dataset = { train: { uri: path, rows: 3 }, test: { uri: path, rows: 3 }, dataVersion: 'd1' };
  train = succeed;
  sagemaker = create();
});
afterEach(() => home.close());

const succeed: FineTune = async (options, hooks) => {
  clock += 65_000;
  hooks.onProgress({ epoch: 1, step: 1, totalSteps: 1, loss: 0.1 });
  await mkdir(options.outputDir, { recursive: true });
  await writeFile(join(options.outputDir, 'model.json'), '{}');
  return {
    modelDir: options.outputDir,
    metrics: [{ epoch: 1, trainLoss: 0.1, validation: null }],
    bestEpoch: 1,
    trainableParameters: 1,
    totalParameters: 2,
    baseHashBefore: 'a',
    baseHashAfter: 'a',
    weightsHash: 'w',
    steps: 1,
    seconds: 65,
    cpuSeconds: 100,
    resumedFromStep: 0,
    headReused: false,
    peakMegabytes: 1,
    stages: [],
  };
};

function create(
  defaults: { trainingDefaults?: JsonObject; endpointDefaults?: JsonObject } = {},
): SageMaker {
  return createSageMaker({
    fineTune: { fineTune: (options, hooks) => train(options, hooks), defaults: { model: 'base' } },
    deploy: {
      registry: openRegistry({ folder: join(home.folder, 'registry') }),
      endpoints: home.endpoints,
      loader: FAKE_LOADER,
    },
    workspaces,
    records: openSageMakerRecords(home.folder),
    workFolder: join(home.folder, 'jobs'),
    now: () => clock,
    defaults,
    jobOfImage: (image) => (image === 'example/train:1' ? ownProgram() : null),
  });
}

/** Repeats a hyperparameter that only it knows. */
function ownProgram(): TrainingJobTarget {
  const script =
    'require("node:fs").writeFileSync(process.env.SM_MODEL_DIR + "/w", process.env.SM_HP_DEPTH);' +
    'console.log("accuracy=0.91")';
  return {
    kind: 'training-job',
    command: [process.execPath, '-e', script, '--'],
    image: null,
    engine: null,
    cwd: home.folder,
    environment: {},
    inherit: [],
    graceSeconds: 1,
    parameters: {},
    onWorkerLost: 'rerun',
    description: null,
  };
}
const find = (resource: string): Handler => {
  const found = sagemaker.handlers.find((handler) => handler.resource.endsWith(resource));
  if (found === undefined) throw new Error(resource);
  return found;
};
const call = (action: string, parameters: Json, context = testContext(home.folder)) =>
  find(`sagemaker:${action}`).run(parameters, context) as Promise<JsonObject>;
const job = (extra: JsonObject = {}): JsonObject => ({
  TrainingJobName: 'weekly-1',
  RoleArn: ROLE,
  InputDataConfig: [
    {
      ChannelName: 'train',
      DataSource: { S3DataSource: { S3DataType: 'S3Prefix', S3Uri: 'train.jsonl' } },
    },
  ],
  ...extra,
});

describe('createTrainingJob.sync', () => {
  it('runs the program configured for its image, with hyperparameters of its own', async () => {
    const result = await call(
      'createTrainingJob.sync',
      job({
        AlgorithmSpecification: {
          TrainingImage: 'example/train:1',
          TrainingInputMode: 'File',
          MetricDefinitions: [{ Name: 'accuracy', Regex: 'accuracy=([0-9.]+)' }],
        },
        HyperParameters: { depth: '7' },
      }),
    );
    expect(result).toMatchObject({
      TrainingJobStatus: 'Completed',
      ModelArtifacts: { S3ModelArtifacts: expect.stringMatching(/\/model\.tar\.gz$/) },
      FinalMetricDataList: [{ MetricName: 'accuracy', Value: 0.91 }],
    });
    const { model } = await workspaces.recall(testContext(home.folder).task);
    expect((model as JsonObject).uri).toBe((result.ModelArtifacts as JsonObject).S3ModelArtifacts);
  });

  it('trains and answers the Describe response in PascalCase with epoch milliseconds', async () => {
    const context = testContext(home.folder);
    const result = await call(
      'createTrainingJob.sync',
      job({
        HyperParameters: { epochs: '1', learning_rate: '0.001' },
        StoppingCondition: { MaxRuntimeInSeconds: 600 },
      }),
      context,
    );
    const arn = 'arn:aws:sagemaker:eu-west-1:123456789012:training-job/weekly-1';
    expect(context.submissions).toEqual([{ TrainingJobArn: arn }]);
    expect(result).toMatchObject({
      TrainingJobName: 'weekly-1',
      TrainingJobArn: arn,
      TrainingJobStatus: 'Completed',
      SecondaryStatus: 'Completed',
      ModelArtifacts: { S3ModelArtifacts: expect.stringMatching(/^artifact:\/\/sha256\//) },
      HyperParameters: { epochs: '1', learning_rate: '0.001' },
      RoleArn: ROLE,
      StoppingCondition: { MaxRuntimeInSeconds: 600 },
      CreationTime: 1_700_000_000_000,
      TrainingStartTime: 1_700_000_000_000,
      TrainingEndTime: 1_700_000_065_000,
      BillableTimeInSeconds: 65,
      FinalMetricDataList: [{ MetricName: 'trainLoss', Value: 0.1, Timestamp: 1_700_000_065_000 }],
    });
    const transitions = result.SecondaryStatusTransitions as JsonObject[];
    expect(transitions.map((item) => item.Status)).toEqual([
      'Starting',
      'Downloading',
      'Training',
      'Uploading',
      'Completed',
    ]);
    expect(transitions.slice(0, -1).every((item) => typeof item.EndTime === 'number')).toBe(true);
    expect(await workspaces.recall(context.task)).toMatchObject({
      model: { uri: (result.ModelArtifacts as JsonObject).S3ModelArtifacts, baseModel: 'base' },
      training: { trainingJobName: 'weekly-1' },
    });
  });

  it('fills what is missing from the defaults and the workspace of the execution', async () => {
    let seen: Parameters<FineTune>[0] | null = null;
    train = (options, hooks) => {
      seen = options;
      return succeed(options, hooks);
    };
    sagemaker = create({
      trainingDefaults: { HyperParameters: { epochs: 5, strategy: 'feature-extraction' } },
    });
    const context = testContext(home.folder);
    await workspaces.remember(context.task, { dataset });
    const result = await call(
      'createTrainingJob.sync',
      { TrainingJobName: 'j', RoleArn: ROLE, HyperParameters: { epochs: '2' } },
      context,
    );
    expect(seen).toMatchObject({ epochs: 2, strategy: 'feature-extraction', model: 'base' });
    expect(result.HyperParameters).toEqual({ epochs: '2', strategy: 'feature-extraction' });
  });

  it('says where data could come from when there is none', async () => {
    const run = call('createTrainingJob.sync', { TrainingJobName: 'j', RoleArn: ROLE });
    const failure = await run.catch((error) => error);
    expect(failure.error).toBe('States.TaskFailed');
    expect(JSON.parse(failure.reason)).toMatchObject({
      TrainingJobStatus: 'Failed',
      FailureReason: expect.stringMatching(
        /^ValidationException: InputDataConfig: the request has none/,
      ),
    });
  });

  it.each<[JsonObject, RegExp]>([
    [
      { TrainingJobName: 'a_b' },
      /^1 validation error detected: Value 'a_b' at 'trainingJobName' failed to satisfy constraint: Member must satisfy regular expression pattern/,
    ],
    [{ TrainingJobName: 'a'.repeat(64) }, /length less than or equal to 63/],
    [{ TrainingJobName: null }, /Value null at 'trainingJobName'/],
    [{ TrainingJobName: '../../x' }, /regular expression/],
    [{ RoleArn: 'me' }, /'me' at 'roleArn'/],
    [{ TrainingJobName: '', RoleArn: null }, /^2 validation errors detected/],
    [
      { HyperParameters: { epochs: 3 } },
      /'hyperParameters.epochs.member' must be a string, as "3"/,
    ],
    [{ HyperParameters: { epohcs: '3' } }, /"epohcs" is unknown/],
    [{ InputDataConfig: [{ ChannelName: 'train' }] }, /'inputDataConfig.1.member.dataSource'/],
  ])('refuses %j as ValidationException', async (extra, message) => {
    const failure = await call('createTrainingJob.sync', job(extra)).catch((error) => error);
    expect(failure.error).toBe('SageMaker.AmazonSageMakerException');
    expect(failure.reason).toMatch(message);
    expect(failure.reason).toMatch(
      /\(Service: AmazonSageMaker; Status Code: 400; Error Code: ValidationException; Request ID: [-0-9a-f]{36}; Proxy: null\)$/,
    );
  });

  it('takes a name once, but lets the same visit go on with its own job', async () => {
    train = async () => {
      throw new Error('out of memory');
    };
    const failure = await call('createTrainingJob.sync', job()).catch((error) => error);
    expect(failure.error).toBe('States.TaskFailed');
    expect(JSON.parse(failure.reason)).toMatchObject({
      TrainingJobStatus: 'Failed',
      SecondaryStatus: 'Failed',
      FailureReason: 'AlgorithmError: Training.Failed: out of memory',
    });
    const revisit = testContext(home.folder, { visit: 'v1b' });
    const redriven = await call('createTrainingJob.sync', job(), revisit).catch((e) => e);
    expect(redriven.error).toBe('States.TaskFailed');
    train = succeed;
    const retried = await call(
      'createTrainingJob.sync',
      job(),
      testContext(home.folder, { visit: 'v1b', attempt: 1 }),
    );
    expect(retried.TrainingJobStatus).toBe('Completed');
    expect(retried).not.toHaveProperty('FailureReason');
    const other = await call(
      'createTrainingJob.sync',
      job(),
      testContext(home.folder, { visit: 'v2' }),
    ).catch((e) => e);
    expect(other.error).toBe('SageMaker.ResourceInUseException');
    expect(other.reason).toMatch(/must be unique .*Error Code: ResourceInUse/);
  });

  it('answers a job that is already done without training again', async () => {
    const first = await call('createTrainingJob.sync', job());
    train = () => Promise.reject(new Error('trained twice'));
    const again = testContext(home.folder, { submission: { TrainingJobArn: 'x' } });
    expect(await call('createTrainingJob.sync', job(), again)).toEqual(first);
    expect(again.submissions).toEqual([]);
  });

  it('records a stopped job as Stopped, which is no success', async () => {
    const controller = new AbortController();
    const reason = new Error('stopped');
    train = async () => {
      controller.abort(reason);
      throw new Error('killed');
    };
    const context = testContext(home.folder, { signal: controller.signal });
    await expect(call('createTrainingJob.sync', job(), context)).rejects.toBe(reason);
    const described = await call('describeTrainingJob', { TrainingJobName: 'weekly-1' });
    expect(described).toMatchObject({
      TrainingJobStatus: 'Stopped',
      CreationTime: '2023-11-14T22:13:20.000Z',
    });
  });

  it('ends a job that runs longer than MaxRuntimeInSeconds', async () => {
    train = (_options, { signal }) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason)),
      );
    const failure = await call(
      'createTrainingJob.sync',
      job({ StoppingCondition: { MaxRuntimeInSeconds: 0.05 } }),
    ).catch((error) => error);
    expect(JSON.parse(failure.reason)).toMatchObject({
      TrainingJobStatus: 'Stopped',
      SecondaryStatus: 'MaxRuntimeExceeded',
    });
  });

  it('refuses s3 addresses that it cannot reach, by name', async () => {
    const channel = {
      ChannelName: 'train',
      DataSource: { S3DataSource: { S3Uri: 's3://bucket/x' } },
    };
    const failure = await call('createTrainingJob.sync', job({ InputDataConfig: [channel] })).catch(
      (e) => e,
    );
    expect(JSON.parse(failure.reason).FailureReason).toMatch(
      /s3:\/\/bucket\/x cannot be read here/,
    );
  });
});

describe('createTrainingJob', () => {
  it('answers at once; the job goes on and can be described', async () => {
    let finish = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    train = async (options, hooks) => {
      await gate;
      return succeed(options, hooks);
    };
    const arn = 'arn:aws:sagemaker:eu-west-1:123456789012:training-job/weekly-1';
    expect(await call('createTrainingJob', job())).toEqual({ TrainingJobArn: arn });
    const status = async () =>
      (await call('describeTrainingJob', { TrainingJobName: 'weekly-1' })).TrainingJobStatus;
    expect(await status()).toBe('InProgress');
    finish();
    await sagemaker.settle();
    expect(await status()).toBe('Completed');
  });

  it('is stopped with the process', async () => {
    train = (_options, { signal }) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason)),
      );
    await call('createTrainingJob', job());
    await sagemaker.stop();
    const described = await call('describeTrainingJob', { TrainingJobName: 'weekly-1' });
    expect(described.TrainingJobStatus).toBe('Stopped');
  });

  it('names a job that does not exist', async () => {
    await expect(call('describeTrainingJob', { TrainingJobName: 'none' })).rejects.toMatchObject({
      error: 'SageMaker.ResourceNotFoundException',
    });
  });
});

describe('endpoints', () => {
  const chain = async (): Promise<void> => {
    const uri = await home.model('one');
    const models = {
      ModelName: 'm1',
      ExecutionRoleArn: ROLE,
      PrimaryContainer: { ModelDataUrl: uri },
    };
    expect(await call('createModel', models)).toEqual({
      ModelArn: 'arn:aws:sagemaker:eu-west-1:123456789012:model/m1',
    });
    const variant = {
      VariantName: 'AllTraffic',
      ModelName: 'm1',
      InitialInstanceCount: 1,
      InitialVariantWeight: 1,
    };
    expect(
      await call('createEndpointConfig', {
        EndpointConfigName: 'c1',
        ProductionVariants: [variant],
      }),
    ).toEqual({ EndpointConfigArn: 'arn:aws:sagemaker:eu-west-1:123456789012:endpoint-config/c1' });
  };

  it('are made by createModel, createEndpointConfig and createEndpoint', async () => {
    await chain();
    const request = { EndpointName: 'Sentiment', EndpointConfigName: 'c1' };
    expect(await call('createEndpoint', request)).toEqual({
      EndpointArn: 'arn:aws:sagemaker:eu-west-1:123456789012:endpoint/sentiment',
    });
    expect(await call('createEndpoint', request)).toHaveProperty('EndpointArn');
    const later = testContext(home.folder, { visit: 'v2' });
    await expect(call('createEndpoint', request, later)).rejects.toMatchObject({
      reason: expect.stringMatching(/^Cannot create already existing endpoint/),
    });
    expect(await call('updateEndpoint', request, later)).toHaveProperty('EndpointArn');
    expect((await home.endpoints.get('Sentiment'))?.history).toHaveLength(2);
  });

  it('take the data capture of their configuration over', async () => {
    await chain();
    const config = (name: string, capture: JsonObject): JsonObject => ({
      EndpointConfigName: name,
      ProductionVariants: [{ VariantName: 'a', ModelName: 'm1' }],
      DataCaptureConfig: capture,
    });
    const on = {
      EnableCapture: true,
      InitialSamplingPercentage: 20,
      DestinationS3Uri: 's3://bucket/capture',
      CaptureOptions: [{ CaptureMode: 'Input' }],
    };
    await call('createEndpointConfig', config('c-capture', on));
    await call('createEndpoint', { EndpointName: 'Captured', EndpointConfigName: 'c-capture' });
    expect((await home.endpoints.get('Captured'))?.settings).toEqual({
      capture: { samplingPercentage: 20, modes: ['Input'] },
    });
    const wrong = config('c-wrong', { ...on, InitialSamplingPercentage: 120 });
    await expect(call('createEndpointConfig', wrong)).rejects.toMatchObject({
      reason: expect.stringContaining('initialSamplingPercentage'),
    });
  });

  it('name what is missing or not done here', async () => {
    await chain();
    const cases: [string, JsonObject, RegExp][] = [
      [
        'createEndpoint',
        { EndpointName: 'e', EndpointConfigName: 'none' },
        /Could not find endpoint configuration/,
      ],
      [
        'updateEndpoint',
        { EndpointName: 'e', EndpointConfigName: 'c1' },
        /Could not find endpoint "arn/,
      ],
      [
        'createEndpoint',
        { EndpointName: 'e_1', EndpointConfigName: 'c1' },
        /'e_1' at 'endpointName'/,
      ],
      ['createModel', { ModelName: 'm2' }, /'primaryContainer.ModelDataUrl'/],
      [
        'createModel',
        { ModelName: 'm1', PrimaryContainer: { ModelDataUrl: '/x' } },
        /already existing model/,
      ],
      ['createEndpointConfig', { EndpointConfigName: 'c2' }, /'productionVariants'/],
      [
        'createEndpointConfig',
        { EndpointConfigName: 'c2', ProductionVariants: [{ VariantName: 'a', ModelName: 'mX' }] },
        /Could not find model/,
      ],
      [
        'createEndpointConfig',
        {
          EndpointConfigName: 'c2',
          ProductionVariants: [{ VariantName: 'a', ModelName: 'm1' }],
          ShadowProductionVariants: [{}],
        },
        /shadows are started by a rollout/,
      ],
      [
        'updateEndpoint',
        {
          EndpointName: 'e',
          EndpointConfigName: 'c1',
          DeploymentConfig: {
            BlueGreenUpdatePolicy: { TrafficRoutingConfiguration: { Type: 'CANARY' } },
          },
        },
        /only ALL_AT_ONCE/,
      ],
    ];
    for (const [action, parameters, message] of cases) {
      const context = testContext(home.folder, { visit: 'other' });
      const failure = await call(action, parameters, context).catch((error) => error);
      expect([failure.error, failure.reason]).toEqual([
        'SageMaker.AmazonSageMakerException',
        expect.stringMatching(message),
      ]);
    }
  });

  it('without parameters serve the last model of the execution, each week a new version', async () => {
    sagemaker = create({
      endpointDefaults: { EndpointName: 'customer-sentiment', ModelName: 'sentiment' },
    });
    for (const [week, execution] of ['week-1', 'week-2'].entries()) {
      const context = testContext(home.folder, { execution, visit: `t${week}` });
      await workspaces.remember(context.task, { dataset });
      train = async (options, hooks) => {
        const result = await succeed(options, hooks);
        await writeFile(join(options.outputDir, 'model.json'), JSON.stringify({ week }));
        return result;
      };
      await call('createTrainingJob.sync', { TrainingJobName: execution, RoleArn: ROLE }, context);
      await workspaces.remember(context.task, { metrics: { accuracy: 0.9 } });
      const deploy = testContext(home.folder, {
        execution,
        visit: `d${week}`,
        state: 'DeployModel',
      });
      const result = await call('createEndpoint', { metrics: { accuracy: 0.9 } }, deploy);
      expect(result).toEqual({
        EndpointArn: 'arn:aws:sagemaker:eu-west-1:123456789012:endpoint/customer-sentiment',
      });
    }
    const registry = openRegistry({ folder: join(home.folder, 'registry') });
    expect((await registry.versions('sentiment')).map((v) => [v.version, v.stage])).toEqual([
      ['v1.0.0', 'Archived'],
      ['v1.1.0', 'Production'],
    ]);
    expect((await registry.get('sentiment')).lineage).toMatchObject({
      dataVersion: 'd1',
      trainingJobName: 'week-2',
      baseModel: 'base',
    });
    expect((await home.endpoints.get('customer-sentiment'))?.variants[0]?.model.version).toBe(
      'v1.1.0',
    );
  });

  it('without parameters and without a model say so', async () => {
    await expect(call('createEndpoint', { metrics: {} })).rejects.toMatchObject({
      reason: expect.stringMatching(/'endpointConfigName'.*this execution has trained no model/),
    });
  });
});

describe('the workspace', () => {
  const handler = (
    resource: string,
    known: string[],
    result: JsonObject,
  ): Handler & { seen: Json[] } => {
    const seen: Json[] = [];
    return {
      resource,
      description: '',
      onWorkerLost: 'rerun',
      parameters: {
        type: 'object',
        additionalProperties: false,
        required: known.slice(0, 1),
        properties: Object.fromEntries(known.map((name) => [name, {}])),
      },
      run: async (parameters) => {
        seen.push(parameters);
        return result;
      },
      seen,
    };
  };

  it('lets states without parameters find their parts and hands foreign members on', async () => {
    const ingest = handler('ml:ingest', ['source'], { uri: 'artifact://i', rows: 9 });
    const validate = handler('ml:validate', ['dataset', 'suite'], {
      success: true,
      results: [1],
      meta: {},
    });
    const preprocess = handler('ml:preprocess', ['dataset', 'split'], dataset);
    const evaluate = handler('ml:evaluate', ['model', 'dataset'], { metrics: { accuracy: 0.9 } });
    const parts = workspaceHandlers({ ingest, validate, preprocess, evaluate }, workspaces);
    const run = (name: string, input: JsonObject) =>
      parts
        .find((part) => part.resource === `workspace:${name}`)
        ?.run(input, testContext(home.folder));
    expect(await run('ingest', { trainingJobName: 'w', source: 's' })).toEqual({
      trainingJobName: 'w',
      uri: 'artifact://i',
      rows: 9,
    });
    const input = {
      trainingJobName: 'w',
      uri: 'x',
      suite: {},
      preprocess: { split: { testSize: 0.2 } },
    };
    expect(await run('validate', input)).toEqual({
      trainingJobName: 'w',
      uri: 'x',
      success: true,
      ...dataset,
    });
    expect(preprocess.seen).toEqual([
      { split: { testSize: 0.2 }, dataset: { uri: 'artifact://i', rows: 9 } },
    ]);
    await workspaces.remember(testContext(home.folder).task, { model: { uri: 'artifact://m' } });
    expect(await run('evaluate', { TrainingJobName: 'w' })).toEqual({ metrics: { accuracy: 0.9 } });
    expect(evaluate.seen).toEqual([{ model: { uri: 'artifact://m' }, dataset: dataset.test }]);
    expect(await workspaces.recall(testContext(home.folder).task)).toMatchObject({
      metrics: { accuracy: 0.9 },
    });
  });

  it('says what nothing has made yet, and which parameter is missing', async () => {
    const inner = handler('ml:x', ['source'], {});
    const parts = workspaceHandlers(
      { ingest: inner, validate: inner, preprocess: inner, evaluate: inner },
      workspaces,
    );
    const run = (name: string) =>
      parts
        .find((part) => part.resource === `workspace:${name}`)
        ?.run({}, testContext(home.folder));
    await expect(run('ingest')).rejects.toMatchObject({ error: 'Parameters.Invalid' });
    await expect(run('validate')).rejects.toThrow(/nothing has been ingested/);
    await expect(run('evaluate')).rejects.toThrow(/nothing has been trained/);
  });

  it('keeps executions apart, also those with the same name in two machines', async () => {
    const one = { executionArn: 'arn:a:weekly', executionName: '../we ekly' };
    const two = { executionArn: 'arn:b:weekly', executionName: '../we ekly' };
    await workspaces.remember(one, { model: 1, dataset: 2 });
    await workspaces.remember(one, { model: 3 });
    expect(await workspaces.recall(one)).toEqual({ model: 3, dataset: 2 });
    expect(await workspaces.recall(two)).toEqual({});
  });

  it('loses nothing when many remember at once', async () => {
    const { task } = testContext(home.folder);
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    await Promise.all(keys.map((key) => workspaces.remember(task, { [key]: 1 })));
    expect(Object.keys(await workspaces.recall(task)).sort()).toEqual(keys.sort());
  });
});

it('defaults merge member by member, and user keys stay data', () => {
  const defaults = { a: { b: 1, c: [1] }, d: 1 };
  expect(mergeDeep(defaults, { a: { c: [2] }, e: null })).toEqual({
    a: { b: 1, c: [2] },
    d: 1,
    e: null,
  });
  const hostile = JSON.parse('{"__proto__": {"polluted": true}}') as JsonObject;
  expect(JSON.stringify(mergeDeep({}, hostile))).toBe('{"__proto__":{"polluted":true}}');
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});
