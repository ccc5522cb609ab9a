import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ingestHandler } from '../../src/handlers/ml/ingest.js';
import { type Bench, bench, failureOf } from './support/handler-context.js';

const ingest = ingestHandler();
const csv = 'text,sentiment\n"good, very",positive\nbad,negative\n';
const rows = [
  { text: 'good, very', sentiment: 'positive' },
  { text: 'bad', sentiment: 'negative' },
];

let server: Server;
let base: string;
let at: Bench;
const seen: { url: string; method: string; headers: Record<string, unknown>; body: string }[] = [];

const answers: Record<string, (response: ServerResponse) => void> = {
  '/data.csv': (response) => response.setHeader('content-type', 'text/csv; charset=utf-8').end(csv),
  '/api': (response) =>
    response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ data: { items: rows }, next: null })),
  '/list': (response) =>
    response.setHeader('content-type', 'application/json; charset=utf-8').end(JSON.stringify(rows)),
  '/lines': (response) =>
    response
      .setHeader('content-type', 'application/x-ndjson')
      .end(rows.map((row) => JSON.stringify(row)).join('\n')),
  '/zipped.csv.gz': (response) =>
    response.setHeader('content-type', 'application/gzip').end(gzipSync(csv)),
  '/encoded.csv': (response) => response.setHeader('content-encoding', 'gzip').end(gzipSync(csv)),
  '/moved': (response) => response.writeHead(302, { location: '/data.csv' }).end(),
  '/gone.csv': (response) => response.writeHead(404).end('nope'),
  '/private.csv': (response) => response.writeHead(403).end('nope'),
  '/down.csv': (response) => response.writeHead(503).end('nope'),
  '/login.csv': (response) =>
    response.setHeader('content-type', 'text/html').end('<html>sign in</html>'),
  '/slow.csv': (response) => void response.write('text,sentiment\ngood,'),
  '/silent.csv': () => undefined,
  '/trickle.csv': (response) => {
    let left = 4;
    response.write('text,sentiment\n');
    const timer = setInterval(() => {
      response.write('fine,positive\n');
      if (--left === 0) {
        clearInterval(timer);
        response.end();
      }
    }, 120);
  },
  '/broken.csv': (response) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.write('text,sentiment\nhalf');
    setTimeout(() => response.destroy(), 50);
  },
};

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      const { url = '', method = '', headers } = request;
      seen.push({ url, method, headers, body });
      const answer = answers[url.split('?')[0] as string];
      if (answer === undefined) response.writeHead(404).end();
      else answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(async () => {
  at = await bench({ token: 'tok-123456' });
});
afterEach(() => at.close());

const from = (path: string, more = {}) => ({ source: { type: 'http', url: base + path, ...more } });

test('CSV, JSON, JSON Lines, gzip and a redirect all give the same dataset', async () => {
  const paths = ['/data.csv', '/list', '/lines', '/zipped.csv.gz', '/encoded.csv', '/moved'];
  const results = [];
  for (const path of paths) results.push(await at.run(ingest, from(path)));
  results.push(await at.run(ingest, from('/api', { rowsAt: 'data.items' })));
  expect(new Set(results.map((result) => result.uri)).size).toBe(1);
  expect(await at.rows(String(results[0]?.uri))).toEqual(rows);
});

test('an array deeper inside is not guessed, but named', async () => {
  const failure = await failureOf(at.run(ingest, from('/api')));
  expect(failure.error).toBe('DataSource.BadFormat');
  expect(failure.reason).toContain(`${base}/api: the document is one object`);
});

test('headers, method and body are sent, with secrets put in only there', async () => {
  const more = {
    method: 'POST',
    headers: { authorization: 'Bearer secret://token' },
    body: { since: '7d' },
  };
  await at.run(ingest, from('/list', more));
  expect(seen.at(-1)).toMatchObject({
    method: 'POST',
    body: '{"since":"7d"}',
    headers: { authorization: 'Bearer tok-123456', 'content-type': 'application/json' },
  });
  const failure = await failureOf(at.run(ingest, from('/gone.csv?key=secret://token')));
  expect(seen.at(-1)?.url).toBe('/gone.csv?key=tok-123456');
  expect(failure.reason).not.toContain('tok-');
});

test.each([
  ['/gone.csv', 'DataSource.NotFound', /gone\.csv answered 404/],
  ['/private.csv', 'DataSource.AccessDenied', /answered 403: give credentials in headers/],
  ['/down.csv', 'DataSource.Unreachable', /answered 503: a Retry/],
  ['/login.csv', 'DataSource.BadFormat', /HTML page.*login or error page/],
  ['/slow.csv', 'DataSource.Unreachable', /no data for 0\.3 s/],
  ['/silent.csv', 'DataSource.Unreachable', /no answer within 0\.3 s/],
  ['/broken.csv', 'DataSource.Unreachable', /connection broke after 19 bytes/],
])('%s fails as %s', async (path, error, reason) => {
  const failure = await failureOf(at.run(ingest, { ...from(path), idleTimeoutSeconds: 0.3 }));
  expect(failure.error).toBe(error);
  expect(failure.reason).toMatch(reason);
});

test('a slow body that keeps coming is no failure', async () => {
  const result = await at.run(ingest, { ...from('/trickle.csv'), idleTimeoutSeconds: 0.3 });
  expect(result.rows).toBe(4);
});

test('a closed port is unreachable; an abort ends a hanging body at once', async () => {
  const closed = { source: { type: 'http', url: 'http://127.0.0.1:1/x.csv' } };
  expect(await failureOf(at.run(ingest, closed))).toMatchObject({
    error: 'DataSource.Unreachable',
  });
  const run = at.run(ingest, from('/slow.csv'));
  setTimeout(() => at.abort(new Error('stopped')), 100);
  await expect(run).rejects.toThrow('stopped');
});

test('an address the guard refuses fails under the name the guard gave', async () => {
  const { createGuardedFetch, EGRESS_REFUSED } = await import('../../src/handlers/egress.js');
  const fetch = createGuardedFetch({ allow: [], maxResponseBytes: 1e6, timeoutMs: 1000 });
  const failure = await failureOf(ingest.run(from('/data.csv'), { ...at.context, fetch }));
  expect(failure.error).toBe(EGRESS_REFUSED);
  const open = createGuardedFetch({ allow: ['127.0.0.1'], maxResponseBytes: 1e6, timeoutMs: 1000 });
  const result = await ingest.run(from('/moved'), { ...at.context, fetch: open });
  expect(result).toMatchObject({ rows: 2 });
});
