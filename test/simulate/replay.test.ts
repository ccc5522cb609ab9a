/** A history as a fixture: read, replayed, compared; our own histories come out the same to the millisecond. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { defaultResponder } from '../../src/simulate/mocks/defaults.js';
import { diffHistories, titleOf } from '../../src/simulate/replay/diff.js';
import { readHistory } from '../../src/simulate/replay/history-file.js';
import { replay } from '../../src/simulate/replay/replay.js';
import { type Simulation, simulate } from '../../src/simulate/simulate.js';
import { generateMachine } from '../sim/generator.js';

/** As `aws stepfunctions get-execution-history` prints it. */
function asAws({ history }: Simulation): Json {
  const events = history.map(({ details, timestamp, ...head }) => ({
    ...head,
    timestamp: new Date(timestamp).toISOString(),
    ...(details === null ? {} : { [details.name]: details.value }),
  }));
  return JSON.parse(JSON.stringify({ events })) as Json;
}

const ORDER: JsonObject = {
  StartAt: 'Charge',
  States: {
    Charge: {
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke',
      Retry: [
        { ErrorEquals: ['Busy'], IntervalSeconds: 5, MaxAttempts: 2, JitterStrategy: 'NONE' },
      ],
      Next: 'Ship',
    },
    Ship: {
      Type: 'Map',
      ItemsPath: '$.items',
      ItemProcessor: {
        StartAt: 'Pack',
        States: {
          Pack: {
            Type: 'Task',
            Resource: 'arn:aws:states:us-east-1:123456789012:activity:pack',
            HeartbeatSeconds: 10,
            Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Skip' }],
            End: true,
          },
          Skip: { Type: 'Pass', Result: 'skipped', End: true },
        },
      },
      Next: 'Ask',
    },
    Ask: {
      Type: 'Task',
      Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken',
      Parameters: { MessageBody: { 'token.$': '$$.Task.Token' } },
      End: true,
    },
  },
};

async function recordedOrder(): Promise<Simulation> {
  return simulate({
    definition: ORDER,
    input: {},
    startAt: Date.UTC(2025, 5, 1, 12),
    seed: 3,
    mocks: ({ state, attempt, scopes }) => {
      if (state === 'Charge' && attempt === 0) return { throw: { error: 'Busy' }, afterMs: 300 };
      if (state === 'Charge') return { return: { items: [1, 2, 3] }, afterMs: 700 };
      if (state === 'Ask') return { return: { ok: true }, afterMs: 3_600_000, submit: { id: 'm' } };
      const index = scopes.at(-1)?.index ?? 0;
      if (index === 1) return { throw: { error: 'Broken', cause: 'glass' }, afterMs: 9_000 };
      return { return: index, afterMs: 20_000 + index, heartbeatEveryMs: 4_000, workerName: 'w' };
    },
  });
}

describe('replaying a history', () => {
  it('gives the same events at the same instants, through retries, iterations and callbacks', async () => {
    const recorded = await recordedOrder();
    expect(recorded.status).toBe('SUCCEEDED');
    const history = readHistory(asAws(recorded), 'history.json');
    const { diff, newCalls, simulation } = await replay({ definition: ORDER, history, timing: 0 });
    expect(diff.differences).toEqual([]);
    expect(newCalls).toBe(0);
    expect(simulation.output).toEqual({ ok: true });
  });

  it('says where a changed machine goes another way', async () => {
    const history = readHistory(asAws(await recordedOrder()), 'history.json');
    const changed = structuredClone(ORDER) as { States: Record<string, Record<string, Json>> };
    (changed.States.Ask as Record<string, Json>).Next = 'Done';
    delete changed.States.Ask?.End;
    changed.States.Done = { Type: 'Pass', Result: { done: 1 }, End: true };
    const { diff } = await replay({ definition: changed as JsonObject, history });
    expect(
      diff.differences.map(
        ({ kind, actual, recorded }) => `${kind} ${titleOf((actual ?? recorded) as never)}`,
      ),
    ).toEqual([
      expect.stringMatching(/^unexpected #\d+ PassStateEntered Done/),
      expect.stringMatching(/^unexpected #\d+ PassStateExited Done/),
      expect.stringMatching(/^changed #\d+ ExecutionSucceeded/),
    ]);
    const [field] = diff.differences.at(-1)?.fields ?? [];
    expect(field).toEqual({ pointer: '/output/ok', recorded: true, actual: undefined });
  });

  it('holds for generated machines, whatever they do', async () => {
    const wrong: string[] = [];
    for (let seed = 1; seed <= 80; seed++) {
      const { definition, input = {} } = generateMachine(seed);
      const responders = [defaultResponder(definition)];
      const recorded = await simulate({ definition, input, responders, seed });
      const history = readHistory(asAws(recorded), 'h');
      const { diff } = await replay({ definition, history, timing: 0 });
      if (diff.differences.length > 0)
        wrong.push(`${seed}: ${JSON.stringify(diff.differences[0])}`);
    }
    expect(wrong).toEqual([]);
  });

  it('stops a run that was stopped', async () => {
    const definition = { StartAt: 'W', States: { W: { Type: 'Wait', Seconds: 100, End: true } } };
    const recorded = await simulate({
      definition,
      input: {},
      onWorld: (world) => {
        world.clock.at((world.clock.now() + 5000) as never, () => {
          const arn = 'arn:aws:states:us-east-1:123456789012:execution:Machine:simulation' as never;
          world.engine.stop(arn, { error: 'Enough', cause: null }).catch(() => undefined);
        });
      },
    });
    const history = readHistory(asAws(recorded), 'h');
    const { diff, simulation } = await replay({ definition, history, timing: 0 });
    expect([simulation.status, diff.differences]).toEqual(['ABORTED', []]);
  });
});

describe('a history file', () => {
  it('is refused with a reason when it is not whole', () => {
    const refused = (value: Json): string => {
      try {
        readHistory(value, 'h.json');
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refused({ Events: [] })).toContain('{"events": […]}');
    expect(refused({ events: [{ id: 5, type: 'PassStateEntered' }] })).toContain('get all pages');
    const bare = [{ id: 1, type: 'ExecutionStarted', executionStartedEventDetails: {} }];
    expect(refused({ events: bare })).toContain('--include-execution-data');
  });

  it('may be events of the API, of the command line, or lines of ours', () => {
    const event = {
      id: 1,
      previousEventId: 0,
      type: 'ExecutionStarted',
      timestamp: 1_767_225_600.5,
      executionStartedEventDetails: { input: '{"a":1}' },
    };
    const read = (value: Json) => {
      const { startedAt, input } = readHistory(value, 'h');
      return [startedAt, input];
    };
    const wanted = [1_767_225_600_500, { a: 1 }];
    expect(read({ events: [event] })).toEqual(wanted);
    expect(read([{ ...event, timestamp: '2026-01-01T00:00:00.500000+00:00' }])).toEqual(wanted);
    expect(read([{ type: 'event', event: { ...event, timestamp: 1_767_225_600_500 } }])).toEqual(
      wanted,
    );
  });
});

describe('two histories', () => {
  const event = (id: number, type: string, details: JsonObject = {}) => ({
    id,
    previousEventId: id - 1,
    timestamp: null,
    type,
    details,
  });

  it('are the same when uuids and instants stand for each other throughout', () => {
    const uuid = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-000000000000`;
    const run = (one: string, two: string) => [
      event(1, 'ExecutionStarted', { input: { id: one } }),
      event(2, 'ExecutionSucceeded', { output: { id: one, other: two } }),
    ];
    const same = diffHistories(run(uuid('1'), uuid('2')), run(uuid('3'), uuid('4')));
    expect(same.differences).toEqual([]);
    const mixed = diffHistories(run(uuid('1'), uuid('1')), run(uuid('3'), uuid('4')));
    expect(mixed.differences[0]?.fields[0]?.pointer).toBe('/output/other');
  });
});
