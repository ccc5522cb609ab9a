/** The Redis store where only Redis can go wrong: crashes, lost replies, settings, races, memory. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EpochMs, ExecutionArn } from '../../src/lib/brand.js';
import { MemoryStore } from '../../src/store/memory.js';
import { openStore } from '../../src/store/open.js';
import { RedisStore, type RedisStoreOptions } from '../../src/store/redis.js';
import type { Commit, ExecutionFilter, ExecutionStatus, Store } from '../../src/store/store.js';
import {
  allPages,
  commitAfter,
  EMPTY_HEAD,
  executionArn,
  headAfter,
  MACHINE,
} from '../store/fixtures.js';
import {
  DURABLE,
  REDIS_MISSING,
  type RedisServer,
  redisBinary,
  startRedis,
} from './support/redis.js';
import { type LossyProxy, startProxy } from './support/redis-proxy.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

const SHORT = { commandMs: 400, callMs: 2_500, recheckMs: 60_000 };

describe.skipIf(binary === null)('RedisStore', () => {
  let server: RedisServer;
  const closers: (() => Promise<void>)[] = [];
  const begin = async (settings?: Record<string, string>) => {
    server = await startRedis(binary as string, settings);
    closers.push(() => server.stop());
  };
  const open = async (url = server.url, options: RedisStoreOptions = {}) => {
    const store = await RedisStore.open(url, options);
    closers.push(() => store.close());
    return store;
  };
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  describe('a crash of the server', () => {
    it('loses no acknowledged commit with appendfsync always, and writers go on', async () => {
      await begin(DURABLE);
      const store = await open();
      const acknowledged = new Map<ExecutionArn, string[]>();
      let running = true;
      const write = async (name: string) => {
        const mine: string[] = [];
        acknowledged.set(executionArn(name), mine);
        for (let head = EMPTY_HEAD; running; ) {
          const commit = commitAfter(head, name, {
            padding: 300,
            timers: [{ key: String(head.after), dueAt: (head.after + 1) as EpochMs }],
          });
          expect(await store.commit(commit)).toBe('committed');
          mine.push(commit.digest);
          head = headAfter(commit);
        }
      };
      const writers = Promise.all(Array.from({ length: 8 }, (_, i) => write(`writer-${i}`)));
      for (let round = 0; round < 8; round += 1) {
        await new Promise((done) => setTimeout(done, 100 + 37 * round));
        await server.kill();
        await server.start();
      }
      running = false;
      await writers;
      let kept = 0;
      for (const [arn, digests] of acknowledged) {
        expect((await store.load(arn)).map((commit) => commit.digest)).toEqual(digests);
        kept += digests.length;
      }
      expect(await store.dueTimers(1e12 as EpochMs, 1e6)).toHaveLength(kept);
      expect(kept).toBeGreaterThan(100);
    }, 120_000);

    it('that comes back without the store is not written to as if nothing had been', async () => {
      await begin(DURABLE);
      const store = await open(server.url, { times: SHORT });
      await store.commit(commitAfter(EMPTY_HEAD, 'a'));
      await server.command('FLUSHALL');
      await server.kill();
      await server.start();
      await expect(store.commit(commitAfter(EMPTY_HEAD, 'a'))).rejects.toThrow(
        /came back without the store/,
      );
      expect(await server.command('DBSIZE')).toBe(0);
    });

    it('with everything away is StoreUnavailable in bounded time, and says nothing was sent', async () => {
      await begin(DURABLE);
      const store = await open(server.url, { times: SHORT });
      await server.kill();
      await new Promise((done) => setTimeout(done, 50));
      const started = Date.now();
      const failed = store.commit(commitAfter(EMPTY_HEAD, 'a'));
      await expect(failed).rejects.toMatchObject({
        name: 'StoreUnavailable',
        outcomeUnknown: false,
      });
      expect(Date.now() - started).toBeLessThan(2 * SHORT.callMs);
      await server.start();
      expect(await store.commit(commitAfter(EMPTY_HEAD, 'a'))).toBe('committed');
    });
  });

  describe('the settings of the server', () => {
    const refused = async (url = server.url) =>
      open(url).then(
        () => 'accepted',
        (error: Error) => `${error.name}: ${error.message}`,
      );

    it('an evicting policy is refused, at start and after a reconnect', async () => {
      await begin({ ...DURABLE, 'maxmemory-policy': 'allkeys-lru' });
      expect(await refused()).toMatch(/^StoreUnavailable: .*maxmemory-policy is allkeys-lru/);
      expect((await open(`${server.url}?unsafe=1`)).description).toMatch(
        /UNSAFE: maxmemory-policy/,
      );
      await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      const store = await open(server.url, { times: SHORT });
      await store.commit(commitAfter(EMPTY_HEAD, 'a'));
      await server.kill();
      await server.start();
      await expect(store.row(executionArn('a'))).rejects.toThrow(/is not used: maxmemory-policy/);
    });

    it('a policy that is changed while the store is open is noticed', async () => {
      await begin(DURABLE);
      const store = await open(server.url, { times: { recheckMs: 50 } });
      await server.command('CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru');
      await expect.poll(() => store.row(executionArn('a')).catch(String)).toMatch(/volatile-lru/);
      await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      await expect.poll(() => store.row(executionArn('a')).catch(String)).toBeNull();
    });

    it('a server that keeps nothing is refused unless the user accepts it', async () => {
      await begin({ appendonly: 'no', save: '' });
      expect(await refused()).toMatch(/keeps nothing on disk .*unsafe=1/);
      const store = await open(`${server.url}?unsafe=1`);
      expect(store.description).toMatch(/a crash of the server loses everything; UNSAFE/);
    });

    it.each([
      [DURABLE, /appendfsync always: a crash loses nothing that was acknowledged\)$/],
      [{ appendonly: 'yes', appendfsync: 'everysec' }, /about the last second\)$/],
      [{ appendonly: 'yes', appendfsync: 'no' }, /about the last 30 seconds\)$/],
      [{ appendonly: 'no', save: '60 1000' }, /snapshots only \(save 60 1000\): a crash loses/],
    ])('the description says what %j can lose', async (settings, sentence) => {
      await begin(settings);
      expect((await open()).description).toMatch(sentence);
    });

    it('a replica is refused', async () => {
      await begin(DURABLE);
      await server.command('REPLICAOF', '127.0.0.1', '1');
      expect(await refused(`${server.url}?unsafe=1`)).toMatch(/it is a replica/);
    });

    it('a missing and a wrong password are refused in a sentence that does not repeat it', async () => {
      await begin(DURABLE);
      await server.command('CONFIG', 'SET', 'requirepass', 'pass-w0rd');
      expect(await refused()).toMatch(/^StoreUnavailable: .*wants a password/);
      const wrong = await refused(`redis://:other@127.0.0.1:${server.port}`);
      expect(wrong).toMatch(/^StoreUnavailable: .*password is wrong/);
      const admin = await open(`redis://default:pass-w0rd@127.0.0.1:${server.port}`);
      expect(admin.description).not.toMatch(/pass-w0rd/);
    });

    it('a user who may not run a command of the scripts is refused at start', async () => {
      await begin(DURABLE);
      await server.command('ACL', 'SETUSER', 'weak', 'on', '>secret', '~*', '+@all', '-zadd');
      expect(await refused(`redis://weak:secret@127.0.0.1:${server.port}`)).toMatch(
        /^StoreUnavailable: .*refuses/,
      );
      await server.command('ACL', 'SETUSER', 'plain', 'on', '>secret', '~*', '+@all', '-config');
      const plain = await open(`redis://plain:secret@127.0.0.1:${server.port}`);
      expect(plain.description).toMatch(/does not say when it is synced/);
    });

    it('nobody at the address, a bad address and an unknown option are told at once', async () => {
      await begin(DURABLE);
      const started = Date.now();
      expect(await refused('redis://127.0.0.1:1')).toMatch(/cannot be reached: .*ECONNREFUSED/);
      expect(Date.now() - started).toBeLessThan(3_000);
      expect(await refused(`${server.url}?prefx=a`)).toMatch(/Unknown Redis option "prefx"/);
      expect(await refused('redis://a:1,b:2')).toMatch(/redis\+cluster/);
      expect(await refused('redis://a:b:c')).toMatch(/StoreUnavailable/);
    });
  });

  describe('several workers', () => {
    it('race on one execution, and exactly one wins each seq', async () => {
      await begin(DURABLE);
      const stores = await Promise.all(Array.from({ length: 4 }, () => open()));
      const won = new Map<number, number>();
      const race = async (store: Store, worker: number) => {
        for (;;) {
          const journal = await store.load(executionArn('raced'));
          const last = journal.at(-1);
          if (journal.length >= 300) return;
          const head =
            last === undefined ? EMPTY_HEAD : headAfter(last as Parameters<typeof headAfter>[0]);
          const commit = commitAfter(head, 'raced', { note: `worker ${worker}` });
          if ((await store.commit(commit)) === 'conflict') continue;
          won.set(commit.after, (won.get(commit.after) ?? 0) + 1);
        }
      };
      await Promise.all(stores.map((store, worker) => race(store, worker)));
      expect(new Set(won.values())).toEqual(new Set([1]));
      const journal = await (stores[0] as Store).load(executionArn('raced'));
      expect(journal.map((commit) => commit.after)).toEqual([...won.keys()].sort((a, b) => a - b));
    });

    it('a reader sees what a writer wrote, and cannot write', async () => {
      await begin(DURABLE);
      await expect(openStore(server.url, { readOnly: true })).rejects.toThrow(/There is no store/);
      const writer = await open();
      await writer.commit(commitAfter(EMPTY_HEAD, 'a'));
      const reader = await openStore(server.url, { readOnly: true });
      closers.push(() => reader.close());
      expect(await reader.load(executionArn('a'))).toHaveLength(1);
      expect((await reader.list({}, 10, null)).items).toHaveLength(1);
      await expect(reader.commit(commitAfter(EMPTY_HEAD, 'b'))).rejects.toThrow(/read-only/);
      await expect(reader.documents.put('k', 'i', 1, null)).rejects.toThrow(/read-only/);
      expect(await writer.row(executionArn('b'))).toBeNull();
    });

    it('stores with other prefixes share a server and see nothing of each other', async () => {
      await begin(DURABLE);
      const one = await open(`${server.url}?prefix=one`);
      const other = await open(`${server.url}?prefix=other`);
      await one.commit(commitAfter(EMPTY_HEAD, 'a', { outbox: [{ key: '1', effect: 1 }] }));
      expect((await other.open(10, null)).items).toEqual([]);
      expect((await other.pendingEffects(10, null)).items).toEqual([]);
      expect(await other.commit(commitAfter(EMPTY_HEAD, 'a'))).toBe('committed');
    });
  });

  describe('a lost reply', () => {
    let proxy: LossyProxy;
    let store: RedisStore;
    let direct: RedisStore;
    beforeEach(async () => {
      await begin(DURABLE);
      direct = await open();
      proxy = await startProxy(server.port);
      closers.push(() => proxy.stop());
      store = await open(`redis://127.0.0.1:${proxy.port}`, { times: SHORT });
    });

    it.each(['cut', 'silence'] as const)(
      '(%s) of an applied commit is recognised',
      async (then) => {
        const first = commitAfter(EMPTY_HEAD, 'a', { outbox: [{ key: '1', effect: 'once' }] });
        proxy.loseReplyTo('execution:Demo:a', then);
        expect(await store.commit(first)).toBe('committed');
        expect(proxy.lost).toBe(true);
        expect(await direct.load(first.arn)).toHaveLength(1);
        expect((await direct.pendingEffects(10, null)).items).toHaveLength(1);
        expect(await store.commit(first)).toBe('conflict');
        expect(await store.commit(commitAfter(headAfter(first), 'a'))).toBe('committed');
      },
    );

    it('is recognised although another worker has gone on from there', async () => {
      const first = commitAfter(EMPTY_HEAD, 'a', { count: 2 });
      proxy.loseReplyTo('execution:Demo:a', 'silence');
      const answer = store.commit(first);
      await expect.poll(() => proxy.lost).toBe(true);
      for (let head = headAfter(first), i = 0; i < 3; i += 1) {
        const next = commitAfter(head, 'a', { count: i % 2 });
        expect(await direct.commit(next)).toBe('committed');
        head = headAfter(next);
      }
      expect(await answer).toBe('committed');
      expect(await direct.load(first.arn)).toHaveLength(4);
    });

    it('of a commit that was a conflict stays a conflict', async () => {
      const mine = commitAfter(EMPTY_HEAD, 'a', { note: 'mine' });
      expect(await direct.commit(commitAfter(EMPTY_HEAD, 'a', { note: 'theirs' }))).toBe(
        'committed',
      );
      proxy.loseReplyTo('execution:Demo:a', 'cut');
      expect(await store.commit(mine)).toBe('conflict');
      expect(proxy.lost).toBe(true);
    });

    it('with the server out of reach afterwards rejects with outcomeUnknown, in bounded time', async () => {
      const first = commitAfter(EMPTY_HEAD, 'a');
      proxy.loseReplyTo('execution:Demo:a', 'silence');
      const answer = store.commit(first).catch((error) => error);
      await expect.poll(() => proxy.lost).toBe(true);
      proxy.refuse(true);
      const started = Date.now();
      expect(await answer).toMatchObject({ name: 'StoreUnavailable', outcomeUnknown: true });
      expect(Date.now() - started).toBeLessThan(2 * SHORT.callMs);
      proxy.refuse(false);
      expect(await store.load(first.arn)).toHaveLength(1);
    });

    it('of a removal does not remove what was started anew since', async () => {
      const ended = commitAfter(EMPTY_HEAD, 'a', { row: { status: 'FAILED' } });
      await direct.commit(ended);
      proxy.loseReplyTo('execution:Demo:a', 'silence');
      const removed = store.remove(ended.arn);
      await expect.poll(() => proxy.lost).toBe(true);
      expect(await direct.commit(commitAfter(EMPTY_HEAD, 'a'))).toBe('committed');
      await removed;
      expect(await direct.load(ended.arn)).toHaveLength(1);
    });

    it('of a document is recognised, and of its removal is said to be unknown', async () => {
      proxy.loseReplyTo('"body"', 'cut');
      expect(await store.documents.put('k', 'id', 'body', null)).toBe(1);
      expect(proxy.lost).toBe(true);
      expect(await store.documents.put('k', 'id', 'body', null)).toBe('conflict');
      proxy.loseReplyTo('{d:k}:bodies', 'cut');
      await expect(store.documents.remove('k', 'id')).rejects.toMatchObject({
        outcomeUnknown: true,
      });
      expect(await store.documents.remove('k', 'id')).toBe(false);
    });
  });

  it('a commit with thousands of timers and effects passes, and so does its end', async () => {
    await begin({ appendonly: 'yes', appendfsync: 'no' });
    const store = await open();
    const keys = Array.from({ length: 5_000 }, (_, i) => String(i));
    const first = commitAfter(EMPTY_HEAD, 'a', {
      timers: keys.map((key) => ({ key, dueAt: Number(key) as EpochMs })),
      outbox: keys.map((key) => ({ key, effect: key })),
    });
    expect(await store.commit(first)).toBe('committed');
    expect(await store.dueTimers(9_999 as EpochMs, 9_999)).toHaveLength(5_000);
    const pending = await allPages((token) => store.pendingEffects(999, token));
    expect(pending.map((entry) => entry.key)).toEqual(keys);
    const last = commitAfter(headAfter(first), 'a', {
      timers: keys.map((key) => ({ key, dueAt: null })),
      outbox: keys.map((key) => ({ key, effect: null })),
    });
    expect(await store.commit(last)).toBe('committed');
    expect(await store.nextTimer()).toBeNull();
    expect((await store.pendingEffects(1, null)).items).toEqual([]);
  });

  it('a journal of thousands of commits comes back whole', async () => {
    await begin({ appendonly: 'yes', appendfsync: 'no' });
    const store = await open();
    const commits: Commit[] = [];
    for (let head = EMPTY_HEAD, i = 0; i < 2_500; i += 1) {
      const made = commitAfter(head, 'a', { count: i % 3 });
      commits.push(made);
      head = headAfter(made);
    }
    await Promise.all(commits.map((made) => store.commit(made)));
    const journal = await store.load(executionArn('a'));
    expect(journal.map((commit) => commit.digest)).toEqual(commits.map((made) => made.digest));
  });

  describe('a commit is all or nothing', () => {
    const everything = () =>
      commitAfter(EMPTY_HEAD, 'a', {
        timers: [{ key: '1', dueAt: 5 as EpochMs }],
        outbox: [{ key: '1', effect: 'x' }],
      });
    const keysOf = async () => ((await server.command('KEYS', '*')) as string[]).sort();

    it('a full memory refuses it whole, and removing still works', async () => {
      await begin(DURABLE);
      const store = await open(server.url, { times: { recheckMs: 20 } });
      const ended = commitAfter(EMPTY_HEAD, 'old', { padding: 1_000_000 });
      await store.commit(ended);
      const before = await keysOf();
      await server.command('CONFIG', 'SET', 'maxmemory', '1000000');
      const failed = store.commit(everything());
      await expect(failed).rejects.toMatchObject({ outcomeUnknown: false });
      await expect(failed).rejects.toThrow(/memory is full/);
      expect(await keysOf()).toEqual(before);
      await new Promise((done) => setTimeout(done, 100));
      expect(await (await open()).load(ended.arn)).toHaveLength(1);
      await store.remove(ended.arn);
      expect(await store.row(ended.arn)).toBeNull();
      await server.command('CONFIG', 'SET', 'maxmemory', '0');
      expect(await store.commit(everything())).toBe('committed');
    });

    it('a key of another type anywhere refuses it whole', async () => {
      await begin(DURABLE);
      const store = await open();
      await store.commit(everything());
      const written = (await keysOf()).filter((key) => !key.includes('meta'));
      expect(written).toHaveLength(3);
      await store.remove(everything().arn);
      for (const key of written) {
        await server.command('SET', key, 'something else');
        const before = await keysOf();
        await expect(store.commit(everything())).rejects.toThrow(/belongs to something else/);
        expect(await keysOf()).toEqual(before);
        await server.command('DEL', key);
      }
      expect(await store.commit(everything())).toBe('committed');
    });

    it('commits of one moment are each judged by themselves', async () => {
      await begin(DURABLE);
      const store = await open();
      const damaged = executionArn('damaged');
      await store.commit(commitAfter(EMPTY_HEAD, 'damaged'));
      const [key] = (await server.command('KEYS', `*:e:${damaged}`)) as string[];
      await server.command('DEL', key as string);
      await server.command('SET', key as string, 'something else');
      const names = ['a', 'b', 'damaged', 'c', 'd'];
      for (const order of [names, ['damaged', 'a', 'b', 'c', 'd']]) {
        const made = order.map((name) => commitAfter(EMPTY_HEAD, name));
        // The second of each name comes too late.
        const results = await Promise.allSettled(
          [...made, ...made].map((commit) => store.commit(commit)),
        );
        const shown = results.map((one) =>
          one.status === 'fulfilled' ? one.value : (one.reason as Error).message,
        );
        for (const [at, name] of [...order, ...order].entries()) {
          if (name === 'damaged') expect(shown[at]).toMatch(/belongs to something else/);
          // A commit that a refused call is taken apart for may be asked about twice.
          else if (at < order.length) expect(shown[at]).toBe('committed');
        }
        for (const name of ['a', 'b', 'c', 'd']) {
          expect(await store.load(executionArn(name))).toHaveLength(1);
          await store.remove(executionArn(name));
        }
      }
    });

    it('a timer that is dropped wakes nobody, and a later one of its execution is found', async () => {
      await begin(DURABLE);
      const store = await open();
      const first = commitAfter(EMPTY_HEAD, 'a', {
        timers: [
          { key: 'soon', dueAt: 5 as EpochMs },
          { key: 'late', dueAt: 900 as EpochMs, holder: 'me' },
        ],
      });
      await store.commit(first);
      await store.commit(
        commitAfter(EMPTY_HEAD, 'b', { timers: [{ key: 'b', dueAt: 500 as EpochMs }] }),
      );
      const second = commitAfter(headAfter(first), 'a', { timers: [{ key: 'soon', dueAt: null }] });
      await store.commit(second);
      const index = async () => {
        const keys = ((await server.command('KEYS', '*:work')) as string[]).sort();
        const all = keys.map(
          (key) => server.command('ZRANGE', key, '0', '-1') as Promise<string[]>,
        );
        return (await Promise.all(all)).flat();
      };
      // The entry says no more than that nothing is due before.
      expect(
        (await index()).filter((entry) => entry.startsWith('t|0000000000000005|')),
      ).toHaveLength(1);
      expect((await store.nextTimer())?.key).toBe('b');
      expect(await store.dueTimers(499 as EpochMs, 10)).toEqual([]);
      expect(await store.dueTimers(900 as EpochMs, 1)).toMatchObject([{ key: 'b' }]);
      const due = await store.dueTimers(900 as EpochMs, 10);
      expect(due.map(({ key, dueAt, holder }) => [key, dueAt, holder])).toEqual([
        ['b', 500, undefined],
        ['late', 900, 'me'],
      ]);
      // Whoever met it put it right.
      expect((await index()).filter((entry) => entry.startsWith('t|0000000000000005|'))).toEqual(
        [],
      );
      await store.touchTimer(first.arn, 'late', 300 as EpochMs);
      expect((await store.nextTimer())?.key).toBe('late');
      expect(await store.care.strays(false)).toEqual([]);
      await store.commit(
        commitAfter(headAfter(second), 'a', { timers: [{ key: 'late', dueAt: null }] }),
      );
      expect((await index()).filter((entry) => entry.includes('Demo:a'))).toEqual([]);
    });

    it('removing every execution and document leaves nothing but the signature', async () => {
      await begin(DURABLE);
      const store = await open();
      for (let i = 0; i < 50; i += 1) {
        const first = commitAfter(EMPTY_HEAD, `e${i}`, {
          row: { mapRunArn: 'arn:map', stateMachineAliasArn: 'arn:alias', startedAt: i as EpochMs },
          timers: [1, 2, 3].map((key) => ({ key: String(key), dueAt: (i * key) as EpochMs })),
          outbox: [{ key: 'k', effect: 1 }],
        });
        await store.commit(first);
        await store.touchTimer(first.arn, '2', 7 as EpochMs);
        await store.commit(
          commitAfter(headAfter(first), `e${i}`, {
            row: { status: 'FAILED', startedAt: (i + 1) as EpochMs },
            timers: [{ key: '1', dueAt: null }],
            outbox: [{ key: 'l', effect: 1 }],
          }),
        );
      }
      await store.documents.put('k', 'id', 1, null);
      await store.documents.remove('k', 'id');
      for (let i = 0; i < 50; i += 1) await store.remove(executionArn(`e${i}`));
      expect(await keysOf()).toEqual(['stepwell:{meta}']);
    });
  });

  it('lists, timers and effects over all shards equal those of the memory store', async () => {
    await begin({ appendonly: 'yes', appendfsync: 'no' });
    const store = await open();
    const memory = new MemoryStore();
    const statuses: ExecutionStatus[] = ['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED'];
    for (let i = 0; i < 600; i += 1) {
      const made = commitAfter(EMPTY_HEAD, `execution-${i}-${randomUUID()}`, {
        row: {
          status: statuses[(i * i) % 5] as ExecutionStatus,
          startedAt: ((i * 7919) % 97) as EpochMs,
          stateMachineArn: i % 3 === 0 ? MACHINE : 'arn:other',
          stateMachineVersionArn: i % 4 === 0 ? 'arn:version' : null,
          stateMachineAliasArn: i % 5 === 0 ? 'arn:alias' : null,
          mapRunArn: i % 6 === 0 ? 'arn:map' : null,
          redriveCount: i % 7 === 0 ? 1 : 0,
        },
        timers: [{ key: 't', dueAt: ((i * 6007) % 1_009) as EpochMs }],
        outbox: [{ key: 'o', effect: i }],
      });
      for (const each of [store, memory]) expect(await each.commit(made)).toBe('committed');
    }
    const filters: ExecutionFilter[] = [
      {},
      { status: 'RUNNING' },
      { stateMachineArn: MACHINE },
      { stateMachineArn: MACHINE, status: 'FAILED' },
      { stateMachineVersionArn: 'arn:version', stateMachineArn: MACHINE },
      { stateMachineAliasArn: 'arn:alias', status: 'ABORTED' },
      { mapRunArn: 'arn:map', redriven: true },
      { redriven: false, status: 'TIMED_OUT' },
    ];
    for (const filter of filters) {
      const expected = await allPages((token) => memory.list(filter, 1_000, token));
      for (const limit of [7, 100, 1_000]) {
        const listed = await allPages((token) => store.list(filter, limit, token));
        expect(listed.map((row) => row.name)).toEqual(expected.map((row) => row.name));
      }
    }
    const dueAt = (timers: readonly { dueAt: number }[]) => timers.map((timer) => timer.dueAt);
    for (const [now, limit] of [
      [500, 1_000],
      [1_009, 10],
      [-1, 5],
      [0, 5],
    ] as const) {
      expect(dueAt(await store.dueTimers(now as EpochMs, limit))).toEqual(
        dueAt(await memory.dueTimers(now as EpochMs, limit)),
      );
    }
    for (const limit of [13, 700]) {
      expect(await allPages((token) => store.pendingEffects(limit, token))).toEqual(
        await allPages((token) => memory.pendingEffects(limit, token)),
      );
      const running = await allPages((token) => store.open(limit, token));
      expect(running.map((row) => row.startedAt)).toEqual(
        running.map((row) => row.startedAt).sort((a, b) => a - b),
      );
    }
  });
});
