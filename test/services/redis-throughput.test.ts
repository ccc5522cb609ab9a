/** Commits per second beside raw XADD, printed for the record; a shared machine allows no sharp bar. */
import { describe, expect, it } from 'vitest';
import { REDIS_MISSING, redisBinary, startRedis } from './support/redis.js';
import { measureThroughput } from './support/redis-throughput.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

const settings = { appendonly: 'yes', save: '', 'auto-aof-rewrite-percentage': '0' };
const ROUNDS = Number(process.env.STEPWELL_BENCH_ROUNDS ?? 1);

describe.skipIf(binary === null)('Redis throughput', () => {
  it.each(['everysec', 'always'])('64 writers with appendfsync %s', async (appendfsync) => {
    const server = await startRedis(binary as string, { ...settings, appendfsync });
    const found = await measureThroughput(server.url, ROUNDS);
    await server.stop();
    console.info(appendfsync, JSON.stringify(found, rounded));
    expect(found.commitsPerSecond).toBeGreaterThan(100);
  });
});

function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && value > 1 ? Math.round(value) : value;
}
