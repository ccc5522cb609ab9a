/** The AWS SDK for JavaScript, unchanged, against a signed server over SQLite. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateStateMachineCommand,
  DeleteStateMachineCommand,
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListStateMachinesCommand,
  paginateGetExecutionHistory,
  SFNClient,
  StartExecutionCommand,
  StartSyncExecutionCommand,
  StateMachineDoesNotExist,
  DescribeStateMachineCommand,
  GetActivityTaskCommand,
  CreateActivityCommand,
  ListExecutionsCommand,
} from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SqliteStore } from '../../src/store/sqlite.js';
import { FAIL, type Harness, PASS, ROLE, startHarness, uniqueName } from '../api/harness.js';

const accessKey = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG' };
let folder: string;
let server: Harness;
let client: SFNClient;

function clientFor(secretAccessKey: string, more: object = {}): SFNClient {
  return new SFNClient({
    endpoint: server.url,
    region: 'us-east-1',
    credentials: { ...accessKey, secretAccessKey },
    maxAttempts: 1,
    ...more,
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepwell-sdk-'));
  const store = await SqliteStore.open(join(folder, 'sdk.db'));
  server = await startHarness({ store, config: { accessKeys: [accessKey], activityPollMs: 200 } });
  client = clientFor(accessKey.secretAccessKey);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

async function create(definition: string, type: 'STANDARD' | 'EXPRESS' = 'STANDARD') {
  const name = uniqueName('sdk');
  const command = new CreateStateMachineCommand({ name, definition, roleArn: ROLE, type });
  return (await client.send(command)).stateMachineArn as string;
}

async function ended(executionArn: string) {
  for (;;) {
    const state = await client.send(new DescribeExecutionCommand({ executionArn }));
    if (state.status !== 'RUNNING') return state;
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

describe('the AWS SDK', () => {
  test('creates, starts, describes, pages, deletes; dates are dates', async () => {
    const stateMachineArn = await create(PASS);
    const start = new StartExecutionCommand({ stateMachineArn, input: '{"ü":"😀"}' });
    const { executionArn, startDate } = await client.send(start);
    expect(startDate).toBeInstanceOf(Date);
    const state = await ended(executionArn as string);
    expect(state).toMatchObject({
      status: 'SUCCEEDED',
      input: '{"ü":"😀"}',
      output: '{"done":true}',
    });
    expect((state.stopDate as Date).getTime()).toBeGreaterThanOrEqual(
      (state.startDate as Date).getTime(),
    );
    const ids: (number | undefined)[] = [];
    const pages = paginateGetExecutionHistory({ client, pageSize: 1 }, { executionArn });
    for await (const page of pages) ids.push(...(page.events ?? []).map((event) => event.id));
    expect(ids).toEqual([1, 2, 3, 4]);
    const { stateMachines } = await client.send(new ListStateMachinesCommand({}));
    expect(stateMachines?.map((machine) => machine.stateMachineArn)).toContain(stateMachineArn);
    await client.send(new DeleteStateMachineCommand({ stateMachineArn }));
  });

  test('gets the errors as its own classes', async () => {
    const stateMachineArn = 'arn:aws:states:us-east-1:123456789012:stateMachine:none';
    const describe = client.send(new DescribeStateMachineCommand({ stateMachineArn }));
    await expect(describe).rejects.toBeInstanceOf(StateMachineDoesNotExist);
    const list = client.send(new ListExecutionsCommand({ stateMachineArn, maxResults: 1001 }));
    await expect(list).rejects.toMatchObject({
      name: 'ValidationException',
      $fault: 'client',
      message: expect.stringContaining("Value '1001' at 'maxResults'"),
    });
  });

  test('is refused with a wrong secret, an old clock and no key', async () => {
    const list = new ListStateMachinesCommand({});
    await expect(clientFor('wrong').send(list)).rejects.toMatchObject({
      name: 'InvalidSignatureException',
    });
    const unknown = clientFor('x', { credentials: { accessKeyId: 'X', secretAccessKey: 'x' } });
    await expect(unknown.send(list)).rejects.toMatchObject({ name: 'UnrecognizedClientException' });
    const late = clientFor(accessKey.secretAccessKey, { systemClockOffset: -3_600_000 });
    await expect(late.send(list)).rejects.toMatchObject({ name: 'InvalidSignatureException' });
  });

  test('calls StartSyncExecution with the sync- prefix and without it', async () => {
    const stateMachineArn = await create(FAIL, 'EXPRESS');
    const command = new StartSyncExecutionCommand({ stateMachineArn });
    const plain = clientFor(accessKey.secretAccessKey, { disableHostPrefix: true });
    expect(await plain.send(command)).toMatchObject({ status: 'FAILED', error: 'Oops' });
    // `sync-states.localhost` is this machine wherever names below .localhost are resolved as RFC 6761 says.
    const { port } = new URL(server.url);
    const endpoint = `http://states.localhost:${port}`;
    const prefixed = clientFor(accessKey.secretAccessKey, { endpoint });
    const answer = await prefixed.send(command).catch((error: Error) => error);
    if (answer instanceof Error) expect(answer.message).toMatch(/ENOTFOUND|EAI_AGAIN/);
    else expect(answer).toMatchObject({ status: 'FAILED' });
  });

  test('polls an activity that has nothing to do', async () => {
    const { activityArn } = await client.send(new CreateActivityCommand({ name: uniqueName('a') }));
    const task = await client.send(new GetActivityTaskCommand({ activityArn }));
    expect(task.taskToken ?? null).toBeNull();
  });

  test('two hundred starts at once all happen once', async () => {
    const stateMachineArn = await create(PASS);
    const starts = [...Array(200)].map((_, i) =>
      client.send(new StartExecutionCommand({ stateMachineArn, name: `n${i % 100}` })).then(
        () => 'started',
        (error: Error) => error.name,
      ),
    );
    const results = await Promise.all(starts);
    expect(results.filter((one) => one === 'started').length).toBeGreaterThanOrEqual(100);
    expect(new Set(results).size).toBeLessThanOrEqual(2);
    const listed = await client.send(
      new ListExecutionsCommand({ stateMachineArn, maxResults: 1000 }),
    );
    expect(listed.executions?.length).toBe(100);
  });

  test('reads a history that a restart has survived', async () => {
    const stateMachineArn = await create(PASS);
    const started = await client.send(new StartExecutionCommand({ stateMachineArn }));
    const executionArn = started.executionArn as string;
    await ended(executionArn);
    const before = await client.send(new GetExecutionHistoryCommand({ executionArn }));
    await server.close();
    const store = await SqliteStore.open(join(folder, 'sdk.db'));
    server = await startHarness({
      store,
      config: { accessKeys: [accessKey], activityPollMs: 200 },
    });
    client = clientFor(accessKey.secretAccessKey);
    const after = await client.send(new GetExecutionHistoryCommand({ executionArn }));
    expect(after.events).toEqual(before.events);
    const machine = await client.send(new DescribeStateMachineCommand({ stateMachineArn }));
    expect(machine.definition).toBe(PASS);
  });
});
