import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cloudWatchLogs } from '../../src/api/logging/cloudwatch.js';
import { environmentLogSink } from '../../src/api/logging/environment.js';
import { isLogged } from '../../src/api/logging/records.js';
import type { LogRecord } from '../../src/api/logging/sink.js';
import type { JsonObject } from '../../src/lib/json.js';
import {
  call,
  createMachine,
  FAIL,
  type Harness,
  PASS,
  ROLE,
  runToEnd,
  startHarness,
} from './harness.js';

const GROUP = 'arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/here:*';

describe('a machine that logs', () => {
  let server: Harness;
  const records: JsonObject[] = [];
  let failing = false;
  beforeAll(async () => {
    server = await startHarness({
      logSink: {
        exists: async (arn) => arn === GROUP,
        publish: async (_arn, _stream, sent: readonly LogRecord[]) => {
          if (failing) throw new Error('unreachable');
          records.push(...sent.map((record) => record.body));
        },
      },
    });
  });
  afterAll(() => server.close());

  const logging = (level: string, includeExecutionData: boolean, logGroupArn = GROUP) => ({
    loggingConfiguration: {
      level,
      includeExecutionData,
      destinations: [{ cloudWatchLogsLogGroup: { logGroupArn } }],
    },
  });

  async function logged(definition: string, level: string, data: boolean, count: number) {
    records.length = 0;
    const machine = await createMachine(server.url, definition, logging(level, data));
    await runToEnd(server.url, machine, '{"a":1}');
    for (let i = 0; i < 100 && records.length < count; i++) {
      await new Promise((wake) => setTimeout(wake, 10));
    }
    return [...records];
  }

  test('sends every event at ALL, in order, in snake case', async () => {
    const sent = await logged(PASS, 'ALL', true, 4);
    expect(sent.map((record) => [record.id, record.type, record.previous_event_id])).toEqual([
      ['1', 'ExecutionStarted', '0'],
      ['2', 'PassStateEntered', '0'],
      ['3', 'PassStateExited', '2'],
      ['4', 'ExecutionSucceeded', '3'],
    ]);
    expect(sent[0]).toMatchObject({
      details: { input: '{"a":1}', inputDetails: { truncated: false }, roleArn: ROLE },
      redrive_count: '0',
      event_timestamp: expect.stringMatching(/^\d{13}$/),
    });
  });

  test('leaves the data out unless it is asked for', async () => {
    const sent = await logged(PASS, 'ALL', false, 4);
    expect(sent[0]?.details).toEqual({ roleArn: ROLE });
    expect(JSON.stringify(sent)).not.toContain('"a"');
  });

  test('sends failures only at ERROR and FATAL', async () => {
    expect((await logged(FAIL, 'ERROR', false, 2)).map((record) => record.type)).toEqual([
      'FailStateEntered',
      'ExecutionFailed',
    ]);
    expect((await logged(FAIL, 'FATAL', false, 1)).map((record) => record.type)).toEqual([
      'ExecutionFailed',
    ]);
  });

  test('runs on when the sink fails', async () => {
    failing = true;
    const machine = await createMachine(server.url, PASS, logging('ALL', true));
    expect((await runToEnd(server.url, machine)).status).toBe('SUCCEEDED');
    failing = false;
  });

  test('is refused when its group does not exist', async () => {
    const { body } = await call(server.url, 'CreateStateMachine', {
      name: 'nowhere',
      definition: PASS,
      roleArn: ROLE,
      ...logging('ALL', true, GROUP.replace('here', 'nowhere')),
    });
    expect(body.message).toBe('Invalid Logging Configuration: Log Destination not found.');
  });
});

test('levels follow the names of the events', () => {
  expect(isLogged('TaskTimedOut', 'ERROR')).toBe(true);
  expect(isLogged('TaskTimedOut', 'FATAL')).toBe(false);
  expect(isLogged('ExecutionTimedOut', 'FATAL')).toBe(true);
  expect(isLogged('ExecutionFailed', 'OFF')).toBe(false);
});

test('CloudWatch Logs is called with its own protocol, in batches below 1 MiB', async () => {
  const calls: { action: string; body: JsonObject; signed: boolean }[] = [];
  const fetchDouble = (async (
    _url: URL,
    init: { headers: Record<string, string>; body: string },
  ) => {
    const action = (init.headers['x-amz-target'] as string).split('.')[1] as string;
    const body = JSON.parse(init.body) as JsonObject;
    const signed = /\/logs\/aws4_request/.test(init.headers.authorization ?? '');
    calls.push({ action, body, signed });
    const groups = action === 'DescribeLogGroups' ? { logGroups: [{ logGroupName: '/a' }] } : {};
    return new Response(JSON.stringify(groups));
  }) as unknown as typeof fetch;
  const sink = cloudWatchLogs({
    endpoint: 'http://127.0.0.1:1',
    region: 'eu-west-1',
    accessKey: { accessKeyId: 'a', secretAccessKey: 'b' },
    fetch: fetchDouble,
  });
  expect(await sink.exists('arn:aws:logs:r:a:log-group:/a:*')).toBe(true);
  expect(await sink.exists('arn:aws:logs:r:a:log-group:/ab:*')).toBe(false);
  const large = { at: 1, body: { text: 'x'.repeat(400_000) } };
  await sink.publish('arn:aws:logs:r:a:log-group:/a:*', 's', [large, large, large]);
  const puts = calls.filter((one) => one.action === 'PutLogEvents');
  expect(puts.map((one) => (one.body.logEvents as unknown[]).length)).toEqual([2, 1]);
  expect(calls.every((one) => one.signed)).toBe(true);
});

test('no sink without an endpoint, whatever credentials there are', () => {
  expect(
    environmentLogSink({ AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }, fetch),
  ).toBeNull();
});
