import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAllowedHost, isLoopback } from '../../src/api/host.js';
import { signHeaders } from '../../src/lib/sigv4.js';
import type { EpochMs } from '../../src/lib/brand.js';
import { call, type Harness, readReply, startHarness } from './harness.js';

describe('the host guard', () => {
  test.each([
    'localhost',
    'localhost:8083',
    'states.localhost:8083',
    'sync-states.localhost',
    '127.0.0.1:1',
    'sync-127.0.0.1:8083',
    '[::1]:8083',
    '10.1.2.3',
    'engine.example:8083',
    'sync-engine.example',
  ])('lets %s in', (host) => {
    expect(isAllowedHost(host, ['engine.example'])).toBe(true);
  });

  test.each([
    undefined,
    '',
    'evil.example',
    'localhost.evil.example',
    'evil@localhost',
    'a b',
    'x:y:z',
  ])('refuses %s', (host) => {
    expect(isAllowedHost(host, ['engine.example'])).toBe(false);
  });

  test('is in front of everything', async () => {
    const server = await startHarness();
    const { port } = new URL(server.url);
    const statuses = await Promise.all(
      ['/', '/livez', '/openapi.json', '/v1/state-machines'].map(
        (path) =>
          new Promise((done) => {
            const headers = { host: 'evil.example' };
            httpRequest({ port, host: '127.0.0.1', path, headers }, (reply) => {
              reply.resume();
              done(reply.statusCode);
            }).end();
          }),
      ),
    );
    expect(statuses).toEqual([421, 421, 421, 421]);
    await server.close();
  });
});

test('a server that others can reach does not start without credentials', async () => {
  for (const host of ['0.0.0.0', '::', '192.168.1.4']) {
    expect(isLoopback(host)).toBe(false);
    await expect(startHarness({ host })).rejects.toThrow('without credentials');
  }
});

describe('signatures', () => {
  const accessKey = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a-secret' };
  let server: Harness;
  beforeAll(async () => {
    server = await startHarness({ config: { accessKeys: [accessKey] } });
  });
  afterAll(() => server.close());

  const body = '{}';
  const plain = {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': 'AWSStepFunctions.ListActivities',
  };
  const sign = (over: Partial<Parameters<typeof signHeaders>[0]> = {}) =>
    signHeaders({
      method: 'POST',
      url: new URL(server.url),
      headers: plain,
      body,
      service: 'states',
      region: 'us-east-1',
      accessKey,
      ...over,
    });
  const send = async (headers: Record<string, string>, sent: string = body) =>
    readReply(await fetch(server.url, { method: 'POST', headers, body: sent }));

  test('a signed request is served', async () => {
    expect(await send(sign())).toMatchObject({ status: 200, body: { activities: [] } });
  });

  test('the same request again is served: retries are no attack', async () => {
    const headers = sign();
    expect((await send(headers)).status).toBe(200);
    expect((await send(headers)).status).toBe(200);
  });

  test('query strings and paths of the REST face are signed, too', async () => {
    const url = new URL(`${server.url}/v1/state-machines?token=&limit=5%2F`);
    const headers = sign({ method: 'GET', url, headers: {}, body: '' });
    expect((await fetch(url, { headers })).status).toBe(400);
    const good = new URL(`${server.url}/v1/state-machines?limit=5`);
    const signed = sign({ method: 'GET', url: good, headers: {}, body: '' });
    expect((await fetch(good, { headers: signed })).status).toBe(200);
  });

  test.each<
    [string, () => Promise<{ status: number; body: { __type: string; message: string } }>, RegExp]
  >([
    [
      'without Authorization',
      () => send(plain),
      /MissingAuthenticationTokenException.*Missing Auth/,
    ],
    ['with another scheme', () => send({ ...plain, authorization: 'Basic xyz' }), /IncompleteSig/],
    [
      'with parts missing',
      () => send({ ...plain, authorization: 'AWS4-HMAC-SHA256 Credential=a/b/c/d/e' }),
      /IncompleteSignatureException.*'Signature' parameter.*'SignedHeaders' parameter.*X-Amz-Date/,
    ],
    [
      'with another body',
      () => send(sign(), '{"maxResults":1}'),
      /InvalidSignatureException.*does not match/,
    ],
    [
      'with another target',
      () => send({ ...sign(), 'x-amz-target': 'AWSStepFunctions.ListStateMachines' }),
      /InvalidSignatureException/,
    ],
    [
      'of another secret',
      () => send(sign({ accessKey: { ...accessKey, secretAccessKey: 'other' } })),
      /InvalidSignatureException/,
    ],
    [
      'of an unknown key',
      () => send(sign({ accessKey: { ...accessKey, accessKeyId: 'NOBODY' } })),
      /UnrecognizedClientException.*security token/,
    ],
    ['for another service', () => send(sign({ service: 'sqs' })), /correct service: 'states'/],
    [
      'from six minutes ago',
      () => send(sign({ now: (Date.now() - 6 * 60_000) as EpochMs })),
      /InvalidSignatureException.*Signature expired/,
    ],
    [
      'from the future',
      () => send(sign({ now: (Date.now() + 6 * 60_000) as EpochMs })),
      /Signature not yet current/,
    ],
    [
      'with an unsigned target',
      async () => {
        const { 'x-amz-target': target, ...rest } = plain;
        return send({ ...sign({ headers: rest }), 'x-amz-target': target });
      },
      /'x-amz-target' must be a 'SignedHeader'/,
    ],
  ])('a request %s is refused', async (_what, attempt, expected) => {
    const reply = await attempt();
    expect(reply.status).toBe(400);
    expect(`${reply.body.__type} ${reply.body.message}`).toMatch(expected);
  });

  test('any changed character of the signature is refused', async () => {
    const headers = sign();
    const at = (headers.authorization as string).length - 64;
    for (let i = 0; i < 64; i += 7) {
      const text = headers.authorization as string;
      const other = text[at + i] === '0' ? '1' : '0';
      const forged = text.slice(0, at + i) + other + text.slice(at + i + 1);
      expect((await send({ ...headers, authorization: forged })).status).toBe(400);
    }
  });
});

describe('other sites', () => {
  let server: Harness;
  beforeAll(async () => {
    server = await startHarness();
  });
  afterAll(() => server.close());

  test('get no leave to read or to send', async () => {
    const preflight = await fetch(server.url, {
      method: 'OPTIONS',
      headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' },
    });
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
    const reply = await call(server.url, 'ListActivities');
    expect(reply.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('cannot post to the REST face with a form', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      const reply = await fetch(`${server.url}/v1/state-machines`, {
        method: 'POST',
        headers: { 'Content-Type': type },
        body: '{"name":"x","definition":{}}',
      });
      expect(reply.status).toBe(400);
    }
    const marked = await fetch(`${server.url}/v1/state-machines`, {
      headers: { 'Sec-Fetch-Site': 'cross-site' },
    });
    expect(marked.status).toBe(403);
  });
});
