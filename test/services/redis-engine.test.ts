/** The whole engine over Redis: replies are lost and the server is killed while executions run. */
import { describe, expect, it } from 'vitest';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { JsonObject } from '../../src/lib/json.js';
import { realClock } from '../../src/runtime/clock.js';
import { createEngine } from '../../src/runtime/engine.js';
import { RedisStore } from '../../src/store/redis.js';
import { startRequest } from '../support/run-machine.js';
import { ScriptedHandlers, silentLog, testServices } from '../support/scripted-handlers.js';
import { DURABLE, REDIS_MISSING, redisBinary, startRedis } from './support/redis.js';
import { startProxy } from './support/redis-proxy.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

const RESOURCE = 'arn:aws:states:::step:work';
const MACHINE: JsonObject = {
  StartAt: 'Before',
  States: {
    Before: { Type: 'Wait', Seconds: 1, Next: 'Work' },
    Work: { Type: 'Task', Resource: RESOURCE, Next: 'After' },
    After: { Type: 'Wait', Seconds: 1, Next: 'Done' },
    Done: { Type: 'Succeed' },
  },
};

describe.skipIf(binary === null)('the engine over Redis', () => {
  it('brings every execution to its end through lost replies and a killed server', async () => {
    const server = await startRedis(binary as string, DURABLE);
    const proxy = await startProxy(server.port);
    const store = await RedisStore.open(`redis://127.0.0.1:${proxy.port}`);
    const handlers = new ScriptedHandlers({ [RESOURCE]: { do: 'ok', afterMs: 300 } }, realClock);
    const services = testServices();
    const options = { store, resources: handlers, services, log: silentLog };
    const engine = await createEngine(options);
    const names = Array.from({ length: 20 }, (_, index) => `run-${index}`);
    const ended = names.map(async (name) => {
      const request = startRequest(MACHINE, { name }, { name });
      await engine.start(request);
      return engine.ended(request.identity.arn as ExecutionArn);
    });
    for (let i = 0; i < 10; i += 1) {
      await new Promise((done) => setTimeout(done, 150));
      proxy.loseReplyTo(`Machine:run-${i}`, 'cut');
      if (i !== 5) continue;
      await server.kill();
      await server.start();
    }
    for (const [index, state] of (await Promise.all(ended)).entries()) {
      expect(state.status).toBe('SUCCEEDED');
      expect(state.outcome).toEqual({ ok: true, output: { name: names[index] } });
    }
    expect(proxy.lost).toBe(true);
    for (const name of names) {
      const arn = startRequest(MACHINE, {}, { name }).identity.arn as ExecutionArn;
      const facts = (await engine.facts(arn)) ?? [];
      expect(facts.map((fact) => fact.seq)).toEqual(facts.map((_, index) => index + 1));
    }
    expect((await store.open(10, null)).items).toEqual([]);
    expect((await store.pendingEffects(10, null)).items).toEqual([]);
    expect(await store.nextTimer()).toBeNull();
    await engine.close();
    await store.close();
    await proxy.stop();
    await server.stop();
  }, 60_000);
});
