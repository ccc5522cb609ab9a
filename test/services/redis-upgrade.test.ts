/** A store that the program before wrote (schema 2, recorded in test/golden) opens, and its executions go on. */
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExecutionArn } from '../../src/lib/brand.js';
import { openStore } from '../../src/store/open.js';
import { RedisStore } from '../../src/store/redis.js';
import { assertJournalLaws } from '../sim/laws.js';
import { openWorker } from './support/engines.js';
import {
  DURABLE,
  REDIS_MISSING,
  type RedisServer,
  redisBinary,
  startCluster,
  startRedis,
} from './support/redis.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

type Recorded = Readonly<Record<string, { hash?: Record<string, string>; zset?: string[] }>>;
const recorded = JSON.parse(
  readFileSync(new URL('../golden/redis-schema-2.json', import.meta.url), 'utf8'),
) as Recorded;

const arn = (name: string): ExecutionArn =>
  `arn:aws:states:us-east-1:123456789012:execution:Machine:${name}` as ExecutionArn;

type Command = (...args: string[]) => Promise<unknown>;

async function write(command: Command): Promise<void> {
  for (const [key, { hash, zset }] of Object.entries(recorded)) {
    if (hash !== undefined) await command('HSET', key, ...Object.entries(hash).flat());
    if (zset !== undefined) await command('ZADD', key, ...zset.flatMap((one) => ['0', one]));
  }
}

describe.skipIf(binary === null)('a store of schema 2', () => {
  let server: RedisServer;
  beforeEach(async () => {
    server = await startRedis(binary as string, DURABLE);
    await write((...args) => server.command(...args));
  });
  afterEach(() => server.stop());

  it('is taken over whole: rows, timers, effects, journals, and nothing stray', async () => {
    const store = await RedisStore.open(server.url);
    const names = ['done', 'runs', 'waits'];
    const rows = await Promise.all(names.map((name) => store.row(arn(name))));
    expect(rows.map((row) => row?.status)).toEqual(['SUCCEEDED', 'RUNNING', 'RUNNING']);
    for (const [at, name] of names.entries()) {
      const journal = await store.load(arn(name));
      const last = journal.at(-1);
      expect(journal.length).toBeGreaterThan(1);
      expect(await store.head(arn(name))).toEqual({
        seq: (last?.after ?? 0) + (last?.count ?? 0),
        digest: last?.digest,
      });
      expect(rows[at]?.details.type).toBe('STANDARD');
    }
    expect((await store.pendingEffects(10, null)).items.map(({ arn }) => arn)).toEqual([
      arn('runs'),
    ]);
    const waiting = await store.nextTimer();
    expect(waiting?.arn).toBe(arn('waits'));
    expect(await store.care.strays(false)).toEqual([]);
    await store.close();
    expect(await server.command('HGET', 'stepwell:{meta}', 'schema')).toBe('3');
    // Once is enough.
    await (await openStore(server.url, { readOnly: true })).close();
  });

  it('goes on where the older program stopped', async () => {
    const worker = await openWorker(server.url, { a: { do: 'ok' }, slow: { do: 'ok' } });
    for (const name of ['runs', 'waits']) {
      const state = await worker.engine.ended(arn(name), AbortSignal.timeout(20_000));
      expect(state.status).toBe('SUCCEEDED');
      assertJournalLaws((await worker.engine.facts(arn(name))) ?? []);
    }
    expect(await worker.store.care.strays(false)).toEqual([]);
    await worker.close();
  }, 40_000);

  it('cut short is taken over by the next who opens it', async () => {
    await (await RedisStore.open(server.url)).close();
    const keys = (await server.command('KEYS', '*:e:*:waits')) as string[];
    const old = recorded[keys[0] as string]?.hash ?? {};
    await server.command('DEL', keys[0] as string);
    await server.command('HSET', keys[0] as string, ...Object.entries(old).flat());
    await server.command('HSET', 'stepwell:{meta}', 'schema', '2-3');
    const store = await RedisStore.open(server.url);
    expect((await store.nextTimer())?.arn).toBe(arn('waits'));
    expect(await store.care.strays(false)).toEqual([]);
    await store.close();
  });

  it('is not touched while the older program is connected, nor by one who only reads', async () => {
    await expect(openStore(server.url, { readOnly: true })).rejects.toThrow(/converts it/);
    const older = new Redis(server.url, { connectionName: 'stepwell' });
    await older.ping();
    await expect(RedisStore.open(server.url)).rejects.toThrow(/1 clients of an older Stepwell/);
    expect(await server.command('HGET', 'stepwell:{meta}', 'schema')).toBe('2');
    older.disconnect();
    await expect
      .poll(() =>
        RedisStore.open(server.url).then(
          (store) => store.close().then(() => 'open'),
          () => 'refused',
        ),
      )
      .toBe('open');
  });

  it('on a Cluster is taken over on every server', async () => {
    const cluster = await startCluster(binary as string);
    const { Cluster } = await import('ioredis');
    const [host = '', port = ''] = cluster.url.replace('redis+cluster://', '').split(/[:,]/);
    const client = new Cluster([{ host, port: Number(port) }]);
    await write((command, ...args) => client.call(command as string, ...args));
    client.disconnect();
    const store = await RedisStore.open(cluster.url);
    for (const name of ['done', 'runs', 'waits']) {
      expect((await store.load(arn(name))).length).toBeGreaterThan(1);
    }
    expect(await store.care.strays(false)).toEqual([]);
    await store.close();
    await cluster.stop();
  }, 60_000);
});
