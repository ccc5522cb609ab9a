/** Replicas: commits that wait for copies, and a failover that sentinels decide under running engines. */
import { describe, expect, it } from 'vitest';
import type { ExecutionArn } from '../../src/lib/brand.js';
import { RedisStore } from '../../src/store/redis.js';
import { parseRedisUrl } from '../../src/store/redis-url.js';
import { commitAfter, EMPTY_HEAD, executionArn, headAfter } from '../store/fixtures.js';
import { startRequest } from '../support/run-machine.js';
import { assertJournalLaws } from '../sim/laws.js';
import { openWorker } from './support/engines.js';
import {
  DURABLE,
  REDIS_MISSING,
  redisBinary,
  startCluster,
  startRedis,
  startSentinels,
} from './support/redis.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

describe('the address', () => {
  it('names sentinels, their group, and what a commit waits for', () => {
    const url =
      'redis+sentinel://u:p@a:1,b/main/2?sentinelPassword=s&wait=2&waitaof=1,1&waitMs=300';
    expect(parseRedisUrl(url)).toMatchObject({
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26_379 },
      ],
      sentinel: { group: 'main', password: 's' },
      database: 2,
      wait: { replicas: 2, localDisk: true, replicaDisks: 1, waitMs: 300 },
    });
  });

  it.each([
    ['redis+sentinel://a:1', /group/],
    ['redis://a/x', /number of a database/],
    ['redis://a?wait=-1', /wait is a number/],
    ['redis://a?waitaof=2', /waitaof is a number/],
    ['redis://a?waitMs=0', /waitMs/],
    ['redis://a?copies=1', /Known: prefix/],
  ])('%s is refused', (url, message) => {
    expect(() => parseRedisUrl(url)).toThrow(message);
  });
});

describe.skipIf(binary === null)('replicas', () => {
  it('a commit with too few copies is unknown, and known once they are there', async () => {
    const master = await startRedis(binary as string);
    const settings = { ...DURABLE, replicaof: `127.0.0.1 ${master.port}` };
    const replica = await startRedis(binary as string, settings);
    const store = await RedisStore.open(`${master.url}?wait=1&waitMs=400`);
    expect(store.description).toContain('each commit waits for 1 replica');
    const first = commitAfter(EMPTY_HEAD, 'waits');
    await expect.poll(() => store.commit(first).catch(() => 'not yet')).not.toBe('not yet');
    await replica.kill();
    const second = commitAfter(headAfter(first), 'waits');
    await expect(store.commit(second)).rejects.toMatchObject({ outcomeUnknown: true });
    // Whoever reads to find out is not told before the copy is there.
    await expect(store.load(executionArn('waits'))).rejects.toMatchObject({ outcomeUnknown: true });
    await replica.start();
    await expect
      .poll(() => store.load(executionArn('waits')).catch(() => []), { timeout: 20_000 })
      .toHaveLength(2);
    await store.close();
    await Promise.all([master.stop(), replica.stop()]);
  }, 60_000);

  it('waitaof is refused where the server does not know it', async () => {
    const server = await startRedis(binary as string);
    const version = /redis_version:(\d+)\.(\d+)/.exec(String(await server.command('INFO')));
    const knows = Number(version?.[1]) * 100 + Number(version?.[2]) >= 702;
    const opened = RedisStore.open(`${server.url}?waitaof=1`);
    if (knows) await (await opened).close();
    else await expect(opened).rejects.toThrow(/waitaof needs 7\.2/);
    await server.stop();
  });

  it('on a Cluster each commit waits for the replica of its own master', async () => {
    const cluster = await startCluster(binary as string);
    const store = await RedisStore.open(`${cluster.url}?wait=1`);
    const names = Array.from({ length: 20 }, (_, index) => `spread-${index}`);
    const answers = await Promise.all(
      names.map((name) => store.commit(commitAfter(EMPTY_HEAD, name))),
    );
    expect(new Set(answers)).toEqual(new Set(['committed']));
    await store.close();
    await cluster.stop();
  }, 60_000);

  it('sentinels fail over while engines work: every execution ends, no journal is forked', async () => {
    const group = await startSentinels(binary as string);
    const url = `${group.url}?wait=1&waitMs=1000`;
    const script = { a: { do: 'ok', afterMs: 200 } } as const;
    const [one, two] = await Promise.all([
      openWorker(url, script, { globs: ['!a'] }),
      openWorker(url, script, { globs: ['a'] }),
    ]);
    const machine = {
      StartAt: 'A',
      States: {
        A: { Type: 'Task', Resource: 'a', Next: 'W' },
        W: { Type: 'Wait', Seconds: 2, Next: 'B' },
        B: { Type: 'Task', Resource: 'a', End: true },
      },
    };
    const arns: ExecutionArn[] = [];
    for (let index = 0; index < 10; index++) {
      const request = startRequest(machine, { index }, { name: `s-${index}` });
      // Starting again under the same name starts once.
      await expect
        .poll(() =>
          one.engine.start(request).then(
            () => true,
            () => false,
          ),
        )
        .toBe(true);
      arns.push(request.identity.arn as ExecutionArn);
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    await group.master.kill();
    const killed = Date.now();
    // The master that is gone may come back as a replica: commits wait for one.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    await group.master.start();
    for (const arn of arns) {
      const status = () =>
        one.engine.state(arn).then(
          (state) => state?.status,
          () => null,
        );
      await expect.poll(status, { timeout: 90_000, interval: 200 }).toBe('SUCCEEDED');
      assertJournalLaws((await two.engine.facts(arn)) ?? []);
    }
    console.info(`all ended ${Date.now() - killed} ms after the master was killed`);
    await Promise.all([one.close(), two.close()]);
    await group.stop();
  }, 120_000);
});
