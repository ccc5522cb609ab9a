import { afterEach, beforeEach, expect, it } from 'vitest';
import { createHttpHandler, type HttpTarget } from '../../src/handlers/http.js';
import type { Json } from '../../src/lib/json.js';
import { createWorld, failureOf, startWebServer, type WebServer, type World } from './world.js';

let world: World;
let server: WebServer;
let reply: { status: number; body: string };
beforeEach(async () => {
  world = await createWorld();
  reply = { status: 200, body: '{}' };
  server = await startWebServer((_request, response) => {
    response.writeHead(reply.status, { 'content-type': 'application/json' }).end(reply.body);
  });
});
afterEach(async () => {
  await server.close();
  await world.close();
});

function run(parameters: Json, options: { url?: string; allow?: string[] } = {}): Promise<Json> {
  const config = world.config({
    functions: {
      remote: {
        url: options.url ?? `${server.url}/score`,
        headers: { 'x-api-key': 'secret://key' },
      },
    },
    egress: { allow: options.allow ?? [server.host] },
    secrets: { key: { env: 'API_KEY' } },
  });
  const handler = createHttpHandler('remote', config.functions.get('remote') as HttpTarget);
  return handler.run(parameters, world.context(config));
}

it('posts the parameters with the idempotency key and returns the JSON of the answer', async () => {
  reply.body = '{"score": 0.7}';
  expect(await run({ text: 'é' })).toEqual({ score: 0.7 });
  expect(server.received[0]).toMatchObject({
    method: 'POST',
    url: '/score',
    body: '{"text":"é"}',
    headers: {
      'idempotency-key': 'arn:execution/7/nonce',
      'content-type': 'application/json',
      'x-api-key': 'canary-5b1d',
    },
  });
});

it('an empty answer is null, one that is no JSON a failure', async () => {
  reply = { status: 204, body: '' };
  expect(await run({})).toBeNull();
  reply = { status: 200, body: '<html>' };
  expect((await failureOf(run({}))).error).toBe('Http.InvalidOutput');
});

it('a status outside 2xx is States.Http.StatusCode with the body as cause', async () => {
  reply = { status: 503, body: 'warming up' };
  expect(await failureOf(run({}))).toMatchObject({
    error: 'States.Http.StatusCode.503',
    reason: 'warming up',
  });
});

it('no connection is States.Http.Socket', async () => {
  const work = run({}, { url: 'http://127.0.0.1:1/x', allow: ['127.0.0.1'] });
  const failure = await failureOf(work);
  expect(failure.error).toBe('States.Http.Socket');
  expect(failure.reason).toMatch(/ECONNREFUSED/);
});

it('an internal address that is not allowed is refused before anything is sent', async () => {
  expect((await failureOf(run({}, { allow: [] }))).error).toBe('Egress.Refused');
  expect(server.received).toHaveLength(0);
});

it('an answer without end is cut off', async () => {
  reply.body = `"${'x'.repeat(6 * 1024 * 1024)}"`;
  expect((await failureOf(run({}))).error).toBe('Http.TooLarge');
});
