import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROUTES } from '../../src/api/rest/routes.js';
import { type Harness, readReply, startHarness, uniqueName } from './harness.js';

let server: Harness;
beforeAll(async () => {
  server = await startHarness({ version: '9.9.9' });
});
afterAll(() => server.close());

async function rest(method: string, path: string, body?: unknown) {
  const response = await fetch(server.url + path, {
    method,
    ...(method === 'GET' || method === 'DELETE'
      ? {}
      : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body ?? {}) }),
  });
  return readReply(response);
}

const pass = { StartAt: 'P', States: { P: { Type: 'Pass', End: true } } };
const wait = { StartAt: 'W', States: { W: { Type: 'Wait', Seconds: 3600, End: true } } };

test('a machine is created, shown, changed and deleted', async () => {
  const name = uniqueName('rest');
  const created = await rest('POST', '/v1/state-machines', { name, definition: pass });
  expect(created.status).toBe(201);
  expect(created.headers.get('location')).toBe(`/v1/state-machines/${name}`);
  const shown = await rest('GET', `/v1/state-machines/${name}`);
  expect(shown.body).toMatchObject({ name, definition: pass, type: 'STANDARD', status: 'ACTIVE' });
  expect(shown.body.creationDate).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  const changed = await rest('PUT', `/v1/state-machines/${name}`, { definition: wait });
  expect(changed.status).toBe(200);
  const listed = await rest('GET', '/v1/state-machines?limit=1000');
  expect(listed.body.stateMachines.map((one: { name: string }) => one.name)).toContain(name);
  expect((await rest('DELETE', `/v1/state-machines/${name}`)).status).toBe(204);
  const gone = await rest('GET', `/v1/state-machines/${name}`);
  expect(gone.headers.get('content-type')).toBe('application/problem+json');
  expect(gone).toMatchObject({
    status: 404,
    body: { title: 'StateMachineDoesNotExist', status: 404 },
  });
});

test('an execution is started by name, found by name, and shows JSON as JSON', async () => {
  const name = uniqueName('rest');
  await rest('POST', '/v1/state-machines', { name, definition: pass });
  const started = await rest('POST', `/v1/state-machines/${name}/executions`, {
    name: `run-${name}`,
    input: { n: 1, startDate: 5, output: '{"x":1}' },
  });
  expect(started.status).toBe(201);
  const location = started.headers.get('location') as string;
  for (const path of [
    location,
    `/v1/executions/run-${name}`,
    `/v1/executions/run-${name}?stateMachine=${name}`,
  ]) {
    const { body } = await rest('GET', path);
    expect(body.input).toEqual({ n: 1, startDate: 5, output: '{"x":1}' });
  }
  const history = await rest('GET', `/v1/executions/run-${name}/history?limit=2&reverse=true`);
  expect(history.body.events[0]).toMatchObject({ type: 'ExecutionSucceeded', id: 4 });
  expect(history.body.nextToken).toEqual(expect.any(String));
  const listed = await rest('GET', `/v1/state-machines/${name}/executions?status=SUCCEEDED`);
  expect(listed.body.executions.length).toBe(1);
  expect((await rest('GET', '/v1/executions/none')).status).toBe(404);
});

test('the same validation answers with the same words', async () => {
  const bad = await rest('POST', '/v1/state-machines', { name: 'x', definition: {} });
  expect(bad).toMatchObject({ status: 400, body: { title: 'InvalidDefinition' } });
  expect(bad.body.detail).toMatch(/^Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED/);
  const limit = await rest('GET', '/v1/state-machines?limit=1001');
  expect(limit.body.detail).toMatch(/less than or equal to 1000$/);
  expect((await rest('GET', '/v1/state-machines?limit=abc')).status).toBe(400);
  const diagnosed = await rest('POST', '/v1/validate', { definition: pass });
  expect(diagnosed.body.result).toBe('OK');
  expect((await rest('POST', '/v1/validate', { definition: 'nope' })).body.result).toBe('FAIL');
});

describe('the event stream', () => {
  async function read(path: string, headers: Record<string, string> = {}) {
    const response = await fetch(server.url + path, { headers });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    let text = '';
    return {
      response,
      /** Reads until the stream holds `wanted`, or to its end. */
      until: async (wanted: string): Promise<string> => {
        while (!text.includes(wanted)) {
          const { done, value } = await reader.read();
          if (done) break;
          text += decoder.decode(value);
        }
        return text;
      },
      cancel: () => reader.cancel(),
    };
  }

  test('shows events as they happen, ends with the execution, and resumes', async () => {
    const name = uniqueName('rest');
    await rest('POST', '/v1/state-machines', { name, definition: wait });
    const started = await rest('POST', `/v1/state-machines/${name}/executions`, {
      name: `s-${name}`,
    });
    const path = `${started.headers.get('location')}/events`;
    const stream = await read(path);
    expect(stream.response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    await stream.until('event: WaitStateEntered');
    await rest('POST', `/v1/executions/s-${name}/stop`, { error: 'E' });
    const all = await stream.until('never');
    expect(all.match(/^id: \d+$/gm)).toEqual(['id: 1', 'id: 2', 'id: 3']);
    expect(all).toContain('event: ExecutionAborted');
    const resumed = await read(path, { 'Last-Event-ID': '2' });
    expect((await resumed.until('never')).match(/^id: \d+$/gm)).toEqual(['id: 3']);
    const nothing = await fetch(server.url + path, { headers: { 'Last-Event-ID': '3' } });
    expect(nothing.status).toBe(204);
  });

  test('of an unknown execution is a problem', async () => {
    expect((await rest('GET', '/v1/executions/none/events')).status).toBe(404);
  });

  test('is let go when the client leaves', async () => {
    const name = uniqueName('rest');
    await rest('POST', '/v1/state-machines', { name, definition: wait });
    const started = await rest('POST', `/v1/state-machines/${name}/executions`);
    const stream = await read(`${started.headers.get('location')}/events`);
    await stream.until('event: WaitStateEntered');
    await stream.cancel();
    const { executionArn } = started.body;
    await rest('POST', `/v1/executions/${encodeURIComponent(executionArn)}/stop`);
    expect((await rest('GET', '/v1/state-machines')).status).toBe(200);
  });
});

describe('the OpenAPI document', () => {
  test('describes every route, and nothing else', async () => {
    const { body } = await readReply(await fetch(`${server.url}/openapi.json`));
    expect([body.openapi, body.info.version]).toEqual(['3.1.0', '9.9.9']);
    const described = Object.entries<Record<string, unknown>>(body.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method} ${path}`),
    );
    expect(described.sort()).toEqual(ROUTES.map((route) => `${route.method} ${route.path}`).sort());
    const ids = ROUTES.map((route) => route.id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const item of Object.values<Record<string, { responses: object }>>(body.paths)) {
      for (const operation of Object.values(item)) {
        expect(Object.keys(operation.responses)).toContain('default');
      }
    }
  });

  test('every described route is served', async () => {
    for (const route of ROUTES) {
      const path = route.path.replace(/\{\w+\}/g, 'none');
      const { body } = await rest(route.method.toUpperCase(), path);
      expect([route.id, body?.detail]).not.toEqual([route.id, 'There is no such route.']);
    }
  });
});
