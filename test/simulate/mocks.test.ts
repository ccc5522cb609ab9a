/** Mock files: AWS's MockConfigFile.json unchanged, and our own format with its conditions and answers. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { readMockConfig, testCasesOf } from '../../src/simulate/mocks/aws-config.js';
import { checkPlan } from '../../src/simulate/mocks/check.js';
import { formatDuration, parseDuration } from '../../src/simulate/mocks/durations.js';
import { readMockFile } from '../../src/simulate/mocks/file.js';
import { responderOf } from '../../src/simulate/mocks/plan.js';
import type { FileProblems } from '../../src/simulate/mocks/problems.js';
import type { MockFunction } from '../../src/simulate/mocks/outcomes.js';
import { type Simulation, simulate } from '../../src/simulate/simulate.js';

/** AWS Developer Guide, "Configuration file for mocked service integrations", shortened. */
const CONFIG = {
  StateMachines: {
    LambdaSQSIntegration: {
      TestCases: {
        HappyPath: { LambdaState: 'MockedLambdaSuccess', SQSState: 'MockedSQSSuccess' },
        RetryPath: { LambdaState: 'MockedLambdaRetry', SQSState: 'MockedSQSSuccess' },
        HybridPath: { LambdaState: 'MockedLambdaSuccess' },
      },
    },
  },
  MockedResponses: {
    MockedLambdaSuccess: { '0': { Return: { StatusCode: 200, Payload: 'hello' } } },
    MockedSQSSuccess: { '0': { Return: { MessageId: 'm' } } },
    MockedLambdaRetry: {
      '0': { Throw: { Error: 'Lambda.ResourceNotReadyException', Cause: 'not ready' } },
      '1-2': { Throw: { Error: 'Lambda.TimeoutException', Cause: 'timed out' } },
      '3': { Return: { StatusCode: 200, Payload: 'late' } },
    },
  },
};

const LAMBDA_SQS = {
  StartAt: 'LambdaState',
  States: {
    LambdaState: {
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke',
      Parameters: { FunctionName: 'f', 'Payload.$': '$' },
      Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 2, MaxAttempts: 3, BackoffRate: 2 }],
      Next: 'SQSState',
    },
    SQSState: {
      Type: 'Task',
      Resource: 'arn:aws:states:::sqs:sendMessage',
      Parameters: { QueueUrl: 'q', 'MessageBody.$': '$' },
      End: true,
    },
  },
};

async function runCase(testCase: string): Promise<Simulation> {
  const { plan } = readMockConfig(CONFIG, 'MockConfigFile.json', {
    machine: 'LambdaSQSIntegration',
    testCase,
  });
  return simulate({ definition: LAMBDA_SQS, input: {}, mocks: responderOf(plan) });
}

describe("AWS's MockConfigFile.json", () => {
  it('answers call by call, ranges included, through the retries', async () => {
    const run = await runCase('RetryPath');
    expect(run.output).toEqual({ MessageId: 'm' });
    expect(run.calls.map(({ state, attempt }) => `${state} ${attempt}`)).toEqual([
      'LambdaState 0',
      'LambdaState 1',
      'LambdaState 2',
      'LambdaState 3',
      'SQSState 0',
    ]);
    expect(run.tookMs).toBe(14_000);
    const failed = run.history.filter((event) => event.type === 'TaskFailed');
    expect(failed.map((event) => event.details?.value.error)).toEqual([
      'Lambda.ResourceNotReadyException',
      'Lambda.TimeoutException',
      'Lambda.TimeoutException',
    ]);
  });

  it('counts the calls of a state over its iterations, as Step Functions Local does', async () => {
    const definition = {
      StartAt: 'All',
      States: {
        All: {
          Type: 'Map',
          ItemProcessor: {
            StartAt: 'Call',
            States: { Call: { Type: 'Task', Resource: 'local:call', End: true } },
          },
          End: true,
        },
      },
    };
    const config = {
      StateMachines: { M: { TestCases: { Both: { Call: 'Seq' } } } },
      MockedResponses: { Seq: { '0': { Return: 'a' }, '1': { Return: 'b' } } },
    };
    const { plan } = readMockConfig(config, 'f', { machine: 'M', testCase: null });
    const run = await simulate({ definition, input: [1, 2], mocks: responderOf(plan) });
    expect(run.output).toEqual(['a', 'b']);
    const again = await simulate({ definition, input: [1, 2, 3], mocks: responderOf(plan) });
    expect(again.error).toBe('Simulation.MocksExhausted');
  });

  it('leaves states without a response to others', async () => {
    const run = await runCase('HybridPath');
    expect(run.error).toBe('Simulation.NotMocked');
    expect(run.pathTaken).toEqual(['LambdaState', 'SQSState']);
  });

  it('lists its cases and names what is wrong with a file', () => {
    expect(testCasesOf(CONFIG)).toHaveLength(3);
    const refused = (value: Json, testCase: string | null): string => {
      try {
        readMockConfig(value, 'f.json', { machine: null, testCase });
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refused(CONFIG, 'HapyPath')).toContain('Did you mean "HappyPath"?');
    const wrong = {
      StateMachines: { M: { TestCases: { A: { S: 'Nope' } } } },
      MockedResponses: { Note: { '0': { Return: 1, Throw: {} }, x: { Return: 1 } } },
    };
    const message = refused(wrong, 'A');
    expect(message).toContain(
      '/StateMachines/M/TestCases/A/S: MockedResponses has no "Nope". Did you mean "Note"?',
    );
    expect(message).toContain('/MockedResponses/Note/0: Needs either "Return" or "Throw"');
    expect(message).toContain('/MockedResponses/Note/x: A key is the number of a call');
  });
});

const TASK = (resource: string, more: JsonObject = {}): JsonObject => ({
  StartAt: 'Call',
  States: { Call: { Type: 'Task', Resource: resource, End: true, ...more } },
});

async function withMocks(
  mocks: Json,
  options: { definition?: JsonObject; input?: Json; functions?: Record<string, MockFunction> } = {},
): Promise<Simulation> {
  const { definition = TASK('local:call'), input = {}, functions = {} } = options;
  const { plan } = readMockFile(mocks, 'mocks.yaml', new Map(Object.entries(functions)));
  return simulate({ definition, input, mocks: responderOf(plan) });
}

const mapOver = (state: JsonObject): JsonObject => ({
  StartAt: 'All',
  States: {
    All: {
      Type: 'Map',
      ItemProcessor: {
        StartAt: 'Call',
        States: { Call: { Type: 'Task', Resource: 'local:call', End: true, ...state } },
      },
      End: true,
    },
  },
});

describe('our mock files', () => {
  it('answer by attempt', async () => {
    const definition = TASK('local:call', {
      Retry: [{ ErrorEquals: ['Busy'], IntervalSeconds: 1, MaxAttempts: 5, BackoffRate: 1 }],
    });
    const attempts = { '0-1': { throw: 'Busy', after: '500ms' }, '2+': { return: 'ok' } };
    const run = await withMocks({ states: { Call: { attempts } } }, { definition });
    expect([run.output, run.tookMs]).toEqual(['ok', 3000]);
  });

  it('answer by input, partly or in JSONata, the first rule that fits', async () => {
    const mocks = {
      states: {
        Call: [
          { when: { customer: { tier: 'gold' } }, return: 'gold' },
          { when: '{% $input.amount > 100 %}', return: 'large' },
          { return: 'else' },
        ],
      },
    };
    const outputs = [];
    for (const input of [
      { customer: { tier: 'gold', id: 1 }, amount: 1 },
      { amount: 101 },
      { amount: 100 },
    ]) {
      outputs.push((await withMocks(mocks, { input })).output);
    }
    expect(outputs).toEqual(['gold', 'large', 'else']);
  });

  it('answer by index and by item of the iteration', async () => {
    const mocks = {
      states: {
        Call: [
          { item: { id: 'c' }, return: 'the c' },
          { index: { All: '0-1' }, compute: '{% $input.id & $index %}' },
          { index: '3+', payload: 'late' },
          { return: 'never' },
        ],
      },
    };
    const input = ['a', 'b', 'c', 'd'].map((id) => ({ id }));
    const run = await withMocks(mocks, { definition: mapOver({}), input });
    expect(run.output).toEqual(['a0', 'b1', 'the c', 'late']);
  });

  it('answer in sequence: the last one again, from the start, or not at all', async () => {
    const sequence = [{ return: 1, times: 2 }, { return: 2 }];
    const outputs = async (last: Json) =>
      (
        await withMocks(
          { states: { Call: { sequence, last } } },
          { definition: mapOver({}), input: [0, 0, 0, 0] },
        )
      ).output;
    expect(await outputs('repeat')).toEqual([1, 1, 2, 2]);
    expect(await outputs('cycle')).toEqual([1, 1, 2, 1]);
    expect(await outputs('fail')).toBeUndefined();
  });

  it('stay silent, beat, wait, and leave activities alone', async () => {
    const silent = await withMocks(
      { states: { Call: { hang: true, heartbeatEvery: 20 } } },
      { definition: TASK('local:call', { TimeoutSeconds: 100, HeartbeatSeconds: 30 }) },
    );
    expect([silent.error, silent.tookMs]).toEqual(['States.Timeout', 100_000]);
    const activity = TASK('arn:aws:states:us-east-1:1:activity:a', { TimeoutSeconds: 60 });
    const unpolled = await withMocks(
      { states: { Call: { unpolled: true } } },
      { definition: activity },
    );
    expect(unpolled.history.map(({ type }) => type)).not.toContain('ActivityStarted');
    expect(unpolled.error).toBe('States.Timeout');
  });

  it('call functions, whose errors are the errors of the task', async () => {
    const functions = {
      double: (input: Json) => ({ twice: (input as { n: number }).n * 2 }),
      refuse: () => {
        const error = new Error('no more');
        error.name = 'SoldOut';
        throw error;
      },
    };
    const good = await withMocks(
      { states: { Call: { function: 'double' } } },
      { functions, input: { n: 4 } },
    );
    expect(good.output).toEqual({ twice: 8 });
    const bad = await withMocks({ states: { Call: { function: 'refuse' } } }, { functions });
    expect([bad.error, bad.cause]).toEqual(['SoldOut', 'no more']);
  });

  it('speak of resources as well as of states', async () => {
    const mocks = { resources: { 'sns:*': { return: { MessageId: 'x' } } } };
    const run = await withMocks(mocks, { definition: TASK('arn:aws:states:::sns:publish') });
    expect(run.output).toEqual({ MessageId: 'x' });
  });

  it('name the place and the mend of every mistake', () => {
    const refused = (value: Json): readonly string[] => {
      try {
        readMockFile(value, 'm.yaml');
        return [];
      } catch (error) {
        return (error as FileProblems).problems.map(
          ({ pointer, message }) => `${pointer}: ${message}`,
        );
      }
    };
    expect(refused({ stats: {} })[0]).toBe(
      '/stats: There is no "stats" here. Did you mean "states"?',
    );
    expect(refused({ states: { A: {} } })[0]).toMatch(/^\/states\/A: Needs exactly one of return/);
    expect(refused({ states: { A: { return: 1, throw: 'X' } } })[0]).toContain(
      'There are return and throw',
    );
    expect(refused({ states: { A: [{ return: 1, after: 'soon' }] } })[0]).toContain(
      '/states/A/0/after',
    );
    expect(refused({ states: { 'a/b': { attempts: { '2-1': { return: 1 } } } } })[0]).toContain(
      '/states/a~1b/attempts/2-1',
    );
    expect(refused({ states: { A: { when: '{% ( %}', return: 1 } } })[0]).toContain(
      'Not a JSONata',
    );
    expect(refused({ states: { A: { function: 'nope' } } })[0]).toContain(
      'There is no function "nope"',
    );
  });

  it('warn of rules that never answer', () => {
    const { warnings } = readMockFile({ states: { A: [{ return: 1 }, { return: 2 }] } }, 'm.yaml');
    expect(warnings.map(({ pointer }) => pointer)).toEqual(['/states/A/1']);
  });
});

describe('mocks against their machine', () => {
  it('must name states that call something', () => {
    const { plan } = readMockFile(
      { states: { LamdaState: { return: 1 }, SQSState: { return: { MessageId: 3 } } } },
      'm.yaml',
    );
    const found = (mode: 'NONE' | 'STRICT') =>
      checkPlan(plan, LAMBDA_SQS, mode).map(({ pointer, message }) => `${pointer}: ${message}`);
    expect(found('NONE')).toEqual([
      '/states/LamdaState: The machine has no state "LamdaState". Did you mean "LambdaState"?',
    ]);
    expect(found('STRICT')[1]).toContain("Field 'MessageId' must be a string");
  });
});

describe('durations', () => {
  it('are seconds or texts with units, and come back as the shortest text', () => {
    expect(['250ms', '1h 30m', '30d', 1.5, 0].map(parseDuration)).toEqual([
      250, 5_400_000, 2_592_000_000, 1500, 0,
    ]);
    expect(['', 'soon', -1, '400d', '1w', null].map(parseDuration)).toEqual(Array(6).fill(null));
    for (const ms of [0, 1, 1500, 90_000, 86_400_000])
      expect(parseDuration(formatDuration(ms))).toBe(ms);
  });
});
