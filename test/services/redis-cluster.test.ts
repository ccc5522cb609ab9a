/** The same laws over a Cluster of six nodes, and a master that dies under the writers. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chainDigest, EMPTY_DIGEST } from '../../src/lib/digest.js';
import { openStore } from '../../src/store/open.js';
import type { Commit, Store } from '../../src/store/store.js';
import { RedisStore } from '../../src/store/redis.js';
import { storeConformance } from '../store/conformance.js';
import { sharedConformance } from '../store/shared-conformance.js';
import { commitAfter, EMPTY_HEAD, executionArn, type Head, headAfter } from '../store/fixtures.js';
import { REDIS_MISSING, type RedisCluster, redisBinary, startCluster } from './support/redis.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

describe.skipIf(binary === null)('Redis Cluster', () => {
  let cluster: RedisCluster;
  const open = (prefix: string) => openStore(`${cluster.url}?prefix=${prefix}`);
  beforeAll(async () => {
    cluster = await startCluster(binary as string);
  });
  afterAll(() => cluster.stop());

  sharedConformance('RedisStore on a Cluster', () =>
    RedisStore.open(`${cluster.url}?prefix=${randomUUID()}`),
  );

  storeConformance('RedisStore on a Cluster', () => {
    const prefix = randomUUID();
    return {
      open: () => open(prefix),
      reopen: async (store) => {
        await store.close();
        return open(prefix);
      },
      cleanUp: async () => {},
    };
  });

  it('a master that dies is replaced: writers go on, and no journal is forked', async () => {
    const store = await open('failover');
    let running = true;
    let refused = 0;
    const writers = Array.from({ length: 8 }, (_, index) =>
      write(
        store,
        `writer-${index}`,
        () => running,
        () => (refused += 1),
      ),
    );
    await new Promise((done) => setTimeout(done, 500));
    await cluster.nodes[0]?.kill();
    const died = Date.now();
    const counts = await Promise.all(
      Array.from({ length: 8 }, (_, index) => store.load(executionArn(`writer-${index}`))),
    );
    for (const [index, before] of counts.entries()) {
      await expect
        .poll(async () => (await store.load(executionArn(`writer-${index}`))).length, {
          timeout: 60_000,
        })
        .toBeGreaterThan(before.length);
    }
    console.info(`all writers went on ${Date.now() - died} ms after the kill, ${refused} errors`);
    running = false;
    await Promise.all(writers);
    for (let index = 0; index < 8; index += 1) {
      let digest = EMPTY_DIGEST;
      for (const commit of await store.load(executionArn(`writer-${index}`))) {
        digest = chainDigest(digest, commit.facts);
        expect(commit.digest).toBe(digest);
      }
    }
    await store.close();
  }, 120_000);
});

/** Commits in a loop as an engine does: after a conflict or an error it reads where the journal is. */
async function write(
  store: Store,
  name: string,
  goesOn: () => boolean,
  onRefused: () => void,
): Promise<void> {
  for (let head: Head | null = EMPTY_HEAD; goesOn(); ) {
    try {
      if (head === null) {
        const last = (await store.load(executionArn(name))).at(-1);
        head = last === undefined ? EMPTY_HEAD : headAfter(last as Commit);
      }
      const commit: Commit = commitAfter(head, name, { note: randomUUID() });
      head = (await store.commit(commit)) === 'committed' ? headAfter(commit) : null;
    } catch {
      onRefused();
      head = null;
    }
  }
}
