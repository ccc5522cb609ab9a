/**
 * Redis fails under two engines at work: killed and started again, failed over to a replica that lacks the
 * end, cut off from one engine, and slow enough that a commit arrives after its sender died. Nothing is
 * stuck, nothing is counted twice, no journal is forked.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Fact } from '../../src/core/fact.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import { RedisStore } from '../../src/store/redis.js';
import { assertJournalLaws } from '../sim/laws.js';
import { startRequest } from '../support/run-machine.js';
import type { Script } from '../support/scripted-handlers.js';
import { openWorker, type Worker, type WorkerOptions } from './support/engines.js';
import {
  DURABLE,
  REDIS_MISSING,
  redisBinary,
  type RedisServer,
  startRedis,
} from './support/redis.js';
import { type LossyProxy, startProxy } from './support/redis-proxy.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

const task = (name: string, next: object) => ({ Type: 'Task', Resource: name, ...next });
const MACHINE = {
  StartAt: 'A',
  States: {
    A: task('a', { Next: 'W' }),
    W: { Type: 'Wait', Seconds: 1, Next: 'M' },
    M: {
      Type: 'Map',
      ItemsPath: '$.items',
      ItemProcessor: { StartAt: 'B', States: { B: task('b', { End: true }) } },
      Next: 'C',
    },
    C: task('c', { End: true }),
  },
} as const;
const ITEMS = [1, 2, 3];
const RESULTS = ITEMS.length + 2;
const SCRIPT: Script = {
  a: { do: 'ok', afterMs: 100 },
  b: { do: 'ok', afterMs: 200 },
  c: { do: 'ok', afterMs: 100 },
};
/** An engine that does not sign for a second is taken for lost. */
const OPTIONS: WorkerOptions = { sweepMs: 1_000, times: { signMs: 200, leaseMs: 1_000 } };

describe.skipIf(binary === null)('Redis fails under engines at work', () => {
  const closing: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    while (closing.length > 0) await closing.pop()?.();
  });

  const redis = async (settings = DURABLE as Record<string, string>): Promise<RedisServer> => {
    const server = await startRedis(binary as string, settings);
    closing.push(() => server.stop());
    return server;
  };

  const proxyTo = async (server: RedisServer): Promise<LossyProxy> => {
    const proxy = await startProxy(server.port);
    closing.push(() => proxy.stop());
    return proxy;
  };

  const worker = async (port: number, options: WorkerOptions = OPTIONS): Promise<Worker> => {
    const opened = await openWorker(`redis://127.0.0.1:${port}`, SCRIPT, options);
    closing.push(() => opened.close());
    return opened;
  };

  it('killed three times and started again over what it wrote', async () => {
    const server = await redis();
    const [one, two] = [await worker(server.port), await worker(server.port)];
    const arns = startMany([one, two], 24);
    for (let kill = 0; kill < 3; kill++) {
      await sleep(500);
      await server.kill();
      await sleep(200);
      await server.start();
    }
    await allEnd(two, await arns);
  }, 90_000);

  it('failed over to a replica that lacks the end of what was acknowledged', async () => {
    const server = await redis();
    const replica = await redis({ ...DURABLE, replicaof: `127.0.0.1 ${server.port}` });
    const proxy = await proxyTo(server);
    const [one, two] = [await worker(proxy.port), await worker(proxy.port)];
    const before = await startMany([one, two], 10);
    await sleep(800);
    // A commit that the replica has confirmed is not lost: wait for it, then cut the replica off.
    await expect.poll(() => inStep(server, replica), { timeout: 10_000 }).toBe(true);
    const kept = await lengths(one, before);
    await expect.poll(() => inStep(server, replica), { timeout: 10_000 }).toBe(true);
    await replica.command('REPLICAOF', 'NO', 'ONE');
    const after = await startMany([one, two], 5, 'late');
    await sleep(700);
    await server.kill();
    const promoted = await RedisStore.open(replica.url);
    closing.push(() => promoted.close());
    for (const arn of after) expect(await promoted.row(arn)).toBeNull();
    proxy.pointTo(replica.port);
    // Their starts are lost with the old master; a client that sees that starts again.
    await startMany([one, two], 5, 'late');
    await allEnd(two, [...before, ...after]);
    for (const [arn, length] of kept) {
      const facts = (await two.engine.facts(arn)) ?? [];
      expect(facts.length).toBeGreaterThanOrEqual(length.count);
      expect(facts.slice(0, length.count)).toEqual(length.facts);
    }
  }, 120_000);

  it('cut off from one of two engines while both are at work', async () => {
    const server = await redis();
    const proxy = await proxyTo(server);
    const one = await worker(proxy.port);
    const two = await worker(server.port);
    const arns = await startMany([one, two], 16);
    for (const ms of [1_500, 400]) {
      proxy.refuse(true);
      await sleep(ms);
      proxy.refuse(false);
      await sleep(600);
    }
    await allEnd(two, arns);
    await allEnd(one, arns);
  }, 90_000);

  it('a commit that arrives after its sender died is taken up by the others', async () => {
    const server = await redis();
    const proxy = await proxyTo(server);
    const dying = await openWorker(`redis://127.0.0.1:${proxy.port}`, SCRIPT, OPTIONS);
    const [arn] = await startMany([dying], 1);
    await expect.poll(() => dying.handlers.calls.length, { interval: 5 }).toBe(1);
    proxy.delayRequest('TaskSucceeded');
    await expect.poll(() => proxy.delayed, { interval: 5, timeout: 10_000 }).toBe(true);
    proxy.refuse(true);
    const other = await worker(server.port, { ...OPTIONS, sweepMs: 300 });
    await sleep(100);
    proxy.deliver();
    await allEnd(other, [arn as ExecutionArn]);
    proxy.refuse(false);
    await dying.close();
  }, 90_000);
});

/** All start everything, under the same names, until they are answered. */
async function startMany(
  workers: readonly Worker[],
  count: number,
  prefix = 'run',
): Promise<ExecutionArn[]> {
  const starts = Array.from({ length: count }, async (_, index) => {
    const request = startRequest(MACHINE, { items: ITEMS }, { name: `${prefix}-${index}` });
    const { engine } = workers[index % workers.length] as Worker;
    const started = (): Promise<boolean> =>
      engine.start(request).then(
        () => true,
        () => false,
      );
    await expect.poll(started, { timeout: 30_000 }).toBe(true);
    return request.identity.arn as ExecutionArn;
  });
  return Promise.all(starts);
}

async function allEnd({ engine, store }: Worker, arns: readonly ExecutionArn[]): Promise<void> {
  for (const arn of arns) {
    const status = (): Promise<string | null> =>
      engine.state(arn).then(
        (state) => state?.status ?? null,
        () => null,
      );
    await expect.poll(status, { timeout: 60_000, interval: 100 }).toBe('SUCCEEDED');
    const facts = (await engine.facts(arn)) ?? [];
    assertJournalLaws(facts);
    const counted = facts.flatMap((fact) =>
      fact.type === 'TaskSucceeded' ? [fact.scheduled] : [],
    );
    expect(new Set(counted).size).toBe(RESULTS);
    expect(counted).toHaveLength(RESULTS);
  }
  expect((await store.open(10, null)).items).toEqual([]);
  expect((await store.pendingEffects(10, null)).items).toEqual([]);
  expect(await store.nextTimer()).toBeNull();
}

async function lengths({ engine }: Worker, arns: readonly ExecutionArn[]) {
  const found = new Map<ExecutionArn, { count: number; facts: readonly Fact[] }>();
  for (const arn of arns) {
    const facts = (await engine.facts(arn)) ?? [];
    found.set(arn, { count: facts.length, facts });
  }
  return found;
}

/** Whether the replica has at least what the master had acknowledged when it was asked. */
async function inStep(master: RedisServer, replica: RedisServer): Promise<boolean> {
  const offset = async (server: RedisServer, name: string): Promise<number> => {
    const info = String(await server.command('INFO', 'replication'));
    return Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1] ?? -1);
  };
  const there = await offset(master, 'master_repl_offset');
  return (await offset(replica, 'slave_repl_offset')) >= there;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
