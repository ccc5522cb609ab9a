import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  call,
  createMachine,
  FAIL,
  type Harness,
  PASS,
  runToEnd,
  startHarness,
  uniqueName,
  WAIT,
} from './harness.js';

let server: Harness;
beforeAll(async () => {
  server = await startHarness({ config: { activityPollMs: 100 } });
});
afterAll(() => server.close());
const api = (operation: string, members: unknown = {}) => call(server.url, operation, members);

describe('StartExecution', () => {
  test('is idempotent by name and input while it runs', async () => {
    const stateMachineArn = await createMachine(server.url, WAIT);
    const request = { stateMachineArn, name: 'n', input: '{"a": 1}' };
    const first = await api('StartExecution', request);
    const second = await api('StartExecution', { ...request, input: '{"a":1}' });
    expect(second.body).toEqual(first.body);
    const other = await api('StartExecution', { ...request, input: '{"a":2}' });
    expect(other.body).toMatchObject({
      __type: 'ExecutionAlreadyExists',
      message: `Execution Already Exists: '${first.body.executionArn}'`,
    });
    await api('StopExecution', { executionArn: first.body.executionArn, error: 'E', cause: 'C' });
    const closed = await api('StartExecution', request);
    expect(closed.body.__type).toBe('ExecutionAlreadyExists');
    const stopped = await api('DescribeExecution', { executionArn: first.body.executionArn });
    expect(stopped.body).toMatchObject({ status: 'ABORTED', error: 'E', cause: 'C' });
  });

  test('words a broken input as Jackson does', async () => {
    const stateMachineArn = await createMachine(server.url);
    const { body } = await api('StartExecution', { stateMachineArn, input: 'not json' });
    expect(body.__type).toBe('InvalidExecutionInput');
    expect(body.message).toBe(
      "Invalid State Machine Execution Input: 'Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: (String)\"not json\"; line: 1, column: 4]'",
    );
  });

  test('refuses labelled ARNs with a reason', async () => {
    const stateMachineArn = `${await createMachine(server.url)}/label`;
    const { body } = await api('StartExecution', { stateMachineArn });
    expect(body.reason).toBe('API_DOES_NOT_SUPPORT_LABELED_ARNS');
  });

  test('takes an input slightly above 262,144 bytes, and no more', async () => {
    const stateMachineArn = await createMachine(server.url, WAIT);
    const start = (length: number) =>
      api('StartExecution', { stateMachineArn, input: JSON.stringify('x'.repeat(length)) });
    expect((await start(262_150)).status).toBe(200);
    expect((await start(300_000)).body.__type).toMatch(/ValidationException/);
  });
});

describe('what an execution is asked', () => {
  test('DescribeExecution with METADATA_ONLY leaves the data out', async () => {
    const machine = await createMachine(server.url);
    const { executionArn } = await runToEnd(server.url, machine, '{"secret":1}');
    const { body } = await api('DescribeExecution', {
      executionArn,
      includedData: 'METADATA_ONLY',
    });
    expect(body).toMatchObject({
      inputDetails: { included: false },
      outputDetails: { included: false },
    });
    expect(JSON.stringify(body)).not.toContain('secret');
    const history = await api('GetExecutionHistory', { executionArn, includeExecutionData: false });
    expect(JSON.stringify(history.body)).not.toContain('secret');
  });

  test('dates are epoch seconds with milliseconds', async () => {
    const machine = await createMachine(server.url);
    const { startDate } = await runToEnd(server.url, machine);
    expect(Math.abs(startDate * 1000 - Date.now())).toBeLessThan(60_000);
    expect(Math.round(startDate * 1000)).toBe(startDate * 1000);
  });

  test('StopExecution of one that is over answers when it ended', async () => {
    const machine = await createMachine(server.url);
    const { executionArn, stopDate } = await runToEnd(server.url, machine);
    expect((await api('StopExecution', { executionArn })).body).toEqual({ stopDate });
  });

  test('one that nobody started does not exist', async () => {
    const machine = await createMachine(server.url);
    const executionArn = `${machine.replace('stateMachine', 'execution')}:none`;
    for (const operation of [
      'DescribeExecution',
      'GetExecutionHistory',
      'StopExecution',
      'RedriveExecution',
      'ListMapRuns',
      'DescribeStateMachineForExecution',
    ]) {
      const { body } = await api(operation, { executionArn });
      expect([operation, body.message]).toEqual([
        operation,
        `Execution Does Not Exist: '${executionArn}'`,
      ]);
    }
  });
});

describe('RedriveExecution', () => {
  test('goes on from the failure; the same client token does it once', async () => {
    const machine = await createMachine(server.url, FAIL);
    const { executionArn } = await runToEnd(server.url, machine);
    const first = await api('RedriveExecution', { executionArn, clientToken: 't' });
    const second = await api('RedriveExecution', { executionArn, clientToken: 't' });
    expect([first.status, second.body]).toEqual([200, first.body]);
    const { body } = await api('DescribeExecution', { executionArn });
    expect(body).toMatchObject({ redriveCount: 1, redriveDate: first.body.redriveDate });
  });

  test('is refused for one that succeeded or runs', async () => {
    const machine = await createMachine(server.url);
    const { executionArn } = await runToEnd(server.url, machine);
    const { body } = await api('RedriveExecution', { executionArn });
    expect(body).toMatchObject({
      __type: 'ExecutionNotRedrivable',
      message: 'Execution is SUCCEEDED and cannot be redriven',
    });
  });
});

describe('Express machines', () => {
  test('StartSyncExecution answers 200 also when the execution failed', async () => {
    const good = await createMachine(server.url, PASS, { type: 'EXPRESS' });
    const bad = await createMachine(server.url, FAIL, { type: 'EXPRESS' });
    const first = await api('StartSyncExecution', { stateMachineArn: good, name: 'n' });
    expect(first.body).toMatchObject({
      status: 'SUCCEEDED',
      name: 'n',
      output: '{"done":true}',
      outputDetails: { included: true },
      billingDetails: { billedMemoryUsedInMB: 64 },
    });
    expect(first.body.billingDetails.billedDurationInMilliseconds % 100).toBe(0);
    const again = await api('StartSyncExecution', { stateMachineArn: good, name: 'n' });
    expect(again.body.executionArn).not.toBe(first.body.executionArn);
    const second = await api('StartSyncExecution', { stateMachineArn: bad });
    expect(second).toMatchObject({ status: 200, body: { status: 'FAILED', error: 'Oops' } });
  });

  test('have no executions to look at', async () => {
    const machine = await createMachine(server.url, PASS, { type: 'EXPRESS' });
    const { body } = await api('StartExecution', { stateMachineArn: machine });
    expect(body.executionArn).toMatch(/:express:/);
    const described = await api('DescribeExecution', { executionArn: body.executionArn });
    expect(described.body.message).toBe(
      "Invalid Arn: 'Resource type not valid in this context: express'",
    );
    const listed = await api('ListExecutions', { stateMachineArn: machine });
    expect(listed.body.__type).toBe('StateMachineTypeNotSupported');
  });
});

describe('activities', () => {
  test('a task at one that does not exist fails before it is scheduled', async () => {
    const activityArn = `arn:aws:states:us-east-1:123456789012:activity:${uniqueName('gone')}`;
    const machine = await createMachine(
      server.url,
      JSON.stringify({
        StartAt: 'A',
        States: { A: { Type: 'Task', Resource: activityArn, End: true } },
      }),
    );
    const { executionArn, error, cause } = await runToEnd(server.url, machine);
    expect({ error, cause }).toEqual({
      error: 'States.Runtime',
      cause: `An error occurred while executing the state 'A' (entered at the event id #2). The activity ${activityArn} does not exist.`,
    });
    const { events } = (await api('GetExecutionHistory', { executionArn })).body;
    expect(
      events.map((event: { type: string; previousEventId: number }) => [
        event.type,
        event.previousEventId,
      ]),
    ).toEqual([
      ['ExecutionStarted', 0],
      ['TaskStateEntered', 0],
      ['ExecutionFailed', 2],
    ]);
  });

  test('a worker gets the task, answers it, and cannot answer twice', async () => {
    const name = uniqueName('activity');
    const { body: activity } = await api('CreateActivity', { name });
    const again = await api('CreateActivity', { name });
    expect(again.body).toEqual(activity);
    const idle = await api('GetActivityTask', { activityArn: activity.activityArn });
    expect(idle.body).toEqual({ taskToken: null });
    const machine = await createMachine(
      server.url,
      JSON.stringify({
        StartAt: 'A',
        States: { A: { Type: 'Task', Resource: activity.activityArn, End: true } },
      }),
    );
    const started = await api('StartExecution', { stateMachineArn: machine, input: '{"x":1}' });
    const task = await api('GetActivityTask', {
      activityArn: activity.activityArn,
      workerName: 'w',
    });
    expect(task.body.input).toBe('{"x":1}');
    const { taskToken } = task.body;
    expect((await api('SendTaskHeartbeat', { taskToken })).status).toBe(200);
    const broken = await api('SendTaskSuccess', { taskToken, output: 'nope' });
    expect(broken.body.__type).toBe('InvalidOutput');
    expect((await api('SendTaskSuccess', { taskToken, output: '{"y":2}' })).body).toEqual({});
    const late = await api('SendTaskFailure', { taskToken });
    expect(late.body).toMatchObject({
      __type: 'TaskTimedOut',
      message: "Task Timed Out: 'Provided task does not exist anymore'",
    });
    const done = await api('DescribeExecution', { executionArn: started.body.executionArn });
    expect(done.body).toMatchObject({ status: 'SUCCEEDED', output: '{"y":2}' });
  });

  test('a token that is none of ours is InvalidToken', async () => {
    for (const operation of ['SendTaskHeartbeat', 'SendTaskFailure']) {
      const { body } = await api(operation, { taskToken: 'nonsense' });
      expect(body.message).toBe("Invalid Token: 'Invalid token'");
    }
  });
});

test('Map Runs are documents: described, listed, updated while they run', async () => {
  const machine = await createMachine(server.url, WAIT);
  const { body } = await api('StartExecution', { stateMachineArn: machine });
  const { executionArn } = body;
  const name = machine.split(':').at(-1);
  const mapRunArn = `arn:aws:states:us-east-1:123456789012:mapRun:${name}/label:1`;
  const counts = {
    pending: 0,
    running: 1,
    succeeded: 0,
    failed: 0,
    timedOut: 0,
    aborted: 0,
    total: 1,
    resultsWritten: 0,
  };
  const run = {
    arn: mapRunArn,
    executionArn,
    stateMachineArn: `${machine}/label`,
    status: 'RUNNING',
    startedAt: 1_700_000_000_000,
    stoppedAt: null,
    maxConcurrency: 0,
    toleratedFailurePercentage: 0,
    toleratedFailureCount: 0,
    itemCounts: counts,
    executionCounts: counts,
    redriveCount: 0,
    redrivenAt: null,
  };
  await server.store.documents.put('map-run', mapRunArn, run, null);
  const listed = await api('ListMapRuns', { executionArn });
  expect(listed.body.mapRuns).toEqual([
    { executionArn, mapRunArn, stateMachineArn: `${machine}/label`, startDate: 1_700_000_000 },
  ]);
  expect((await api('UpdateMapRun', { mapRunArn })).body.reason).toBe('MISSING_REQUIRED_PARAMETER');
  expect((await api('UpdateMapRun', { mapRunArn, maxConcurrency: 5 })).body).toEqual({});
  const described = await api('DescribeMapRun', { mapRunArn });
  expect(described.body).toMatchObject({
    status: 'RUNNING',
    maxConcurrency: 5,
    itemCounts: counts,
  });
  await server.store.documents.put('map-run', mapRunArn, { ...run, status: 'FAILED' }, 'any');
  const late = await api('UpdateMapRun', { mapRunArn, maxConcurrency: 6 });
  expect(late.body.reason).toBe('CANNOT_UPDATE_COMPLETED_MAP_RUN');
  const none = await api('DescribeMapRun', { mapRunArn: `${mapRunArn}0` });
  expect(none.body.__type).toBe('ResourceNotFound');
  await api('StopExecution', { executionArn });
});
