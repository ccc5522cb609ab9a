/** An engine and its store close in time although Redis does not answer, however that comes. */
import { afterEach, expect, it } from 'vitest';
import { startRequest } from '../support/run-machine.js';
import { openWorker } from './support/engines.js';
import { DURABLE, REDIS_MISSING, redisBinary, startRedis } from './support/redis.js';
import { startProxy } from './support/redis-proxy.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

/** What a graceful stop promises. */
const IN_TIME_MS = 10_000;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (closing.length > 0) await closing.pop()?.();
});

const MACHINE = {
  StartAt: 'A',
  States: {
    A: { Type: 'Task', Resource: 'a', Next: 'B' },
    B: { Type: 'Task', Resource: 'a', End: true },
  },
} as const;

it.skipIf(binary === null).each(['gone', 'silent'] as const)(
  'with a server that is %s',
  async (how) => {
    const server = await startRedis(binary as string, DURABLE);
    closing.push(() => server.stop());
    const proxy = await startProxy(server.port);
    closing.push(() => proxy.stop());
    const script = { a: { do: 'ok', afterMs: 100 } } as const;
    const worker = await openWorker(`redis://127.0.0.1:${proxy.port}`, script);
    for (let index = 0; index < 20; index += 1) {
      await worker.engine.start(startRequest(MACHINE, {}, { name: `run-${index}` }));
    }
    if (how === 'gone') proxy.refuse(true);
    else proxy.silence();
    // Results of tasks are on their way to a store that does not take them.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = performance.now();
    await worker.close();
    expect(performance.now() - before).toBeLessThan(IN_TIME_MS);
  },
  60_000,
);
