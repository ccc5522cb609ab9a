/**
 * The whole server under hostile requests: never a 5xx, never a hang, nothing reported as our bug,
 * and an execution that runs at the same time does not notice.
 */
import { request as httpRequest } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ExecutionArn } from '../../src/lib/brand.js';
import { createEngine } from '../../src/runtime/engine.js';
import { MemoryStore } from '../../src/store/memory.js';
import { fuzz, inTime, isUnpolluted } from '../support/fuzz.js';
import { anyCall, anyRequest, type RawRequest } from './fuzz-requests.js';
import {
  call,
  createMachine,
  type Harness,
  ROLE,
  runToEnd,
  startHarness,
  uniqueName,
  WAIT,
} from './harness.js';

const FILE = 'test/api/fuzz.test.ts';
const PRIVATE = 'arn:aws:states:us-east-1:123456789012:activity:bystander';

let server: Harness;
/** What the stand-ins of the requests mean now. */
let found: Map<string, string>;
let bystander: { stop(): Promise<void> };
const problems: unknown[] = [];

beforeAll(async () => {
  const store = new MemoryStore();
  const note = (...what: unknown[]) => problems.push(what);
  const quiet = () => {};
  const engine = await createEngine({
    store,
    resources: {
      resolve: (resource) => (/:activity:/.test(resource) ? { handler: null } : null),
      explainUnknown: (resource) => `There is no handler for ${resource}.`,
    },
    services: {
      scratchRoot: '/tmp',
      log: { debug: quiet, info: quiet, warn: quiet, error: note },
    } as never,
    log: { debug: quiet, info: quiet, warn: quiet, error: note },
  });
  server = await startHarness({
    store,
    engine,
    config: { activityPollMs: 20 },
    log: { info: quiet, warn: note, error: note },
  });
  found = await populate(server.url);
  bystander = await startBystander(server);
});
afterAll(() => server.close());

test('no member of any operation makes the server fail', async () => {
  await fuzz(
    FILE,
    300,
    fc.asyncProperty(fc.array(anyCall, { minLength: 1, maxLength: 6 }), async (calls) => {
      if (runs++ % RENEW_EVERY === 0) found = await populate(server.url);
      const replies = await inTime(JSON.stringify(calls).slice(0, 300), () =>
        Promise.all(
          calls.map(([operation, body]) => call(server.url, operation, {}, { body: insert(body) })),
        ),
      );
      for (const { status, body } of replies) {
        expect([200, 400]).toContain(status);
        if (status === 400) expect(body.__type).toEqual(expect.any(String));
      }
      expectNoProblems();
      expect(isUnpolluted()).toBe(true);
    }),
  );
}, 120_000);

test('no bytes at all make the server fail', async () => {
  await fuzz(
    FILE,
    400,
    fc.asyncProperty(anyRequest, async (request) => {
      const what = `${request.method} ${request.path} ${JSON.stringify(request.headers)}`;
      const status = await inTime(what.slice(0, 300), () => send(request));
      expect(status).toBeGreaterThanOrEqual(200);
      expect(status).toBeLessThan(500);
      expectNoProblems();
    }),
  );
}, 120_000);

test.each([
  ['TagResource', { resourceArn: '@standard@', tags: [null] }, "Value null at 'tags.1.member'"],
  ['UntagResource', { resourceArn: '@standard@', tagKeys: [null] }, "'tagKeys.1.member'"],
  ['CreateStateMachineAlias', { name: 'a', routingConfiguration: [null] }, 'must not be null'],
] as const)('%s refuses a null in a list, as found once', async (operation, members, message) => {
  const reply = await call(server.url, operation, {}, { body: insert(JSON.stringify(members)) });
  expect(reply.status).toBe(400);
  expect(reply.body.__type).toMatch(/ValidationException$/);
  expect(reply.body.message).toContain(message);
});

test('an integer that no 32 bits hold, and a path that nothing decodes, as found once', async () => {
  const body = '{"mapRunArn":"@run@","maxConcurrency":1e999}';
  const reply = await call(server.url, 'UpdateMapRun', {}, { body: insert(body) });
  expect(reply.body.__type).toMatch(/SerializationException$/);
  expect((await fetch(`${server.url}/v1/state-machines/%ff`)).status).toBe(404);
  expectNoProblems();
});

test('a request that stops half way keeps nothing busy', async () => {
  const headers = {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': 'AWSStepFunctions.ListActivities',
    'content-length': '1000',
  };
  await Promise.all(
    Array.from(
      { length: 20 },
      () =>
        new Promise<void>((resolve) => {
          const sent = httpRequest(server.url, { method: 'POST', headers });
          sent.on('error', () => resolve());
          sent.write('{"maxResults":', () => setTimeout(() => sent.destroy(), 5));
          sent.on('close', () => resolve());
        }),
    ),
  );
  const reply = await call(server.url, 'ListActivities');
  expect(reply.status).toBe(200);
  expectNoProblems();
});

test('an execution that ran meanwhile did not notice, and a new one works', async () => {
  await bystander.stop();
  const ended = await runToEnd(server.url, await createMachine(server.url));
  expect(ended).toMatchObject({ status: 'SUCCEEDED', output: '{"done":true}' });
});

/** What the server or the engine reported as its own failure. */
function expectNoProblems(): void {
  const reported = problems.splice(0);
  if (reported.length > 0) throw new Error(`Reported: ${JSON.stringify(reported).slice(0, 3000)}`);
}

/** The fuzzer deletes what it finds; every so many runs there is all of it again. */
const RENEW_EVERY = 8;
let runs = 0;

function insert(body: string): string {
  return body.replace(/@[a-z]+@/g, (stand) => found.get(stand) ?? stand);
}

/** Sends exactly these bytes; the status, or 400 where the HTTP parser closes the connection. */
function send(raw: RawRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    const { method, headers, body } = raw;
    const { hostname, port } = new URL(server.url);
    const options = { method, headers, path: raw.path, hostname, port };
    const sent = httpRequest(options, (reply) => {
      // A stream of events has no end of its own.
      if (reply.headers['content-type']?.startsWith('text/event-stream')) reply.destroy();
      reply.resume();
      reply.once('close', () => resolve(reply.statusCode ?? 0));
    });
    sent.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || error.code === 'ECONNRESET') resolve(400);
      else reject(error);
    });
    sent.end(body ?? undefined);
  });
}

/** Machines, a version, an alias, executions and a token that the fuzzer may find. */
async function populate(url: string): Promise<Map<string, string>> {
  const standard = await createMachine(url, undefined, { publish: true });
  const express = await createMachine(url, undefined, { type: 'EXPRESS' });
  const waiting = await createMachine(url, WAIT);
  const activityArn = (await call(url, 'CreateActivity', { name: uniqueName('fuzzed') })).body
    .activityArn as string;
  const tasked = await createMachine(url, activityMachine(activityArn));
  const alias = await call(url, 'CreateStateMachineAlias', {
    name: 'live',
    routingConfiguration: [{ stateMachineVersionArn: `${standard}:1`, weight: 100 }],
  });
  const start = async (stateMachineArn: string, input = '{}') =>
    (await call(url, 'StartExecution', { stateMachineArn, input })).body.executionArn as string;
  const mapRunOf = async (executionArn: string) =>
    (await call(url, 'ListMapRuns', { executionArn })).body.mapRuns[0]?.mapRunArn ?? 'none';
  const asking = await start(tasked);
  const mapped = await start(await createMachine(url, MAPPED), '[1, 2]');
  const task = await call(url, 'GetActivityTask', { activityArn });
  const token = task.body.taskToken as string;
  return new Map([
    ['@standard@', standard],
    ['@version@', `${standard}:1`],
    ['@alias@', alias.body.stateMachineAliasArn as string],
    ['@express@', express],
    ['@waiting@', waiting],
    ['@tasked@', tasked],
    ['@activity@', activityArn],
    ['@succeeded@', await start(standard)],
    ['@running@', await start(waiting)],
    ['@asking@', asking],
    ['@token@', token],
    ['@mapped@', mapped],
    ['@run@', await mapRunOf(mapped)],
    ['@cut@', token.slice(0, -1)],
  ]);
}

const MAPPED = JSON.stringify({
  StartAt: 'M',
  States: {
    M: {
      Type: 'Map',
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
        StartAt: 'W',
        States: { W: { Type: 'Wait', Seconds: 600, End: true } },
      },
      End: true,
    },
  },
});

function activityMachine(activityArn: string): string {
  return JSON.stringify({
    StartAt: 'Ask',
    States: { Ask: { Type: 'Task', Resource: activityArn, End: true } },
  });
}

/** An execution that asks its worker again and again; it must count right whatever happens beside it. */
async function startBystander({ url, engine }: Harness): Promise<{ stop(): Promise<void> }> {
  await call(url, 'CreateActivity', { name: 'bystander' });
  const machine = await call(url, 'CreateStateMachine', {
    name: 'Bystander',
    roleArn: ROLE,
    definition: JSON.stringify({
      StartAt: 'Ask',
      States: {
        Ask: { Type: 'Task', Resource: PRIVATE, TimeoutSeconds: 30, Next: 'Enough' },
        Enough: {
          Type: 'Choice',
          Choices: [{ Variable: '$.last', BooleanEquals: true, Next: 'Done' }],
          Default: 'Ask',
        },
        Done: { Type: 'Succeed' },
      },
    }),
  });
  const stateMachineArn = machine.body.stateMachineArn as string;
  const started = await call(url, 'StartExecution', { stateMachineArn, input: '{"count":0}' });
  const arn = started.body.executionArn as ExecutionArn;
  let answered = 0;
  let last = false;
  const work = (async () => {
    for (;;) {
      const task = await engine.activityTask(PRIVATE, null, AbortSignal.timeout(20_000));
      if (task === null) throw new Error('The bystander got no work.');
      const { count } = task.input as { count: number };
      expect(count).toBe(answered);
      answered++;
      const finish = last;
      expect(await engine.taskSucceeded(task.taskToken, { count: answered, last: finish })).toBe(
        'accepted',
      );
      if (finish) return;
      await new Promise((wake) => setTimeout(wake, 25));
    }
  })();
  work.catch(() => {});
  return {
    stop: async () => {
      last = true;
      await work;
      const state = await engine.ended(arn);
      expect(state.status).toBe('SUCCEEDED');
      expect(state.outcome).toEqual({ ok: true, output: { count: answered, last: true } });
      const history = (await engine.history(arn)) ?? [];
      expect(history.map((event) => event.id)).toEqual(history.map((_, index) => index + 1));
    },
  };
}
