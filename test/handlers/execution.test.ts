import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createExecutionHandler } from '../../src/handlers/execution.js';
import { createExecutionActions } from '../../src/handlers/execution-actions.js';
import type { ExecutionService } from '../../src/handlers/execution-service.js';
import { ANSWERED, CANCELLED, type HandlerContext, SHUTDOWN } from '../../src/handlers/handler.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { createWorld, failureOf, type World } from './world.js';

const CHILD = 'arn:aws:states:us-east-1:1:execution:Child:name';
const MACHINE = 'arn:aws:states:us-east-1:1:stateMachine:Child';

let world: World;
let service: ScriptedService;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());
beforeEach(() => {
  service = new ScriptedService();
});

class ScriptedService implements ExecutionService {
  readonly calls: [string, JsonObject][] = [];
  answers: Record<string, JsonObject | Error> = {
    StartExecution: { executionArn: CHILD, startDate: 1_700_000_000.5 },
    DescribeExecution: {
      executionArn: CHILD,
      stateMachineArn: MACHINE,
      name: 'name',
      status: 'SUCCEEDED',
      startDate: 1_700_000_000.5,
      stopDate: 1_700_000_001,
      input: '{}',
      inputDetails: { included: true },
      output: '{"Arg1":"argument1"}',
      outputDetails: { included: true },
      redriveCount: 0,
      redriveStatus: 'NOT_REDRIVABLE',
      redriveStatusReason: 'Execution is SUCCEEDED and cannot be redriven',
    },
    StopExecution: { stopDate: 1 },
  };
  over = true;

  async call(operation: string, members: JsonObject): Promise<JsonObject> {
    this.calls.push([operation, members]);
    const answer = this.answers[operation] ?? {};
    if (answer instanceof Error) throw answer;
    return answer;
  }

  ended(_arn: string, signal: AbortSignal): Promise<void> {
    if (this.over) return Promise.resolve();
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  }
}

function refused(code: string, message: string): Error {
  return Object.assign(new Error(message), { name: 'ApiError', code });
}

function run(
  suffix: string,
  parameters: Json,
  changes: Partial<HandlerContext> = {},
): Promise<Json> {
  const context = world.context(world.config({}));
  const task = { ...context.task, resource: `arn:aws:states:::states:startExecution${suffix}` };
  return createExecutionHandler(Promise.resolve(service)).run(parameters, {
    ...context,
    task,
    ...changes,
  });
}

describe('states:startExecution', () => {
  it('a null input starts the child with its default, JSON becomes text, text stays', async () => {
    for (const Input of [null, { a: 1 }, '{"b":2}']) {
      await run('', { StateMachineArn: MACHINE, Input, Name: 'name' });
    }
    expect(service.calls.map(([, members]) => members.input)).toEqual([
      undefined,
      '{"a":1}',
      '{"b":2}',
    ]);
  });

  it('gives what AWS answers, with metadata', async () => {
    const result = await run('', { StateMachineArn: MACHINE, Name: 'name' });
    expect(result).toMatchObject({
      ExecutionArn: CHILD,
      SdkHttpMetadata: {
        HttpHeaders: { connection: 'keep-alive', 'Content-Type': 'application/x-amz-json-1.0' },
        HttpStatusCode: 200,
      },
      StartDate: 1_700_000_000_500,
    });
    expect(Object.keys(result as JsonObject)).toEqual([
      'ExecutionArn',
      'SdkHttpMetadata',
      'SdkResponseMetadata',
      'StartDate',
    ]);
  });

  it('a child without a name gets one that a re-run repeats and another attempt does not', async () => {
    await run('', { StateMachineArn: MACHINE });
    await run('', { StateMachineArn: MACHINE });
    await run('', { StateMachineArn: MACHINE }, { idempotencyKey: 'next attempt' });
    const [first, again, next] = service.calls.map(([, members]) => members.name);
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(again).toBe(first);
    expect(next).not.toBe(first);
  });

  it('a child of that name that is over already is the one an earlier run started', async () => {
    service.answers.StartExecution = refused(
      'ExecutionAlreadyExists',
      `Execution Already Exists: '${CHILD}'`,
    );
    expect(await run('', { StateMachineArn: MACHINE })).toMatchObject({ ExecutionArn: CHILD });
    const failure = await failureOf(run('', { StateMachineArn: MACHINE, Name: 'name' }));
    expect(failure.error).toBe('StepFunctions.ExecutionAlreadyExistsException');
  });

  it('a refusal has the words of the older SDK (recorded)', async () => {
    service.answers.StartExecution = refused(
      'StateMachineDoesNotExist',
      `State Machine Does Not Exist: '${MACHINE}'`,
    );
    const failure = await failureOf(run('', { StateMachineArn: MACHINE, Name: 'name' }));
    expect(failure.error).toBe('StepFunctions.StateMachineDoesNotExistException');
    expect(failure.reason).toMatch(
      /^State Machine Does Not Exist: '.+' \(Service: AWSStepFunctions; Status Code: 400; Error Code: StateMachineDoesNotExist; Request ID: [\w-]+; Proxy: null\)$/,
    );
  });
});

describe('states:startExecution.sync', () => {
  it('records the start and gives the description, input and output as text', async () => {
    const submitted: Json[] = [];
    const result = await run(
      '.sync',
      { StateMachineArn: MACHINE, Name: 'name' },
      { submitted: async (output) => void submitted.push(output) },
    );
    expect(submitted).toMatchObject([{ ExecutionArn: CHILD }]);
    expect(JSON.stringify(result)).toBe(
      JSON.stringify({
        ExecutionArn: CHILD,
        Input: '{}',
        InputDetails: { Included: true },
        Name: 'name',
        Output: '{"Arg1":"argument1"}',
        OutputDetails: { Included: true },
        RedriveCount: 0,
        RedriveStatus: 'NOT_REDRIVABLE',
        RedriveStatusReason: 'Execution is SUCCEEDED and cannot be redriven',
        StartDate: 1_700_000_000_500,
        StateMachineArn: MACHINE,
        Status: 'SUCCEEDED',
        StopDate: 1_700_000_001_000,
      }),
    );
  });

  it('.sync:2 parses them', async () => {
    const result = await run('.sync:2', { StateMachineArn: MACHINE });
    expect(result).toMatchObject({ Input: {}, Output: { Arg1: 'argument1' } });
  });

  it('a failed child fails the task with its description', async () => {
    service.answers.DescribeExecution = {
      executionArn: CHILD,
      status: 'TIMED_OUT',
      error: 'States.Timeout',
      input: '{"Payload":null}',
    };
    const failure = await failureOf(run('.sync', { StateMachineArn: MACHINE }));
    expect(failure.error).toBe('States.TaskFailed');
    expect(failure.reason).toBe(
      `{"Error":"States.Timeout","ExecutionArn":"${CHILD}",` +
        '"Input":"{\\"Payload\\":null}","Status":"TIMED_OUT"}',
    );
  });

  it('a re-run that finds its submission starts nothing', async () => {
    await run('.sync', { StateMachineArn: MACHINE }, { submission: { ExecutionArn: CHILD } });
    expect(service.calls.map(([operation]) => operation)).toEqual(['DescribeExecution']);
  });

  it.each([
    ['a cancelled task stops its child', CANCELLED, true],
    ['a stopping worker leaves the child running', SHUTDOWN, false],
    ['a task token that answers early leaves the child running', ANSWERED, false],
  ])('%s', async (_claim, reason, stops) => {
    service.over = false;
    const abort = new AbortController();
    const running = run('.sync', { StateMachineArn: MACHINE }, { signal: abort.signal });
    setTimeout(() => abort.abort(reason), 5);
    await expect(running).rejects.toBe(reason);
    expect(service.calls.some(([operation]) => operation === 'StopExecution')).toBe(stops);
  });

  it('a task cancelled while the child starts stops it', async () => {
    const abort = new AbortController();
    const call = service.call.bind(service);
    service.call = async (operation, members) => {
      if (operation === 'StartExecution') abort.abort(CANCELLED);
      return call(operation, members);
    };
    await expect(run('.sync', { StateMachineArn: MACHINE }, { signal: abort.signal })).rejects.toBe(
      CANCELLED,
    );
    expect(service.calls.at(-1)).toEqual(['StopExecution', { executionArn: CHILD }]);
  });
});

describe('aws-sdk:sfn without AWS', () => {
  const act = (action: string, parameters: Json): Promise<Json> =>
    createExecutionActions(Promise.resolve(service))(
      action,
      parameters,
      world.context(world.config({})),
    );

  it('serves the action here, in the shapes of the newer SDK', async () => {
    const result = await act('startExecution', {
      StateMachineArn: MACHINE,
      Input: { key: 'value' },
    });
    expect(service.calls[0]).toMatchObject([
      'StartExecution',
      { stateMachineArn: MACHINE, input: '{"key":"value"}' },
    ]);
    expect(result).toEqual({ ExecutionArn: CHILD, StartDate: '2023-11-14T22:13:20.500Z' });
  });

  it('lists and nested members get capitals', async () => {
    service.answers.ListExecutions = {
      executions: [{ executionArn: CHILD, startDate: 1_700_000_000 }],
    };
    expect(await act('listExecutions', { StateMachineArn: MACHINE })).toEqual({
      Executions: [{ ExecutionArn: CHILD, StartDate: '2023-11-14T22:13:20Z' }],
    });
  });

  it('refuses in the words of the newer SDK (recorded)', async () => {
    service.answers.SendTaskSuccess = refused('InvalidToken', "Invalid Token: 'Invalid token'");
    const failure = await failureOf(act('sendTaskSuccess', { TaskToken: 'x', Output: '{}' }));
    expect(failure.error).toBe('Sfn.InvalidTokenException');
    expect(failure.reason).toMatch(
      /^Invalid Token: 'Invalid token' \(Service: Sfn, Status Code: 400, Request ID: [\w-]+\) \(SDK Attempt Count: 1\)$/,
    );
  });
});
