/** Engines, pools and wake-ups on a Redis Cluster of six nodes, and a master that dies under them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecutionArn } from '../../../src/lib/brand.js';
import type { Tick } from '../../../src/workers/wakes.js';
import { startRequest } from '../../support/run-machine.js';
import { assertJournalLaws } from '../../sim/laws.js';
import { openWorker, type Worker } from '../support/engines.js';
import { REDIS_MISSING, type RedisCluster, redisBinary, startCluster } from '../support/redis.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

const SCRIPT = { 'ml:train': { do: 'ok', afterMs: 100 }, 'io:read': { do: 'ok' } } as const;
const MACHINE = {
  StartAt: 'A',
  States: {
    A: { Type: 'Task', Resource: 'io:read', Next: 'B' },
    B: { Type: 'Task', Resource: 'ml:train', Next: 'W' },
    W: { Type: 'Wait', Seconds: 1, Next: 'C' },
    C: { Type: 'Task', Resource: 'ml:train', End: true },
  },
};

describe.skipIf(binary === null)('engines on a Redis Cluster', () => {
  let cluster: RedisCluster;
  let api: Worker;
  let pool: Worker;

  beforeAll(async () => {
    cluster = await startCluster(binary as string);
    api = await openWorker(cluster.url, SCRIPT, { globs: ['!ml:*'] });
    pool = await openWorker(cluster.url, SCRIPT, { globs: ['ml:*'] });
  }, 60_000);
  afterAll(async () => {
    await Promise.all([api.close(), pool.close()]);
    await cluster.stop();
  });

  const startAll = async (prefix: string) => {
    const arns: ExecutionArn[] = [];
    for (let index = 0; index < 12; index++) {
      const request = startRequest(MACHINE, { index }, { name: `${prefix}-${index}` });
      await api.engine.start(request);
      arns.push(request.identity.arn as ExecutionArn);
    }
    return arns;
  };

  const allEnd = async (arns: readonly ExecutionArn[]) => {
    for (const arn of arns) {
      const status = () =>
        api.engine.state(arn).then(
          (state) => state?.status,
          () => null,
        );
      await expect.poll(status, { timeout: 60_000, interval: 100 }).toBe('SUCCEEDED');
      assertJournalLaws((await pool.engine.facts(arn)) ?? []);
    }
  };

  it('tasks go through queues whose keys share a slot', async () => {
    await allEnd(await startAll('plain'));
    expect(pool.handlers.calls.map(({ resource }) => resource)).not.toContain('io:read');
    expect(pool.handlers.calls.length).toBeGreaterThanOrEqual(24);
    expect(api.handlers.of('ml:train')).toEqual([]);
  }, 90_000);

  it('a tick comes to one process, until it is dropped', async () => {
    const ticks: Tick[] = [];
    for (const { peers } of [api, pool]) peers.wakes.onTick(async (tick) => void ticks.push(tick));
    await api.peers.wakes.setTick('nightly', 400, { machine: 'M' });
    await expect.poll(() => ticks.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(3);
    expect(await pool.peers.wakes.dropTick('nightly')).toBe(true);
    const instants = ticks.map(({ dueAt }) => dueAt);
    expect(new Set(instants).size).toBe(instants.length);
    expect(ticks[0]).toMatchObject({ id: 'nightly', data: { machine: 'M' } });
  }, 30_000);

  it('a master dies while they work, and everything ends', async () => {
    const arns = await startAll('failover');
    await cluster.nodes[0]?.kill();
    await allEnd(arns);
  }, 120_000);
});
