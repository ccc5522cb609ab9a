/** The simulated world: virtual time, answers for everything a machine calls, and determinism. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { type Answer, type Responder, simulate } from '../../src/simulate/index.js';

const DAY = 24 * 3600;

function machine(states: JsonObject, start = Object.keys(states)[0] as string): JsonObject {
  return { StartAt: start, States: states };
}

const always =
  (answer: Answer): Responder =>
  () =>
    answer;

describe('virtual time', () => {
  it('lets thirty days pass with the timestamps of thirty days', async () => {
    const definition = machine({
      Sleep: { Type: 'Wait', Seconds: 30 * DAY, Next: 'Done' },
      Done: { Type: 'Pass', End: true },
    });
    const run = await simulate({ definition, input: {}, startAt: Date.UTC(2026, 1, 1) });
    expect(run.status).toBe('SUCCEEDED');
    expect(run.tookMs).toBe(30 * DAY * 1000);
    const exited = run.history.find((event) => event.type === 'WaitStateExited');
    expect(exited?.timestamp).toBe(Date.UTC(2026, 2, 3));
  });

  it('times a silent task out, heartbeats and deadlines included', async () => {
    const task = { Type: 'Task', Resource: 'arn:aws:states:::lambda:invoke', End: true };
    const hang = always({ hang: true });
    const late = await simulate({
      definition: machine({ Call: { ...task, TimeoutSeconds: 900 } }),
      input: {},
      mocks: hang,
    });
    expect([late.status, late.error, late.tookMs]).toEqual(['FAILED', 'States.Timeout', 900_000]);
    const beating = await simulate({
      definition: machine({ Call: { ...task, HeartbeatSeconds: 60 } }),
      input: {},
      mocks: always({ return: 'done', afterMs: 600_000, heartbeatEveryMs: 50_000 }),
    });
    expect([beating.status, beating.tookMs]).toEqual(['SUCCEEDED', 600_000]);
    const deadline = await simulate({
      definition: { TimeoutSeconds: 100, ...machine({ Call: task }) },
      input: {},
      mocks: hang,
    });
    expect([deadline.status, deadline.tookMs]).toEqual(['TIMED_OUT', 100_000]);
  });

  it('waits for real in scaled time and shows the same history', async () => {
    const definition = machine({ Sleep: { Type: 'Wait', Seconds: 60, End: true } });
    const begun = performance.now();
    const scaled = await simulate({ definition, input: {}, time: 1000 });
    expect(performance.now() - begun).toBeGreaterThan(50);
    const skipped = await simulate({ definition, input: {} });
    expect(scaled.history).toEqual(skipped.history);
  });

  it('passes while it is slept, for someone who stops the run in between', async () => {
    const definition = machine({ Sleep: { Type: 'Wait', Seconds: 3600, End: true } });
    const controller = new AbortController();
    const run = await simulate({
      definition,
      input: {},
      time: 1000,
      signal: controller.signal,
      // Counted from the moment the sleep began, however long this machine took to get there.
      onFacts: (_arn, facts) => {
        const sleeps = facts.some(({ type }) => type === 'WaitStarted');
        if (sleeps) setTimeout(() => controller.abort(), 40);
      },
    });
    expect(run.status).toBe('ABORTED');
    expect(run.tookMs).toBeGreaterThan(20_000);
    expect(run.tookMs).toBeLessThan(3_600_000);
  });

  it('says what a run waits for that never comes', async () => {
    const definition = machine({
      Ask: {
        Type: 'Task',
        Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken',
        End: true,
      },
    });
    const run = await simulate({ definition, input: {}, mocks: always({ hang: true }) });
    expect(run.status).toBe('RUNNING');
    expect(run.waitsFor.map(({ state }) => state)).toEqual(['Ask']);
  });

  it('lets no virtual time pass while an answer awaits the real world', async () => {
    const definition = machine({
      Both: {
        Type: 'Parallel',
        End: true,
        Branches: [
          machine({ Slow: { Type: 'Task', Resource: 'local:slow', End: true } }),
          machine({ Wait: { Type: 'Wait', Seconds: 5, End: true } }),
        ],
      },
    });
    const run = await simulate({
      definition,
      input: {},
      mocks: async () => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        return { return: 1 };
      },
    });
    const done = run.history.find((event) => event.type === 'TaskSucceeded');
    expect(done?.timestamp).toBe(run.startedAt);
  });
});

const EVERYTHING = machine({
  Activity: {
    Type: 'Task',
    Resource: 'arn:aws:states:us-east-1:123456789012:activity:approve',
    Next: 'Sync',
  },
  Sync: {
    Type: 'Task',
    Resource: 'arn:aws:states:::batch:submitJob.sync',
    Parameters: { JobName: 'a' },
    Next: 'Token',
  },
  Token: {
    Type: 'Task',
    Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken',
    Parameters: { 'Token.$': '$$.Task.Token' },
    Next: 'Nested',
  },
  Nested: {
    Type: 'Task',
    Resource: 'arn:aws:states:::states:startExecution.sync:2',
    Next: 'Http',
  },
  Http: { Type: 'Task', Resource: 'arn:aws:states:::http:invoke', Next: 'Rows' },
  Rows: {
    Type: 'Map',
    ItemReader: {
      Resource: 'arn:aws:states:::s3:getObject',
      Parameters: { Bucket: 'b', Key: 'k' },
    },
    ResultWriter: { Resource: 'arn:aws:states:::s3:putObject', Parameters: { Bucket: 'b' } },
    ItemProcessor: {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      ...machine({
        Inner: {
          Type: 'Map',
          ItemsPath: '$.parts',
          ItemProcessor: machine({
            Row: { Type: 'Task', Resource: 'arn:aws:lambda:us-east-1:1:function:row', End: true },
          }),
          End: true,
        },
      }),
    },
    End: true,
  },
});

const rows: Json = [{ parts: ['a', 'b'] }, { parts: ['c'] }];

const answers: Responder = ({ kind }) => ({
  return: kind === 'item-reader' ? rows : { by: kind },
  afterMs: 1000,
});

describe('answers', () => {
  it('are found for everything a machine can call', async () => {
    const run = await simulate({ definition: EVERYTHING, input: {}, mocks: answers });
    expect([run.status, run.cause]).toEqual(['SUCCEEDED', null]);
    const asked = run.calls.map(({ kind, state }) => `${kind} ${state}`);
    expect(asked.slice(0, 6)).toEqual([
      'activity Activity',
      'task Sync',
      'task Token',
      'task Nested',
      'task Http',
      'item-reader Rows',
    ]);
    expect(asked.slice(6).sort()).toEqual([
      'result-writer Rows',
      'task Row',
      'task Row',
      'task Row',
    ]);
    expect(run.history.map((event) => event.type)).toContain('ActivityStarted');
  });

  it('know the iterations around them, through Map Runs and inline Maps', async () => {
    const run = await simulate({ definition: EVERYTHING, input: {}, mocks: answers });
    const inner = run.calls.filter(({ state }) => state === 'Row');
    const places = inner.map(({ scopes }) => scopes.map(({ state, index }) => [state, index]));
    expect(places.sort()).toEqual([
      [
        ['Rows', 0],
        ['Inner', 0],
      ],
      [
        ['Rows', 0],
        ['Inner', 1],
      ],
      [
        ['Rows', 1],
        ['Inner', 0],
      ],
    ]);
    expect(inner.map(({ scopes }) => scopes.at(-1)?.item).sort()).toEqual(['a', 'b', 'c']);
  });

  it('count attempts of a visit and calls of a state', async () => {
    const definition = machine({
      Call: {
        Type: 'Task',
        Resource: 'local:thing',
        Retry: [{ ErrorEquals: ['Twice'], MaxAttempts: 2, IntervalSeconds: 1 }],
        Next: 'Again',
      },
      Again: {
        Type: 'Choice',
        Choices: [{ Variable: '$', NumericEquals: 1, Next: 'Call' }],
        Default: 'Done',
      },
      Done: { Type: 'Succeed' },
    });
    const run = await simulate({
      definition,
      input: {},
      mocks: ({ invocation }) =>
        invocation === 0 ? { throw: { error: 'Twice' } } : { return: invocation },
    });
    const seen = run.calls.map(({ attempt, invocation }) => [attempt, invocation]);
    expect(seen).toEqual([
      [0, 0],
      [1, 1],
      [0, 2],
    ]);
  });

  it('that nobody gives fail the task with a reason', async () => {
    const definition = machine({ Call: { Type: 'Task', Resource: 'local:thing', End: true } });
    const run = await simulate({ definition, input: {} });
    expect(run.error).toBe('Simulation.NotMocked');
    expect(run.cause).toContain("state 'Call'");
  });
});

describe('the seed', () => {
  const journals = async (seed: number): Promise<string> => {
    const run = await simulate({ definition: EVERYTHING, input: {}, mocks: answers, seed });
    return JSON.stringify([...run.journals]);
  };

  it('gives identical journals again, and others for another seed', async () => {
    expect(await journals(7)).toBe(await journals(7));
    expect(await journals(7)).not.toBe(await journals(8));
  });

  it('changes the order of simultaneous events', async () => {
    const definition = machine({
      All: {
        Type: 'Map',
        ItemProcessor: machine({ One: { Type: 'Task', Resource: 'local:one', End: true } }),
        End: true,
      },
    });
    const order = async (seed: number): Promise<readonly Json[]> => {
      const run = await simulate({
        definition,
        input: [0, 1, 2, 3, 4, 5],
        mocks: ({ input }) => ({ return: input }),
        seed,
      });
      return run.facts.flatMap((fact) => (fact.type === 'TaskSucceeded' ? [fact.output] : []));
    };
    expect(await order(0)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await order(3)).not.toEqual(await order(0));
  });
});
