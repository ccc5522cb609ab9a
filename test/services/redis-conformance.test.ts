/** The laws of a store over Redis, each run under a prefix of its own on one server. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe } from 'vitest';
import { openStore } from '../../src/store/open.js';
import { RedisStore } from '../../src/store/redis.js';
import { storeConformance } from '../store/conformance.js';
import { sharedConformance } from '../store/shared-conformance.js';
import { REDIS_MISSING, type RedisServer, redisBinary, startRedis } from './support/redis.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

describe.skipIf(binary === null)('Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis(binary as string, { appendonly: 'yes', save: '' });
  });
  afterAll(() => server.stop());

  sharedConformance('RedisStore', () => RedisStore.open(`${server.url}?prefix=${randomUUID()}`));

  storeConformance('RedisStore', () => {
    const prefix = randomUUID();
    const open = () => openStore(`${server.url}/3?prefix=${prefix}`);
    return {
      open,
      reopen: async (store) => {
        await store.close();
        return open();
      },
      cleanUp: async () => {},
    };
  });
});
