/** The AWS JSON face: what is no request of ours is AWS's error, never a 5xx and never a hang. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPERATIONS } from '../../src/wire/operations.js';
import { call, createMachine, type Harness, readReply, ROLE, startHarness } from './harness.js';

let server: Harness;
const problems: unknown[] = [];
beforeAll(async () => {
  const log = {
    info: () => {},
    warn: (details: object) => problems.push(details),
    error: (details: object) => problems.push(details),
  };
  server = await startHarness({ log, config: { activityPollMs: 50 } });
});
afterAll(() => server.close());

describe('a request that is none', () => {
  test('of an unknown operation is UnknownOperationException', async () => {
    for (const target of ['Fly', 'constructor', '__proto__', 'toString']) {
      const reply = await call(server.url, target);
      expect([reply.status, reply.body.__type]).toEqual([
        400,
        'com.amazon.coral.service#UnknownOperationException',
      ]);
    }
  });

  test('of another content type is refused, so that no web page can send it unasked', async () => {
    for (const type of ['text/plain', 'application/json', 'application/x-www-form-urlencoded']) {
      const reply = await call(
        server.url,
        'ListActivities',
        {},
        { headers: { 'Content-Type': type } },
      );
      expect(reply.body.__type).toMatch(/UnknownOperationException$/);
    }
  });

  test.each([
    ['half a document', '{"name":'],
    ['no object', '[1]'],
    ['text', '"x"'],
    ['a depth bomb', '['.repeat(200_000)],
    ['a deep object', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`],
  ])('%s is SerializationException', async (_what, body) => {
    const reply = await call(server.url, 'ListActivities', {}, { body });
    expect([reply.status, reply.body.__type]).toEqual([
      400,
      'com.amazon.coral.service#SerializationException',
    ]);
  });

  test('bytes that are no UTF-8 are SerializationException', async () => {
    const body = new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]);
    const reply = await call(server.url, 'ListActivities', {}, { body });
    expect(reply.body.__type).toMatch(/SerializationException$/);
  });

  test('a body above 1 MiB is refused', async () => {
    const body = JSON.stringify({ name: 'x'.repeat(1_100_000) });
    const reply = await call(server.url, 'CreateActivity', {}, { body });
    expect([reply.status, reply.body.__type]).toEqual([
      400,
      'com.amazon.coral.service#SerializationException',
    ]);
  });

  test('an empty body is an empty input', async () => {
    const reply = await call(server.url, 'ListActivities', {}, { body: '' });
    expect(reply).toMatchObject({ status: 200, body: { activities: [] } });
  });
});

test('every answer has a request id and the content type of the protocol', async () => {
  const good = await call(server.url, 'ListActivities');
  const bad = await call(server.url, 'DescribeActivity', { activityArn: 'x' });
  for (const reply of [good, bad]) {
    expect(reply.headers.get('x-amzn-requestid')).toMatch(/^[0-9a-f-]{36}$/);
    expect(reply.headers.get('content-type')).toBe('application/x-amz-json-1.0');
    expect(reply.headers.get('x-powered-by')).toBeNull();
  }
  expect(bad.body.message).toBe("Invalid Arn: 'Invalid ARN prefix: x'");
});

test('`__proto__` in an input is data', async () => {
  const machine = await createMachine(server.url);
  const input = '{"__proto__":{"polluted":true},"constructor":1}';
  const started = await call(server.url, 'StartExecution', { stateMachineArn: machine, input });
  expect(started.status).toBe(200);
  const { body } = await call(server.url, 'DescribeExecution', {
    executionArn: started.body.executionArn,
  });
  expect(body.input).toBe(input);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test('a lone surrogate in a name is InvalidName, in an input it is kept as an escape', async () => {
  const named = await call(server.url, 'CreateActivity', {}, { body: '{"name":"a\\ud800b"}' });
  expect(named.body.__type).toBe('InvalidName');
  const machine = await createMachine(server.url);
  const started = await call(server.url, 'StartExecution', {
    stateMachineArn: machine,
    input: '"\\ud800"',
  });
  const { body } = await call(server.url, 'DescribeExecution', {
    executionArn: started.body.executionArn,
  });
  expect(body.input).toBe('"\\ud800"');
});

test('an input that is a depth bomb is InvalidExecutionInput', async () => {
  const machine = await createMachine(server.url);
  const reply = await call(server.url, 'StartExecution', {
    stateMachineArn: machine,
    input: `${'['.repeat(800)}${']'.repeat(800)}`,
  });
  expect(reply.body.__type).toBe('InvalidExecutionInput');
});

const anyArn = fc.oneof(
  fc.string(),
  fc.constantFrom(
    'arn:aws:states:us-east-1:123456789012:stateMachine:none',
    'arn:aws:states:us-east-1:123456789012:stateMachine:none:1',
    'arn:aws:states:us-east-1:123456789012:stateMachine:none/label',
    'arn:aws:states:us-east-1:123456789012:execution:none:e',
    'arn:aws:states:us-east-1:123456789012:express:none:e:u',
    'arn:aws:states:us-east-1:123456789012:activity:none',
    'arn:aws:states:us-east-1:123456789012:mapRun:none/l:u',
  ),
);
const operations = Object.keys(OPERATIONS) as (keyof typeof OPERATIONS)[];

test('no input at all makes the server fail', async () => {
  const anyMembers = (operation: keyof typeof OPERATIONS) =>
    fc.record(
      Object.fromEntries(
        Object.keys(OPERATIONS[operation].members).map((name) => [
          name,
          fc.oneof(
            { weight: 3, arbitrary: anyArn },
            fc.constantFrom('{}', 'INITIAL', 'STANDARD', ROLE, 0, 5, true, null),
            fc.jsonValue(),
          ),
        ]),
      ),
      { requiredKeys: [] },
    );
  const requests = fc
    .constantFrom(...operations)
    .chain((operation) => fc.tuple(fc.constant(operation), anyMembers(operation)));
  await fc.assert(
    fc.asyncProperty(requests, async ([operation, members]) => {
      const reply = await call(server.url, operation, members);
      expect([200, 400]).toContain(reply.status);
      if (reply.status === 400) expect(reply.body.__type).toEqual(expect.any(String));
    }),
    { numRuns: 600 },
  );
  expect(problems).toEqual([]);
}, 60_000);

test('health is answered without any header', async () => {
  for (const path of ['/livez', '/readyz']) {
    expect((await fetch(server.url + path)).status).toBe(200);
  }
  const missing = await readReply(await fetch(`${server.url}/nowhere`));
  expect(missing.status).toBe(404);
});
