import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
// @ts-expect-error: s3rver ships no types
import S3rver from 's3rver';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ingestHandler } from '../../src/handlers/ml/ingest.js';
import { type Bench, bench, failureOf } from './support/handler-context.js';

const secrets = { 's3-key': 'S3RVER', 's3-secret': 'S3RVER' };
const credentials = { accessKeyId: 's3-key', secretAccessKey: 's3-secret' };
const rows = Array.from({ length: 5000 }, (_, i) => ({ text: `row ${i} é`, n: i }));

let folder: string;
let stop: () => Promise<void>;
let endpoint: string;
let at: Bench;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepwell-s3-'));
  const server = new S3rver({ port: 0, address: '127.0.0.1', silent: true, directory: folder });
  const address = (await server.run()) as AddressInfo;
  stop = () => server.close() as Promise<void>;
  endpoint = `http://127.0.0.1:${address.port}`;
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  await client.send(new CreateBucketCommand({ Bucket: 'feedback' }));
  const put = (Key: string, Body: string) =>
    client.send(new PutObjectCommand({ Bucket: 'feedback', Key, Body }));
  await put('week 1/data+x.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
  await put('data.csv', `text,n\n${rows.map(({ text, n }) => `${text},${n}`).join('\n')}\n`);
  client.destroy();
});
afterAll(async () => {
  await stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  at = await bench(secrets);
});
afterEach(() => at.close());

const from = (uri: string, more = {}) => ({ source: { type: 's3', uri, credentials, ...more } });

test('an object is read from a configured endpoint, whatever is in its key', async () => {
  const ingest = ingestHandler({ s3: { endpoint } });
  const lines = await at.run(ingest, from('s3://feedback/week 1/data+x.jsonl'));
  const csv = await at.run(ingest, from('s3://feedback/data.csv'));
  expect(lines.rows).toBe(5000);
  expect(csv.uri).toBe(lines.uri);
  expect((await at.rows(String(csv.uri)))[4999]).toEqual(rows[4999]);
});

test('a source may name an endpoint the operator listed, and no other', async () => {
  const ingest = ingestHandler({ s3: { endpoints: [`${endpoint}/`] } });
  expect(await at.run(ingest, from('s3://feedback/data.csv', { endpoint }))).toMatchObject({
    rows: 5000,
  });
  const other = 'http://169.254.169.254';
  const failure = await failureOf(
    at.run(ingest, from('s3://feedback/data.csv', { endpoint: other })),
  );
  expect(failure.error).toBe('DataSource.AccessDenied');
  expect(failure.reason).toContain('is not configured: the operator adds it to s3.endpoints');
});

test('without an endpoint only hosts of Amazon are called, whatever the region says', async () => {
  const region = '1/@127.0.0.1/';
  const failure = await failureOf(
    at.run(ingestHandler(), from('s3://feedback/data.csv', { region })),
  );
  expect(['DataSource.AccessDenied', 'DataSource.Unreachable']).toContain(failure.error);
  expect(failure.reason).toMatch(/neither Amazon's nor configured|hostname|region/i);
});

test.each([
  ['s3://feedback/nothing.csv', {}, 'DataSource.NotFound', /there is no such object/],
  ['s3://nowhere/data.csv', {}, 'DataSource.NotFound', /no bucket "nowhere"/],
  [
    's3://feedback/data.csv',
    { credentials: { accessKeyId: 'wrong', secretAccessKey: 's3-secret' } },
    'DataSource.AccessDenied',
    /InvalidAccessKeyId\. Check the key/,
  ],
  [
    's3://feedback/data.csv',
    { credentials: { accessKeyId: 's3-key', secretAccessKey: 'unset' } },
    'Secret.NotConfigured',
    /"unset"/,
  ],
])('%s with %j fails as %s', async (uri, more, error, reason) => {
  const own = await bench({ ...secrets, wrong: 'NOT-THE-KEY' });
  const failure = await failureOf(own.run(ingestHandler({ s3: { endpoint } }), from(uri, more)));
  expect(failure.error).toBe(error);
  expect(failure.reason).toMatch(reason);
  expect(failure.reason).not.toContain('NOT-THE-KEY');
  await own.close();
});

test('configured credentials may stand by the name of a secret; none at all is said plainly', async () => {
  const configured = { accessKeyId: 'S3RVER', secretAccessKey: 'secret://s3-secret' };
  const source = { source: { type: 's3', uri: 's3://feedback/data.csv' } };
  const ingest = ingestHandler({ s3: { endpoint, credentials: configured } });
  expect(await at.run(ingest, source)).toMatchObject({ rows: 5000 });
  const failure = await failureOf(at.run(ingestHandler({ s3: { endpoint } }), source));
  expect(failure.reason).toContain('no credentials. Name two secrets in source.credentials');
});

test('a store that does not answer is unreachable', async () => {
  const ingest = ingestHandler({ s3: { endpoint: 'http://127.0.0.1:1' } });
  const failure = await failureOf(at.run(ingest, from('s3://feedback/data.csv')));
  expect(failure.error).toBe('DataSource.Unreachable');
});
