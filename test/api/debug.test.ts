/** Debug sessions, explanations, pictures and forks over REST, against a whole server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../src/runtime/engine.js';
import { Gates } from '../../src/simulate/debug/gates.js';
import { Overrides } from '../../src/simulate/debug/live.js';
import { IDLE_MS, MAX_SESSIONS } from '../../src/simulate/debug/sessions.js';
import { realClock } from '../../src/runtime/clock.js';
import { MemoryStore } from '../../src/store/memory.js';
import { ScriptedHandlers, silentLog, testServices } from '../support/scripted-handlers.js';
import { type Harness, readReply, startHarness, uniqueName } from './harness.js';

const MACHINE = {
  StartAt: 'Score',
  States: {
    Score: { Type: 'Task', Resource: 'score', ResultPath: '$.score', Next: 'Gate' },
    Gate: {
      Type: 'Choice',
      Choices: [{ Variable: '$.score.value', NumericGreaterThan: 0.5, Next: 'Good' }],
      Default: 'Bad',
    },
    Good: { Type: 'Succeed' },
    Bad: { Type: 'Fail', Error: 'Below' },
  },
};

let server: Harness;
let handlers: ScriptedHandlers;
beforeAll(async () => {
  const inner = new MemoryStore();
  const gates = new Gates();
  const overrides = new Overrides();
  handlers = new ScriptedHandlers(
    { score: { do: 'ok', output: { value: 0.4, output: '5' } } },
    realClock,
  );
  const store = gates.over(inner);
  const engine = await createEngine({
    store,
    resources: overrides.over(handlers),
    services: testServices(),
    log: silentLog,
    isStepped: (arn) => gates.has(arn),
  });
  handlers.engine = engine;
  const { coreDefinitions } = await import('../../src/api/core-definitions.js');
  server = await startHarness({
    engine,
    store,
    debugging: { gates, overrides, store: inner },
    definitions: coreDefinitions(false),
  });
});
afterAll(() => server.close());

async function rest(method: string, path: string, body?: unknown) {
  const response = await fetch(server.url + path, {
    method,
    ...(method === 'GET' || method === 'DELETE'
      ? {}
      : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body ?? {}) }),
  });
  const type = response.headers.get('content-type') ?? '';
  if (type.includes('json')) return readReply(response);
  return {
    status: response.status,
    headers: response.headers,
    body: await response.text(),
  } as never;
}

async function machine(): Promise<string> {
  const name = uniqueName('debugged');
  const created = await rest('POST', '/v1/state-machines', { name, definition: MACHINE });
  expect(created.status).toBe(201);
  return name;
}

async function finishedRun(): Promise<string> {
  const name = await machine();
  const started = await rest('POST', `/v1/state-machines/${name}/executions`, { input: {} });
  await server.engine.ended(started.body.executionArn);
  return started.body.executionArn as string;
}

describe('a session', () => {
  test('simulates a machine with mocks, stops, shows, changes, goes back and ends', async () => {
    const started = await rest('POST', '/v1/debug/sessions', {
      definition: MACHINE,
      input: { n: 1 },
      mocks: { states: { Score: { return: { value: 0.1 } } } },
      breakpoints: [{ state: 'Gate', condition: '$.score.value < 0.5' }],
    });
    expect(started).toMatchObject({
      status: 201,
      body: { kind: 'simulation', status: 'stopped', stop: { state: 'Score', when: 'before' } },
    });
    const path = started.headers.get('location') as string;
    const hit = await rest('POST', `${path}/move`, { how: 'continue' });
    expect(hit.body.stop).toMatchObject({ reason: 'breakpoint', state: 'Gate', breakpoints: [1] });
    const frame = await rest('GET', `${path}/frame`);
    expect(frame.body.scopes.Input).toEqual({ n: 1, score: { value: 0.1 } });
    expect(frame.body.scopes['Data flow']).toMatchObject({
      state: 'Score',
      result: { value: 0.1 },
    });
    const value = await rest('POST', `${path}/evaluate`, { expression: '$.score.value * 2' });
    expect(value.body).toEqual({ value: 0.2 });
    await rest('POST', `${path}/edit`, { input: { score: { value: 1 } } });
    const next = await rest('POST', `${path}/move`, { how: 'over' });
    expect(next.body.stop).toMatchObject({ state: 'Good', when: 'before' });
    const back = await rest('POST', `${path}/move`, { how: 'back' });
    expect(back.body.stop.state).toBe('Gate');
    expect((await rest('POST', `${path}/move`, { how: 'over' })).body.stop.state).toBe('Good');
    const over = await rest('POST', `${path}/move`, { how: 'continue' });
    expect(over.body).toMatchObject({ executionStatus: 'SUCCEEDED', outcome: { ok: true } });
    const listed = await rest('GET', '/v1/debug/sessions');
    expect(listed.body.sessions).toHaveLength(1);
    expect((await rest('DELETE', path)).status).toBe(204);
    expect((await rest('GET', path)).status).toBe(404);
  });

  test('holds a live execution, which is described meanwhile, and goes on when the session ends', async () => {
    const name = await machine();
    const started = await rest('POST', '/v1/debug/sessions', { stateMachine: name, live: true });
    const path = started.headers.get('location') as string;
    await rest('POST', `${path}/edit`, { result: { state: 'Score', output: { value: 0.9 } } });
    const stop = await rest('POST', `${path}/move`, { how: 'over' });
    expect(stop.body.stop).toMatchObject({ state: 'Gate' });
    const arn = stop.body.executionArn as string;
    const described = await rest('GET', `/v1/executions/${encodeURIComponent(arn)}`);
    expect(described.body.status).toBe('RUNNING');
    await rest('DELETE', path);
    const state = await server.engine.ended(arn as never);
    expect(state.status).toBe('SUCCEEDED');
    expect(handlers.calls.filter((call) => call.stateName === 'Score')).toHaveLength(0);
  });

  test('shows an ended execution and refuses to change it', async () => {
    const arn = await finishedRun();
    const started = await rest('POST', '/v1/debug/sessions', { execution: arn });
    expect(started.body.kind).toBe('recorded');
    const path = started.headers.get('location') as string;
    const refused = await rest('POST', `${path}/edit`, { input: 1 });
    expect(refused).toMatchObject({ status: 400 });
    expect(refused.body.detail).toContain('fork');
    await rest('DELETE', path);
  });

  test.each([
    [{}, 'Give one of'],
    [{ definition: MACHINE, execution: 'x' }, 'Give one of'],
    [{ definition: { StartAt: 'A', States: {} } }, ''],
    [{ definition: MACHINE, mocks: { states: { Score: { function: '../../etc/passwd' } } } }, ''],
    [{ definition: MACHINE, breakpoints: [{ on: 'sometimes' }] }, '/breakpoints/0/on'],
    [{ definition: MACHINE, breakpoints: [{ condition: '$sum(' }] }, ''],
    [{ execution: 'arn:aws:states:us-east-1:123456789012:execution:no:such' }, ''],
  ])('%j is refused and leaves nothing behind', async (body, said) => {
    const answer = await rest('POST', '/v1/debug/sessions', body);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(JSON.stringify(answer.body)).toContain(said);
    expect((await rest('GET', '/v1/debug/sessions')).body.sessions).toHaveLength(0);
  });

  test('is one of a bounded number, and ends when nobody asks for it', async () => {
    const paths: string[] = [];
    for (let count = 0; count < MAX_SESSIONS; count++) {
      const { status, headers } = await rest('POST', '/v1/debug/sessions', { definition: MACHINE });
      expect(status).toBe(201);
      paths.push(headers.get('location') as string);
    }
    const one = await rest('POST', '/v1/debug/sessions', { definition: MACHINE });
    expect(one).toMatchObject({ status: 429, body: { title: 'ThrottlingException' } });
    const { sessions } = server.api.context.debug;
    const soonest = Math.min(...sessions.list().map(({ expiresAt }) => expiresAt));
    expect(soonest - Date.now()).toBeLessThanOrEqual(IDLE_MS);
    await Promise.all(paths.map((path) => rest('DELETE', path)));
  });
});

describe('an execution', () => {
  test('is explained with values exactly as they are', async () => {
    const arn = await finishedRun();
    const { status, body } = await rest(
      'GET',
      `/v1/executions/${encodeURIComponent(arn)}/explain?state=Score`,
    );
    expect(status).toBe(200);
    const result = body.visits[0].stages.find(({ stage }: { stage: string }) => stage === 'result');
    // A text that holds JSON stays a text.
    expect(result.value).toEqual({ value: 0.4, output: '5' });
  });

  test('is drawn as SVG that a page may show, and as Mermaid', async () => {
    const path = `/v1/executions/${encodeURIComponent(await finishedRun())}/graph`;
    const picture = await rest('GET', path);
    expect(picture.headers.get('content-type')).toContain('image/svg+xml');
    expect(picture.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(String(picture.body)).toContain('Gate');
    expect(String((await rest('GET', `${path}?format=mermaid`)).body)).toContain('flowchart TD');
    expect((await rest('GET', `${path}?format=gif`)).status).toBe(400);
  });

  test('is forked: first the plan, then a new execution with a change', async () => {
    const arn = await finishedRun();
    const path = `/v1/executions/${encodeURIComponent(arn)}/fork`;
    const wish = { at: 'Gate', input: { score: { value: 0.8 } } };
    const plan = await rest('POST', path, { ...wish, dryRun: true });
    expect(plan.status).toBe(200);
    expect(plan.body.plan.reused.map(({ state }: { state: string }) => state)).toEqual(['Score']);
    const forked = await rest('POST', path, wish);
    expect(forked.status).toBe(201);
    const state = await server.engine.ended(forked.body.executionArn);
    expect(state.status).toBe('SUCCEEDED');
    const shown = await rest('GET', forked.headers.get('location') as string);
    expect(shown.body.forkedFrom).toMatchObject({ arn });
    const second = await rest('POST', path, wish);
    expect(second.body.executionArn).not.toBe(forked.body.executionArn);
    const taken = await rest('POST', path, {
      ...wish,
      name: forked.body.executionArn.split(':').at(-1),
    });
    expect(taken.status).toBe(409);
    for (const bad of [
      {},
      { at: 0 },
      { at: 'Nope' },
      { at: 'Gate', definition: { StartAt: 'X' } },
      { at: 'Gate', variables: 1 },
    ]) {
      expect((await rest('POST', path, bad)).status).toBe(400);
    }
    const without = {
      StartAt: 'Score',
      States: { Score: { ...MACHINE.States.Score, Next: 'Good' }, Good: { Type: 'Succeed' } },
    };
    const refused = await rest('POST', path, { at: 'Gate', definition: without });
    expect(refused.body.detail).toContain('/States/Gate');
  });
});
