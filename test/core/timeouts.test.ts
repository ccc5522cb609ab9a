/** Time limits and silence: TimeoutSeconds, HeartbeatSeconds, the execution's deadline, callbacks. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { openWorld, runMachine, startRequest, TEST_ARN } from '../support/run-machine.js';
import type { Step } from '../support/scripted-handlers.js';

function machine(fields: JsonObject, resource = 's:t'): JsonObject {
  return {
    StartAt: 'T',
    States: {
      T: { Type: 'Task', Resource: resource, End: true, ...fields },
      C: { Type: 'Pass', End: true },
    },
  };
}

async function task(fields: JsonObject, step: Step, input: Json = {}) {
  return runMachine(machine(fields), input, { 's:t': step });
}

describe('TimeoutSeconds', () => {
  it('ends a task that takes longer', async () => {
    const run = await task({ TimeoutSeconds: 5 }, { do: 'ok', afterMs: 60_000 });
    expect(run.result).toEqual({ Error: 'States.Timeout', Cause: null });
    expect(run.tookMs).toBe(5000);
    expect(run.history.at(-2)).toMatchObject({ type: 'TaskTimedOut' });
    expect(run.handlers.calls[0]?.finished).toBe(false);
  });

  it('leaves a task alone that is done just before', async () => {
    const run = await task({ TimeoutSeconds: 5 }, { do: 'ok', output: 1, afterMs: 4999 });
    expect(run.result).toBe(1);
  });

  it('counts for each attempt anew', async () => {
    const run = await task(
      {
        TimeoutSeconds: 5,
        Retry: [{ ErrorEquals: ['States.Timeout'], MaxAttempts: 2, IntervalSeconds: 1 }],
      },
      { do: 'hang' },
    );
    expect(run.tookMs).toBe(5000 + 1000 + 5000 + 2000 + 5000);
    expect(run.handlers.calls).toHaveLength(3);
  });

  it('is read by path and by expression', async () => {
    const byPath = await task({ TimeoutSecondsPath: '$.s' }, { do: 'hang' }, { s: 3 });
    expect(byPath.tookMs).toBe(3000);
    const jsonata = { QueryLanguage: 'JSONata', TimeoutSeconds: '{% $states.input.s * 2 %}' };
    expect((await task(jsonata, { do: 'hang' }, { s: 3 })).tookMs).toBe(6000);
  });

  it.each<[Json]>([[0], [-1], ['text'], [1.5], [null]])('of %j fails the state', async (s) => {
    const run = await task({ TimeoutSecondsPath: '$.s' }, { do: 'hang' }, { s });
    expect(run.result).toMatchObject({ Error: 'States.Runtime' });
  });
});

describe('HeartbeatSeconds', () => {
  it('is kept away by heartbeats', async () => {
    const run = await task(
      { HeartbeatSeconds: 3 },
      { do: 'ok', output: 'alive', afterMs: 100_000, heartbeatEveryMs: 2000 },
    );
    expect(run.result).toBe('alive');
    expect(run.tookMs).toBe(100_000);
  });

  it('ends a silent task as a timeout that States.HeartbeatTimeout catches', async () => {
    const run = await task(
      { HeartbeatSeconds: 3, Catch: [{ ErrorEquals: ['States.HeartbeatTimeout'], Next: 'C' }] },
      { do: 'hang' },
    );
    expect(run.tookMs).toBe(3000);
    expect(run.result).toEqual({ Error: 'States.Timeout', Cause: '' });
  });

  it('starts again from the last heartbeat', async () => {
    const run = await task(
      { HeartbeatSeconds: 3 },
      { do: 'ok', afterMs: 10_000, heartbeatEveryMs: 5000 },
    );
    expect(run.tookMs).toBe(3000);
  });
});

describe('the deadline of the execution', () => {
  it('ends it wherever it is', async () => {
    const run = await runMachine(
      { ...machine({}), TimeoutSeconds: 9 },
      {},
      { 's:t': { do: 'hang' } },
    );
    expect(run.state.status).toBe('TIMED_OUT');
    expect(run.tookMs).toBe(9000);
    expect(run.history.at(-1)).toMatchObject({ type: 'ExecutionTimedOut' });
  });
});

describe('callbacks', () => {
  const CALLBACK = 's:c.waitForTaskToken';
  const fields = { Parameters: { 'token.$': '$$.Task.Token' } };
  const callback = async (more: JsonObject, step: Step) =>
    runMachine(machine({ ...fields, ...more }, CALLBACK), {}, { [CALLBACK]: step });

  it('bring the output', async () => {
    const run = await callback({}, { do: 'callback', afterMs: 500, output: { ok: true } });
    expect(run.result).toEqual({ ok: true });
    expect(run.history.map((event) => event.type)).toContain('TaskSubmitted');
    expect(run.handlers.answers).toEqual(['accepted']);
  });

  it('count once', async () => {
    const run = await callback({}, { do: 'callback', afterMs: 500, times: 3 });
    expect(run.handlers.answers).toEqual(['accepted', 'timed-out', 'timed-out']);
    expect(run.history.filter((event) => event.type === 'TaskSucceeded')).toHaveLength(1);
  });

  it('that come too late are told so, and change nothing', async () => {
    const run = await callback({ TimeoutSeconds: 2 }, { do: 'callback', afterMs: 5000 });
    expect(run.result).toMatchObject({ Error: 'States.Timeout' });
    const before = run.facts.length;
    await run.clock.pass(10_000);
    expect(run.handlers.answers).toEqual(['timed-out']);
    expect(await run.engine.facts(TEST_ARN)).toHaveLength(before);
  });

  it('may beat', async () => {
    const run = await callback(
      { HeartbeatSeconds: 3 },
      { do: 'callback', afterMs: 30_000, heartbeatEveryMs: 2000 },
    );
    expect(run.result).toEqual({ by: 'token' });
  });

  it.each(['', 'x', 'a.b', 'a.b.c', 'e30.AAAA'])('with the token %j are refused', async (token) => {
    const world = await openWorld({});
    expect(await world.engine.taskSucceeded(token, {})).toBe('invalid');
    expect(await world.engine.taskHeartbeat(token)).toBe('invalid');
  });
});

describe('activities', () => {
  const ACTIVITY = 'arn:aws:states:us-east-1:123456789012:activity:work';

  it('wait for a worker, who takes and answers them', async () => {
    const world = await openWorld({});
    const signal = new AbortController().signal;
    const polled = world.engine.activityTask(ACTIVITY, 'worker-1', signal);
    await world.engine.start(startRequest(machine({}, ACTIVITY), { n: 1 }));
    const task = await polled;
    expect(task?.input).toEqual({ n: 1 });
    await world.engine.taskSucceeded(task?.taskToken ?? '', 'done');
    const state = await world.engine.ended(TEST_ARN);
    expect(state.outcome).toEqual({ ok: true, output: 'done' });
    const history = (await world.engine.history(TEST_ARN)) ?? [];
    expect(history.find((event) => event.type === 'ActivityStarted')?.details?.value).toEqual({
      workerName: 'worker-1',
    });
  });

  it('a poll that is given up gets nothing', async () => {
    const world = await openWorld({});
    const controller = new AbortController();
    const polled = world.engine.activityTask(ACTIVITY, null, controller.signal);
    controller.abort();
    expect(await polled).toBeNull();
  });
});

describe('clocks', () => {
  it('that go back never make a fact earlier than the one before, nor a timer early', async () => {
    const world = await openWorld({ 's:t': { do: 'ok', afterMs: 1000 } });
    const definition = {
      StartAt: 'T',
      States: {
        T: { Type: 'Task', Resource: 's:t', Next: 'W' },
        W: { Type: 'Wait', Seconds: 10, End: true },
      },
    };
    await world.engine.start(startRequest(definition, {}));
    world.clock.jump(-3_600_000);
    await world.clock.runUntil(world.engine.ended(TEST_ARN));
    const facts = (await world.engine.facts(TEST_ARN)) ?? [];
    facts.forEach((fact, index) => {
      expect(fact.at).toBeGreaterThanOrEqual(facts[index - 1]?.at ?? 0);
    });
    const wait = facts.find((fact) => fact.type === 'WaitStarted');
    expect(wait?.type === 'WaitStarted' && wait.until - wait.at).toBe(10_000);
  });
});

describe('a pause of the process', () => {
  it('that makes heartbeat and timeout of a task due together ends it once', async () => {
    const definition = {
      StartAt: 'T',
      States: {
        T: { Type: 'Task', Resource: 's:t', TimeoutSeconds: 8, HeartbeatSeconds: 5, End: true },
      },
    };
    const world = await openWorld({ 's:t': { do: 'hang' } });
    await world.engine.start(startRequest(definition, {}));
    world.clock.jump(60_000);
    const state = await world.clock.runUntil(world.engine.ended(TEST_ARN));
    expect(state.outcome).toMatchObject({ ok: false, failure: { error: 'States.Timeout' } });
    const facts = (await world.engine.facts(TEST_ARN)) ?? [];
    expect(facts.filter((fact) => fact.type === 'TaskFailed')).toHaveLength(1);
  });
});

describe('an Express execution', () => {
  const endOf = async (fields: JsonObject, type: 'STANDARD' | 'EXPRESS') => {
    const definition = {
      ...fields,
      StartAt: 'W',
      States: { W: { Type: 'Wait', Seconds: 600, End: true } },
    };
    const world = await openWorld({});
    const startedAt = world.clock.now();
    await world.engine.start(startRequest(definition, {}, { type }));
    const { status } = await world.clock.runUntil(world.engine.ended(TEST_ARN));
    return { status, afterMs: world.clock.now() - startedAt };
  };

  it('ends after five minutes, a standard one does not', async () => {
    expect(await endOf({}, 'EXPRESS')).toEqual({ status: 'TIMED_OUT', afterMs: 300_000 });
    expect(await endOf({}, 'STANDARD')).toEqual({ status: 'SUCCEEDED', afterMs: 600_000 });
  });

  it('ends earlier by its own TimeoutSeconds, never later', async () => {
    const early = await endOf({ TimeoutSeconds: 10 }, 'EXPRESS');
    expect(early).toEqual({ status: 'TIMED_OUT', afterMs: 10_000 });
    const late = await endOf({ TimeoutSeconds: 900 }, 'EXPRESS');
    expect(late).toEqual({ status: 'TIMED_OUT', afterMs: 300_000 });
  });
});
