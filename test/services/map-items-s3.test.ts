import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
// @ts-expect-error: s3rver ships no types
import S3rver from 's3rver';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMapItems } from '../../src/handlers/map-items/index.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { createWorld, mapMachine, PASS, task } from '../runtime/map-run-world.js';

const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

let folder: string;
let stop: () => Promise<void>;
let endpoint: string;
let client: S3Client;

const put = (Key: string, Body: string | Uint8Array) =>
  client.send(new PutObjectCommand({ Bucket: 'data', Key, Body }));

const read = async (Key: string): Promise<string> => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: 'data', Key }));
  return (await Body?.transformToString()) ?? '';
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepwell-map-s3-'));
  const server = new S3rver({ port: 0, address: '127.0.0.1', silent: true, directory: folder });
  const address = (await server.run()) as AddressInfo;
  stop = () => server.close() as Promise<void>;
  endpoint = `http://127.0.0.1:${address.port}`;
  client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: 'data' }));
});
afterAll(async () => {
  client.destroy();
  await stop();
  await rm(folder, { recursive: true, force: true });
});

async function run(fields: JsonObject, input: Json = {}, functions = {}) {
  const s3 = () => ({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  const world = await createWorld({
    functions,
    mapItems: createMapItems({ files: null as never, s3 }),
  });
  const states = Object.keys(functions).length === 0 ? PASS : task('fn:one');
  return (await world.run(mapMachine(fields, states), input)).outcome;
}

const getObject = (Key: string, config: JsonObject): JsonObject => ({
  ItemReader: {
    Resource: 'arn:aws:states:::s3:getObject',
    Parameters: { Bucket: 'data', Key },
    ReaderConfig: config,
  },
});

const listObjects = (Prefix: string, config: JsonObject = {}): JsonObject => ({
  ItemReader: {
    Resource: 'arn:aws:states:::s3:listObjectsV2',
    Parameters: { Bucket: 'data', Prefix },
    ReaderConfig: config,
  },
});

test('an object is read as a stream, compressed or not', async () => {
  await put('a.csv.gz', gzipSync('id\n1\n2\n'));
  const config = { InputType: 'CSV', CSVHeaderLocation: 'FIRST_ROW' };
  expect(await run(getObject('a.csv.gz', config))).toEqual({
    ok: true,
    output: [{ id: '1' }, { id: '2' }],
  });
});

test('a listing goes on past its first page', async () => {
  // s3rver cannot cut a listing: a stand-in answers one object a page.
  const pages = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams;
    const at = Number(query.get('continuation-token') ?? 0);
    const next = at < 3 ? `<NextContinuationToken>${at + 1}</NextContinuationToken>` : '';
    response.setHeader('content-type', 'application/xml');
    response.end(
      `<ListBucketResult><IsTruncated>${at < 3}</IsTruncated>${next}<Contents>` +
        `<Key>${query.get('prefix')}${at}</Key><LastModified>2024-01-01T00:00:00.500Z</LastModified>` +
        '<ETag>&quot;e&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass>' +
        '</Contents></ListBucketResult>',
    );
  });
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
  const before = endpoint;
  endpoint = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  try {
    const outcome = await run(listObjects('many/'));
    const item = { Etag: '"e"', LastModified: 1704067200, Size: 7, StorageClass: 'STANDARD' };
    expect(outcome).toEqual({
      ok: true,
      output: [0, 1, 2, 3].map((at) => ({ ...item, Key: `many/${at}` })),
    });
  } finally {
    endpoint = before;
    pages.close();
  }
});

test('listed objects are loaded and flattened', async () => {
  await put('flat/a.jsonl', '1\n2');
  await put('flat/b.jsonl', '3');
  const config = { InputType: 'JSONL', Transformation: 'LOAD_AND_FLATTEN' };
  expect(await run(listObjects('flat/', config))).toEqual({ ok: true, output: [1, 2, 3] });
});

test('an inventory manifest leads to its files', async () => {
  await put('inventory/data.csv.gz', gzipSync('"data","key one","5"\n"data","key two","6"\n'));
  const manifest = {
    destinationBucket: 'arn:aws:s3:::data',
    fileFormat: 'CSV',
    fileSchema: 'Bucket, Key, Size',
    files: [{ key: 'inventory/data.csv.gz' }],
  };
  await put('inventory/manifest.json', JSON.stringify(manifest));
  expect(await run(getObject('inventory/manifest.json', { InputType: 'MANIFEST' }))).toEqual({
    ok: true,
    output: [
      { Bucket: 'data', Key: 'key one', Size: '5' },
      { Bucket: 'data', Key: 'key two', Size: '6' },
    ],
  });
});

test('an Athena manifest leads to its files', async () => {
  await put('athena/1.jsonl', '{"a":1}');
  await put('athena/manifest.csv', 's3://data/athena/1.jsonl\n');
  const config = { InputType: 'JSONL', ManifestType: 'ATHENA_DATA' };
  expect(await run(getObject('athena/manifest.csv', config))).toEqual({
    ok: true,
    output: [{ a: 1 }],
  });
});

test('an object that is not there fails the Map Run in AWS words', async () => {
  const outcome = await run(getObject('none.json', { InputType: 'JSON' }));
  expect(outcome).toMatchObject({
    failure: {
      error: 'States.ItemReaderFailed',
      cause: expect.stringMatching(
        /\(Service: Amazon S3; Status Code: 404; Error Code: NoSuchKey;/,
      ),
    },
  });
});

test('large results are uploaded in parts', async () => {
  const big = 'x'.repeat(200_000);
  const writer = {
    Resource: 'arn:aws:states:::s3:putObject',
    Parameters: { Bucket: 'data', Prefix: 'out' },
    WriterConfig: { Transformation: 'COMPACT', OutputType: 'JSON' },
  };
  const items = Array.from({ length: 100 }, (_, index) => index);
  const outcome = await run({ ResultWriter: writer }, items, { 'fn:one': () => big });
  const { MapRunArn, ResultWriterDetails } = (outcome as unknown as { output: JsonObject })
    .output as { MapRunArn: string; ResultWriterDetails: JsonObject };
  const id = MapRunArn.split(':').at(-1);
  expect(ResultWriterDetails).toEqual({ Bucket: 'data', Key: `out/${id}/manifest.json` });
  const manifest = JSON.parse(await read(`out/${id}/manifest.json`));
  expect(manifest).toEqual({
    DestinationBucket: 'data',
    MapRunArn,
    ResultFiles: {
      FAILED: [],
      PENDING: [],
      SUCCEEDED: [{ Key: `out/${id}/SUCCEEDED_0.json`, Size: expect.any(Number) }],
    },
  });
  const text = await read(`out/${id}/SUCCEEDED_0.json`);
  expect(text.length).toBe(manifest.ResultFiles.SUCCEEDED[0].Size);
  expect(JSON.parse(text)).toHaveLength(100);
}, 60_000);
