/** Care over a real Redis server: repair while nothing drives, drills, and damage of every kind. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadJournal } from '../../src/runtime/journal.js';
import { openStore } from '../../src/store/open.js';
import { careSuite } from '../care/care-suite.js';
import { arnOf, journalsOf, NAMES, populate } from '../care/population.js';
import { SeededRandom } from '../support/seeded-random.js';
import { REDIS_MISSING, type RedisServer, redisBinary, startRedis } from './support/redis.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

describe.skipIf(binary === null)('Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis(binary as string, { appendonly: 'yes', save: '' });
  });
  afterAll(() => server.stop());

  const keysLike = async (pattern: string): Promise<string[]> =>
    (await server.command('KEYS', pattern)) as string[];

  careSuite('RedisStore', () => {
    const prefix = randomUUID();
    const open = () => openStore(`${server.url}?prefix=${prefix}`);
    return {
      open,
      breakDerived: async (store) => {
        await store.close();
        // Every index, every queue of timers and effects; and what two executions know of theirs.
        for (const key of await keysLike(`${prefix}:*:index`)) await server.command('DEL', key);
        for (const key of await keysLike(`${prefix}:*:work`)) await server.command('DEL', key);
        const [waiting] = await keysLike(`${prefix}:*:e:*:waiting`);
        const [mapped] = await keysLike(`${prefix}:*:e:*:mapped`);
        await server.command('HDEL', waiting ?? '', 'row', 't:deadline', 'heads', 'number');
        const fields = (await server.command('HKEYS', mapped ?? '')) as string[];
        for (const field of fields.filter((one) => /^[to]:/.test(one))) {
          await server.command('HDEL', mapped ?? '', field);
        }
        await server.command('ZADD', `${prefix}:{p03}:index`, '0', 's|S|nonsense|1|arn:gone');
      },
      reopen: open,
      cleanUp: async () => {},
      isRemote: true,
    };
  });

  it('refuses a journal that is changed in any field, 150 places, and a cut or swapped one', async () => {
    const prefix = randomUUID();
    const store = await openStore(`${server.url}?prefix=${prefix}`);
    await populate(store);
    const whole = await journalsOf(store);
    const random = new SeededRandom(3);
    const hashes = await keysLike(`${prefix}:*:e:*`);
    expect(hashes).toHaveLength(NAMES.length);
    const nameOf = (key: string): string => key.split(':').at(-1) ?? '';
    for (let round = 0; round < 150; round++) {
      const key = hashes[Math.floor(random.next() * hashes.length)] as string;
      const fields = (await server.command('HKEYS', key)) as string[];
      const judged = fields.filter((field) => /^(j:\d+|head|commits)$/.test(field));
      const field = judged[Math.floor(random.next() * judged.length)] as string;
      const before = (await server.command('HGET', key, field)) as string;
      const at = Math.floor(random.next() * before.length);
      const code = before.charCodeAt(at) ^ 1;
      const after = before.slice(0, at) + String.fromCharCode(code) + before.slice(at + 1);
      await server.command('HSET', key, field, round % 7 === 0 ? before.slice(0, at) : after);
      await expect(loadJournal(store, arnOf(nameOf(key))), `${field} at ${at}`).rejects.toThrow(
        /damaged/,
      );
      await server.command('HSET', key, field, before);
    }
    const [a, b] = ['parallel', 'mapped'].map((name) =>
      hashes.find((key) => nameOf(key) === name),
    ) as [string, string];
    const last = `j:${((await server.command('HGET', a, 'h')) as string).split(' ')[2]}`;
    const [mine, other] = [
      (await server.command('HGET', a, last)) as string,
      (await server.command('HGET', b, 'j:1')) as string,
    ];
    for (const change of [
      () => server.command('HDEL', a, last),
      () => server.command('HSET', a, last, other),
    ]) {
      await change();
      await expect(loadJournal(store, arnOf('parallel'))).rejects.toThrow(/damaged/);
    }
    await server.command('HSET', a, last, mine);
    expect(await journalsOf(store)).toEqual(whole);
    await store.close();
  });
});
