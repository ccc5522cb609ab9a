/** Engines that share one Redis: who runs what, who hears of it, and that nothing happens twice. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExecutionArn } from '../../../src/lib/brand.js';
import type { JsonObject } from '../../../src/lib/json.js';
import { startRequest } from '../../support/run-machine.js';
import { assertJournalLaws } from '../../sim/laws.js';
import { openWorker, type Worker, type WorkerOptions } from '../support/engines.js';
import { REDIS_MISSING, redisBinary, type RedisServer, startRedis } from '../support/redis.js';
import type { Script } from '../../support/scripted-handlers.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

const task = (resource: string, more: JsonObject = { End: true }): JsonObject => ({
  Type: 'Task',
  Resource: resource,
  ...more,
});

const one = (resource: string, more?: JsonObject): JsonObject => ({
  StartAt: 'T',
  States: { T: task(resource, more) },
});

describe.skipIf(binary === null)('engines on one Redis', () => {
  let server: RedisServer;
  let workers: Worker[] = [];
  const errors: string[] = [];

  const open = async (script: Script, options: WorkerOptions = {}): Promise<Worker> => {
    const worker = await openWorker(server.url, script, { errors, ...options });
    workers.push(worker);
    return worker;
  };

  beforeEach(async () => {
    server = await startRedis(binary as string, { appendonly: 'yes', appendfsync: 'no', save: '' });
    workers = [];
    errors.length = 0;
  });

  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.close()));
    await server.stop();
  });

  const start = async (worker: Worker, machine: JsonObject, name = 'run', input = {}) => {
    const request = startRequest(machine, input, { name });
    await worker.engine.start(request);
    return request.identity.arn as ExecutionArn;
  };

  it('a task runs where its resource is served, and the result counts once', async () => {
    const script: Script = { 'ml:train': { do: 'ok' }, 'io:read': { do: 'ok' } };
    const api = await open(script, { globs: ['!ml:*'] });
    const pool = await open(script, { globs: ['ml:*'] });
    const machine = {
      StartAt: 'A',
      States: {
        A: task('io:read', { Next: 'B' }),
        B: task('ml:train', { Next: 'C' }),
        C: task('io:read', { End: true }),
      },
    };
    const arn = await start(api, machine);
    expect((await api.engine.ended(arn)).status).toBe('SUCCEEDED');
    expect(api.handlers.calls.map(({ resource }) => resource)).toEqual(['io:read', 'io:read']);
    expect(pool.handlers.calls.map(({ resource }) => resource)).toEqual(['ml:train']);
    expect((await api.engine.state(arn))?.status).toBe('SUCCEEDED');
    expect(errors).toEqual([]);
  });

  it('a task whose handler is here runs without a queue', async () => {
    const worker = await open({ a: { do: 'ok' } });
    const arn = await start(worker, one('a'));
    await worker.engine.ended(arn);
    const keys = (await server.command('KEYS', '*{q:pool*')) as string[];
    expect(keys.filter((key) => /:(wait|active|id)$/.test(key))).toEqual([]);
  });

  it('stopping an execution elsewhere stops the task where it runs', async () => {
    const script: Script = { 'ml:train': { do: 'ok', afterMs: 60_000 }, 'ml:next': { do: 'ok' } };
    const api = await open(script, { globs: ['!ml:*'] });
    const pool = await open(script, { globs: ['ml:*'], concurrency: 1 });
    const arn = await start(api, one('ml:train'));
    await until(() => pool.handlers.calls.length === 1);
    const other = await open({});
    await other.engine.stop(arn, { error: 'No', cause: 'enough' });
    expect((await pool.engine.state(arn))?.status).toBe('ABORTED');
    // There is room for one: the next runs because the first was told to stop.
    const next = await start(api, one('ml:next'), 'next');
    expect((await api.engine.ended(next, AbortSignal.timeout(10_000))).status).toBe('SUCCEEDED');
    expect((await api.engine.ended(arn)).status).toBe('ABORTED');
  });

  it('a process that waits hears of an end that another commits', async () => {
    const a = await open({});
    const b = await open({});
    const arn = await start(a, {
      StartAt: 'W',
      States: { W: { Type: 'Wait', Seconds: 1, End: true } },
    });
    const seen: number[] = [];
    b.engine.subscribe(arn, (_arn, facts) => seen.push(...facts.map(({ seq }) => seq)));
    expect((await b.engine.ended(arn)).status).toBe('SUCCEEDED');
    const facts = await b.engine.facts(arn);
    expect([...new Set(seen)]).toEqual(facts?.map(({ seq }) => seq));
  });

  it('an activity is polled, and its token answered, at other processes', async () => {
    const activity = 'arn:aws:states:us-east-1:123456789012:activity:check';
    const [a, b, c] = [await open({}), await open({}), await open({})];
    const polled = b.engine.activityTask(activity, 'me', AbortSignal.timeout(20_000));
    const arn = await start(a, one(activity), 'run', { n: 1 });
    const found = await polled;
    expect(found?.input).toEqual({ n: 1 });
    const token = found?.taskToken as string;
    expect(await a.engine.taskHeartbeat(token)).toBe('accepted');
    expect(await c.engine.taskSucceeded(token, { ok: true })).toBe('accepted');
    expect(await b.engine.taskSucceeded(token, { ok: true })).toBe('timed-out');
    const state = await a.engine.ended(arn);
    expect(state.outcome).toEqual({ ok: true, output: { ok: true } });
  });

  it('a heartbeat at another process keeps the task from timing out where it was set', async () => {
    const activity = 'arn:aws:states:us-east-1:123456789012:activity:slow';
    const [a, b] = [await open({}), await open({})];
    const arn = await start(a, one(activity, { HeartbeatSeconds: 1, End: true }));
    const found = await b.engine.activityTask(activity, null, AbortSignal.timeout(10_000));
    for (let beat = 0; beat < 6; beat++) {
      await sleep(400);
      expect(await b.engine.taskHeartbeat(found?.taskToken as string)).toBe('accepted');
    }
    expect(await b.engine.taskSucceeded(found?.taskToken as string, 1)).toBe('accepted');
    expect((await a.engine.ended(arn)).status).toBe('SUCCEEDED');
  });

  it('what a process held when it left is taken up: tasks, timers, Map Runs', async () => {
    const script: Script = { a: { do: 'ok', afterMs: 1_500 } };
    const first = await open(script);
    const second = await open(script);
    const machine = {
      StartAt: 'P',
      States: {
        P: {
          Type: 'Parallel',
          Branches: [
            one('a'),
            { StartAt: 'W', States: { W: { Type: 'Wait', Seconds: 2, End: true } } },
            {
              StartAt: 'M',
              States: {
                M: {
                  Type: 'Map',
                  ItemProcessor: {
                    ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
                    ...one('a'),
                  },
                  Items: [1, 2, 3],
                  QueryLanguage: 'JSONata',
                  End: true,
                },
              },
            },
          ],
          End: true,
        },
      },
    };
    const arn = await start(first, machine);
    await until(() => first.handlers.calls.length >= 4);
    await first.close();
    workers = workers.filter((worker) => worker !== first);
    const state = await second.engine.ended(arn, AbortSignal.timeout(20_000));
    expect(state.status).toBe('SUCCEEDED');
    expect(errors).toEqual([]);
  }, 40_000);

  it('a handler that must not run twice fails when its worker was lost', async () => {
    const first = await open({ a: { do: 'ok', afterMs: 60_000 } }, { onWorkerLost: 'fail' });
    const arn = await start(first, one('a'));
    await until(() => first.handlers.calls.length === 1);
    const second = await open({ a: { do: 'ok' } }, { onWorkerLost: 'fail' });
    await first.close();
    workers = workers.filter((worker) => worker !== first);
    const state = await second.engine.ended(arn, AbortSignal.timeout(10_000));
    expect(state.status).toBe('FAILED');
    expect(second.handlers.calls).toEqual([]);
  });

  it('an open execution that nothing would wake is found, queued and goes on', async () => {
    const sleepy = { StartAt: 'W', States: { W: { Type: 'Wait', Seconds: 2, End: true } } };
    const first = await open({ a: { do: 'ok', afterMs: 60_000 } });
    const arns = [await start(first, one('a'), 'task'), await start(first, sleepy, 'timer')];
    await until(() => first.handlers.calls.length === 1);
    // A process dies, and what would have told of its work is gone from the store.
    const work = (await server.command('KEYS', '*:work')) as string[];
    for (const key of work) await server.command('DEL', key);
    for (const arn of arns) {
      const [key] = (await server.command('KEYS', `*:e:${arn}`)) as string[];
      const fields = (await server.command('HKEYS', key as string)) as string[];
      const gone = fields.filter((field) => /^[to]:/.test(field));
      await server.command('HDEL', key as string, ...gone);
    }
    await first.close();
    workers = workers.filter((worker) => worker !== first);
    const second = await open({ a: { do: 'ok' } }, { sweepMs: 200 });
    for (const arn of arns) {
      const state = await second.engine.ended(arn, AbortSignal.timeout(20_000));
      expect(state.status).toBe('SUCCEEDED');
    }
  }, 40_000);

  it('more tasks than one process has room for are run by all of them', async () => {
    const script: Script = { a: { do: 'ok', afterMs: 100 } };
    const [a, b] = [await open(script, { concurrency: 2 }), await open(script, { concurrency: 2 })];
    const machine = {
      StartAt: 'M',
      States: {
        M: { Type: 'Map', ItemsPath: '$.items', ItemProcessor: one('a'), End: true },
      },
    };
    const items = Array.from({ length: 40 }, (_, index) => index);
    const arn = await start(a, machine, 'wide', { items });
    const state = await b.engine.ended(arn, AbortSignal.timeout(20_000));
    expect(state.outcome).toEqual({ ok: true, output: items });
    expect(a.handlers.calls.length).toBeGreaterThan(0);
    expect(b.handlers.calls.length).toBeGreaterThan(0);
    expect(a.handlers.calls.length + b.handlers.calls.length).toBe(40);
  });

  it('eight engines that race on one execution write every fact once', async () => {
    const racers = await Promise.all(Array.from({ length: 8 }, () => open({ a: { do: 'ok' } })));
    const activity = 'arn:aws:states:us-east-1:123456789012:activity:race';
    const machine = {
      StartAt: 'M',
      States: {
        M: {
          Type: 'Map',
          ItemsPath: '$.items',
          ItemProcessor: {
            StartAt: 'X',
            States: { X: task(activity, { Next: 'Y' }), Y: task('a', { End: true }) },
          },
          End: true,
        },
      },
    };
    const items = Array.from({ length: 12 }, (_, index) => index);
    const arn = await start(racers[0] as Worker, machine, 'race', { items });
    const accepted: string[] = [];
    const over = new AbortController();
    const race = racers.map(async ({ engine }) => {
      for (;;) {
        const found = await engine.activityTask(activity, null, over.signal);
        if (found === null) return;
        // Everybody answers every token.
        const answers = await Promise.all(
          racers.map((other) => other.engine.taskSucceeded(found.taskToken, found.input)),
        );
        accepted.push(...answers.filter((answer) => answer === 'accepted'));
      }
    });
    const state = await (racers[7] as Worker).engine.ended(arn, AbortSignal.timeout(60_000));
    over.abort();
    await Promise.all(race);
    expect(state.outcome).toEqual({ ok: true, output: items });
    expect(accepted).toHaveLength(items.length);
    const facts = (await (racers[3] as Worker).engine.facts(arn)) ?? [];
    assertJournalLaws(facts);
    expect(facts.filter(({ type }) => type === 'TaskSucceeded')).toHaveLength(2 * items.length);
    expect(errors).toEqual([]);
  }, 90_000);
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(done: () => boolean): Promise<void> {
  for (let tries = 0; !done(); tries++) {
    if (tries > 400) throw new Error('It did not come to it.');
    await sleep(25);
  }
}
