/** Large payloads in a bucket: every worker finds them, they go with their execution, an outage says so. */
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
// @ts-expect-error: s3rver ships no types
import S3rver from 's3rver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXTENDED_LIMITS } from '../../src/core/limits.js';
import { loadJournal } from '../../src/runtime/journal.js';
import { openStore } from '../../src/store/open.js';
import { StoreUnavailable } from '../../src/store/unavailable.js';
import { runMachine, TEST_ARN } from '../support/run-machine.js';
import { commitAfter, EMPTY_HEAD } from '../store/fixtures.js';

const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
const MACHINE = { StartAt: 'P', States: { P: { Type: 'Pass', End: true } } };
const INPUT = { text: 'é'.repeat(300_000) };

describe('payloads in S3', () => {
  let folder: string;
  let server: { close(): Promise<void> };
  let endpoint: string;
  let client: S3Client;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stepwell-payloads-s3-'));
    const made = new S3rver({ port: 0, address: '127.0.0.1', silent: true, directory: folder });
    endpoint = `http://127.0.0.1:${((await made.run()) as AddressInfo).port}`;
    server = made;
    client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
    await client.send(new CreateBucketCommand({ Bucket: 'kept' }));
  });
  afterAll(async () => {
    client.destroy();
    await server.close().catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  });

  const open = (location: string | null, to = endpoint) =>
    openStore(`sqlite:${join(folder, 'a.db')}`, {
      payloads: {
        location,
        fallback: folder,
        s3: () => ({ endpoint: to, region: 'us-east-1', forcePathStyle: true, credentials }),
      },
    });
  const keys = async (): Promise<readonly string[]> => {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: 'kept' }));
    return Contents.map(({ Key = '' }) => Key);
  };

  it('are written before the commit, found by the next process, and removed with the execution', async () => {
    const store = await open('s3://kept/payloads');
    const run = await runMachine(MACHINE, INPUT, {}, { store, limits: EXTENDED_LIMITS });
    expect(run.state.status).toBe('SUCCEEDED');
    expect(await keys()).toHaveLength(2);
    await store.close();

    // Nothing says where: the store knows.
    const again = await open(null);
    const journal = await loadJournal(again, TEST_ARN);
    expect(journal?.facts[0]).toMatchObject({ type: 'ExecutionStarted', input: INPUT });
    await again.remove(TEST_ARN);
    expect(await keys()).toEqual([]);
    await again.close();
  });

  it('that cannot be written are an outage, and the commit is not made', async () => {
    const store = await open('s3://kept/payloads', 'http://127.0.0.1:9');
    const commit = commitAfter(EMPTY_HEAD, 'b', { padding: 300_000 });
    await expect(store.commit(commit)).rejects.toThrow(StoreUnavailable);
    expect(await store.care.head(commit.arn)).toBeNull();
    await store.close();
  });
});
