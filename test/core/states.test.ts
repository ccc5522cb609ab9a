/** Each state type by its own rules: Wait, Choice, Fail, Succeed, Parallel and inline Map. */
import { describe, expect, it } from 'vitest';
import type { FrameId } from '../../src/lib/brand.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { assertLimitsHold } from '../sim/laws.js';
import { openWorld, runMachine, shapeOf, startRequest, TEST_ARN } from '../support/run-machine.js';
import type { Script } from '../support/scripted-handlers.js';

function single(state: JsonObject): JsonObject {
  return { StartAt: 'S', States: { S: state, C: { Type: 'Pass', End: true } } };
}

function steps(...types: readonly JsonObject[]): JsonObject {
  const states = types.map((state, index) => {
    const to = index + 1 < types.length ? { Next: `S${index + 1}` } : { End: true };
    return [`S${index}`, { ...to, ...state }] as const;
  });
  return { StartAt: 'S0', States: Object.fromEntries(states) };
}

describe('Wait', () => {
  it.each<[string, JsonObject, Json, number]>([
    ['Seconds', { Seconds: 5 }, {}, 5000],
    ['Seconds 0', { Seconds: 0 }, {}, 0],
    ['SecondsPath', { SecondsPath: '$.s' }, { s: 7 }, 7000],
    ['Timestamp', { Timestamp: '2026-01-01T00:00:30Z' }, {}, 30_000],
    ['Timestamp with a fraction', { Timestamp: '2026-01-01T00:00:30.250Z' }, {}, 30_250],
    ['Timestamp in another zone', { Timestamp: '2026-01-01T01:00:30+01:00' }, {}, 30_000],
    ['Timestamp in the past', { Timestamp: '2025-01-01T00:00:00Z' }, {}, 0],
    ['TimestampPath', { TimestampPath: '$.t' }, { t: '2026-01-01T00:01:00Z' }, 60_000],
    ['Seconds in JSONata', { QueryLanguage: 'JSONata', Seconds: '{% 1 + 2 %}' }, {}, 3000],
    ['a month, longer than a Node timer', { Seconds: 2_592_000 }, {}, 2_592_000_000],
  ])('%s', async (_form, fields, input, took) => {
    const run = await runMachine(single({ Type: 'Wait', End: true, ...fields }), input);
    expect(run.result).toEqual(input);
    expect(run.tookMs).toBe(took);
  });

  it.each<[string, JsonObject, Json, string]>([
    [
      'a negative number',
      { SecondsPath: '$.s' },
      { s: -1 },
      'references a negative value: $.s == -1',
    ],
    [
      'a fraction',
      { SecondsPath: '$.s' },
      { s: 1.5 },
      'cannot be parsed as a long value: $.s == 1.5',
    ],
    ['a text', { SecondsPath: '$.s' }, { s: '1' }, 'cannot be parsed as a long value: $.s == 1'],
    ['nothing', { SecondsPath: '$.s' }, {}, 'does not reference an input value: $.s'],
    ['no timestamp', { TimestampPath: '$.t' }, { t: 'soon' }, 'ISO-8601'],
    ['more than a year', { Seconds: 99_999_999 }, {}, 'too long'],
  ])('fails for %s', async (_what, fields, input, cause) => {
    const run = await runMachine(single({ Type: 'Wait', End: true, ...fields }), input);
    expect(run.result).toMatchObject({ Error: 'States.Runtime' });
    expect((run.result as { Cause: string }).Cause).toContain(cause);
  });
});

describe('Choice', () => {
  const choice = (fields: JsonObject) => ({
    StartAt: 'S',
    States: {
      S: { Type: 'Choice', ...fields },
      A: { Type: 'Pass', Result: 'a', End: true },
      B: { Type: 'Pass', Result: 'b', End: true },
    },
  });
  const rule = (n: number, next: string) => ({ Variable: '$.n', NumericEquals: n, Next: next });

  it.each<[string, JsonObject, Json]>([
    ['takes the first rule that holds', { Choices: [rule(0, 'A'), rule(1, 'B')] }, 'b'],
    ['takes the default when none holds', { Choices: [rule(0, 'A')], Default: 'B' }, 'b'],
    [
      'tests the effective input',
      { InputPath: '$.in', Choices: [rule(5, 'A')], Default: 'B' },
      'a',
    ],
    [
      'evaluates conditions in JSONata',
      {
        QueryLanguage: 'JSONata',
        Choices: [{ Condition: '{% $states.input.n = 1 %}', Next: 'A' }],
      },
      'a',
    ],
  ])('%s', async (_claim, fields, expected) => {
    expect((await runMachine(choice(fields), { n: 1, in: { n: 5 } })).result).toBe(expected);
  });

  it('fails when no rule holds and there is no default', async () => {
    const { result } = await runMachine(choice({ Choices: [rule(0, 'A')] }), { n: 1 });
    expect(result).toMatchObject({ Error: 'States.Runtime' });
  });

  it('loops without end stop at the history limit, and the process goes on', async () => {
    const definition = {
      StartAt: 'S',
      States: { S: { Type: 'Pass', Next: 'S2' }, S2: { Type: 'Pass', Next: 'S' } },
    };
    const run = await runMachine(definition);
    expect(run.state.status).toBe('FAILED');
    expect(run.history).toHaveLength(25_000);
    expect(run.history.at(-1)?.type).toBe('ExecutionFailed');
  });
});

describe('Fail and Succeed', () => {
  it.each<[string, JsonObject, Json]>([
    ['literally', { Error: 'E', Cause: 'C' }, { Error: 'E', Cause: 'C' }],
    ['by path', { ErrorPath: '$.e', CausePath: '$.c' }, { Error: 'in', Cause: 'put' }],
    ['by intrinsic', { CausePath: "States.Format('{}!', $.c)" }, { Error: null, Cause: 'put!' }],
    ['without a word', {}, { Error: null, Cause: null }],
  ])('Fail names its error %s', async (_how, fields, expected) => {
    const run = await runMachine(single({ Type: 'Fail', ...fields }), { e: 'in', c: 'put' });
    expect(run.result).toEqual(expected);
    expect(run.history.at(-1)?.previousEventId).toBe(2);
  });

  it('Succeed ends with its filtered input', async () => {
    const run = await runMachine(single({ Type: 'Succeed', InputPath: '$.a', OutputPath: '$.b' }), {
      a: { b: 1 },
    });
    expect(run.result).toBe(1);
  });

  it('Succeed in a branch ends the branch only', async () => {
    const run = await runMachine(
      steps(
        { Type: 'Parallel', Branches: [single({ Type: 'Succeed' })] },
        { Type: 'Pass', Result: 1 },
      ),
    );
    expect(run.result).toBe(1);
  });
});

const SCRIPT: Script = {
  's:ok': { do: 'ok', afterMs: 100 },
  's:slow': { do: 'ok', output: 'slow', afterMs: 60_000 },
  's:fail': { do: 'fail', error: 'Oops', cause: 'why', afterMs: 1000 },
};
const taskOf = (resource: string): JsonObject =>
  steps({ Type: 'Task', Resource: resource, End: true });

describe('Parallel', () => {
  it('joins the outputs in the order of its branches', async () => {
    const run = await runMachine(
      steps({ Type: 'Parallel', Branches: [taskOf('s:slow'), taskOf('s:ok')] }),
      'in',
      SCRIPT,
    );
    expect(run.result).toEqual(['slow', 'in']);
    expect(run.tookMs).toBe(60_000);
  });

  it('a failing branch aborts its siblings and their work', async () => {
    const waiting = steps({ Type: 'Wait', Seconds: 500 });
    const run = await runMachine(
      steps({ Type: 'Parallel', Branches: [taskOf('s:fail'), taskOf('s:slow'), waiting] }),
      {},
      SCRIPT,
    );
    expect(run.result).toEqual({ Error: 'Oops', Cause: 'why' });
    expect(run.tookMs).toBe(1000);
    const types = run.history.map((event) => event.type);
    expect(types.slice(-5)).toEqual([
      'TaskStateAborted',
      'TaskStateAborted',
      'WaitStateAborted',
      'ParallelStateFailed',
      'ExecutionFailed',
    ]);
    const failed = run.history.find((event) => event.type === 'TaskFailed')?.id;
    for (const event of run.history.slice(-5, -1)) expect(event.previousEventId).toBe(failed);
    const facts = run.facts.length;
    await run.clock.pass(600_000);
    expect(await run.engine.facts(TEST_ARN)).toHaveLength(facts);
    expect(run.handlers.of('s:slow')[0]?.finished).toBe(false);
  });

  it('aborts what lies under its branches too', async () => {
    const nested = steps({ Type: 'Map', ItemProcessor: taskOf('s:slow'), ItemsPath: '$.list' });
    const run = await runMachine(
      steps({ Type: 'Parallel', Branches: [taskOf('s:fail'), nested] }),
      { list: [1, 2] },
      SCRIPT,
    );
    const aborted = run.history.filter((event) => event.type.endsWith('Aborted'));
    expect(aborted.map((event) => event.type)).toEqual([
      'TaskStateAborted',
      'MapIterationAborted',
      'TaskStateAborted',
      'MapIterationAborted',
      'TaskStateAborted',
      'MapStateAborted',
    ]);
    expect(await run.store.dueTimers(Number.MAX_SAFE_INTEGER as never, 10)).toEqual([]);
  });
});

describe('Map', () => {
  const map = (fields: JsonObject, processor = taskOf('s:ok')) =>
    steps({ Type: 'Map', ItemProcessor: processor, ...fields });
  const items = (count: number): Json[] => Array.from({ length: count }, (_, index) => index);

  it.each([1, 2, 3, 7])('never runs more than MaxConcurrency %i at a time', async (limit) => {
    const run = await runMachine(map({ MaxConcurrency: limit }), items(7), SCRIPT);
    expect(run.result).toEqual(items(7));
    assertLimitsHold(run.facts);
    expect(run.tookMs).toBe(100 * Math.ceil(7 / limit));
  });

  it('runs 40 at a time when nothing is said', async () => {
    const run = await runMachine(map({}), items(81), SCRIPT);
    expect(run.tookMs).toBe(300);
  });

  it('over nothing is an empty array', async () => {
    expect((await runMachine(map({}), [], SCRIPT)).result).toEqual([]);
  });

  it('starts iterations in order, each in the slot of the one before', async () => {
    const pass = { StartAt: 'P', States: { P: { Type: 'Pass', End: true } } };
    const run = await runMachine(map({ MaxConcurrency: 1 }, pass), [1, 2]);
    expect(shapeOf(run.history)).toEqual([
      '1<-0 ExecutionStarted',
      '2<-0 MapStateEntered S0',
      '3<-2 MapStateStarted',
      '4<-3 MapIterationStarted S0',
      '5<-4 PassStateEntered P',
      '6<-5 PassStateExited P',
      '7<-6 MapIterationSucceeded S0',
      '8<-6 MapIterationStarted S0',
      '9<-8 PassStateEntered P',
      '10<-9 PassStateExited P',
      '11<-10 MapIterationSucceeded S0',
      '12<-11 MapStateSucceeded',
      '13<-11 MapStateExited S0',
      '14<-13 ExecutionSucceeded',
    ]);
  });

  it('gives each iteration what ItemSelector makes of it', async () => {
    const selector = {
      'i.$': '$$.Map.Item.Index',
      'v.$': '$$.Map.Item.Value',
      's.$': '$$.Map.Item.Source',
      'from.$': '$.from',
    };
    const run = await runMachine(
      map({ ItemsPath: '$.list', ItemSelector: selector }),
      { list: ['a', 'b'], from: 'state' },
      SCRIPT,
    );
    expect(run.result).toEqual([
      { i: 0, v: 'a', s: 'STATE_DATA', from: 'state' },
      { i: 1, v: 'b', s: 'STATE_DATA', from: 'state' },
    ]);
  });

  it.each<[Json]>([[{}], ['text'], [7], [null]])('over %j fails', async (input) => {
    expect((await runMachine(map({}), input, SCRIPT)).result).toMatchObject({
      Error: 'States.Runtime',
    });
  });

  it('a failing iteration aborts the others and can be caught', async () => {
    const choose = {
      StartAt: 'Which',
      States: {
        Which: {
          Type: 'Choice',
          Choices: [{ Variable: '$', NumericEquals: 1, Next: 'Bad' }],
          Default: 'Good',
        },
        Bad: { Type: 'Task', Resource: 's:fail', End: true },
        Good: { Type: 'Task', Resource: 's:slow', End: true },
      },
    };
    const definition = {
      StartAt: 'M',
      States: {
        M: {
          Type: 'Map',
          ItemProcessor: choose,
          Catch: [{ ErrorEquals: ['Oops'], Next: 'After' }],
          End: true,
        },
        After: { Type: 'Pass', OutputPath: '$.Error', End: true },
      },
    };
    const run = await runMachine(definition, items(3), SCRIPT);
    expect(run.result).toBe('Oops');
    expect(run.tookMs).toBe(1000);
    // Children of a caught failure are gone: nothing but the root is left.
    expect([...run.state.frames.keys()]).toEqual(['0']);
  });
});

describe('redrive', () => {
  it('goes on from the failed branch and keeps what had succeeded', async () => {
    const definition = steps(
      {
        Type: 'Parallel',
        Branches: [
          taskOf('s:ok'),
          steps({ Type: 'Map', ItemsPath: '$.list', ItemProcessor: taskOf('s:flaky') }),
        ],
      },
      { Type: 'Pass' },
    );
    const script: Record<string, Script[string]> = {
      's:ok': { do: 'ok', output: 'kept' },
      's:flaky': { do: 'fail', error: 'Oops', afterMs: 500 },
    };
    const world = await openWorld(script);
    await world.engine.start(startRequest(definition, { list: [1, 2] }));
    const failed = await world.clock.runUntil(world.engine.ended(TEST_ARN));
    expect(failed.status).toBe('FAILED');
    script['s:flaky'] = { do: 'ok', output: 'mended' };
    await world.engine.redrive(TEST_ARN);
    const state = await world.clock.runUntil(world.engine.ended(TEST_ARN));
    expect(state.outcome).toEqual({ ok: true, output: ['kept', ['mended', 'mended']] });
    expect(state.redriveCount).toBe(1);
    expect(world.handlers.of('s:ok')).toHaveLength(1);
    expect([...state.frames.keys()]).toEqual(['0' as FrameId]);
  });

  it('of a branch whose nested map was aborted by a sibling resumes that map', async () => {
    const inner = steps({ Type: 'Map', MaxConcurrency: 1, ItemProcessor: taskOf('s:each') });
    const definition = steps({
      Type: 'Map',
      ItemProcessor: {
        StartAt: 'Which',
        States: {
          Which: {
            Type: 'Choice',
            Choices: [{ Variable: '$[0]', IsString: true, Next: 'Flaky' }],
            Default: 'Inner',
          },
          Flaky: { Type: 'Task', Resource: 's:flaky', End: true },
          Inner: (inner.States as JsonObject).S0 as JsonObject,
        },
      },
    });
    const script: Record<string, Script[string]> = {
      's:each': { do: 'ok', afterMs: 400 },
      's:flaky': { do: 'fail', error: 'Oops', afterMs: 1000 },
    };
    const world = await openWorld(script);
    await world.engine.start(startRequest(definition, [['x'], [1, 2, 3, 4]]));
    await world.clock.runUntil(world.engine.ended(TEST_ARN));
    script['s:flaky'] = { do: 'ok', output: 'mended' };
    await world.engine.redrive(TEST_ARN);
    const state = await world.clock.runUntil(world.engine.ended(TEST_ARN));
    expect(state.outcome).toEqual({ ok: true, output: ['mended', [1, 2, 3, 4]] });
    // Two were done and one was under way when the sibling failed: that one runs again, no other.
    expect(world.handlers.of('s:each').map((call) => call.parameters)).toEqual([1, 2, 3, 3, 4]);
  });

  it('of an execution whose history is full does nothing', async () => {
    const { AWS_LIMITS } = await import('../../src/core/limits.js');
    const definition = { StartAt: 'A', States: { A: { Type: 'Pass', Next: 'A' } } };
    const world = await openWorld({}, { limits: { ...AWS_LIMITS, historyEvents: 100 } });
    await world.engine.start(startRequest(definition, {}));
    await world.clock.runUntil(world.engine.ended(TEST_ARN));
    await expect(world.engine.redrive(TEST_ARN)).rejects.toThrow('can be redriven');
    expect(await world.engine.history(TEST_ARN)).toHaveLength(100);
  });
});

describe('stop', () => {
  it('ends an execution wherever it waits, once', async () => {
    const world = await openWorld(SCRIPT);
    await world.engine.start(startRequest(taskOf('s:slow'), {}));
    expect(await world.engine.stop(TEST_ARN, { error: 'E', cause: 'C' })).not.toBeNull();
    expect(await world.engine.stop(TEST_ARN, { error: 'E', cause: 'C' })).toBeNull();
    const history = (await world.engine.history(TEST_ARN)) ?? [];
    expect(history.at(-1)).toMatchObject({
      type: 'ExecutionAborted',
      previousEventId: 0,
      details: { value: { error: 'E', cause: 'C' } },
    });
    await world.clock.pass(100_000);
    expect(await world.engine.history(TEST_ARN)).toHaveLength(history.length);
  });
});

describe('a JSONata field of another type', () => {
  it.each<[string, JsonObject, string, string]>([
    ['Seconds', { Type: 'Wait', Seconds: "{% 'x' %}" }, 'number', '\'string\' for value: "x"'],
    ['Timestamp', { Type: 'Wait', Timestamp: '{% 5 %}' }, 'string', "'number' for value: 5"],
    ['Error', { Type: 'Fail', Error: '{% [1] %}' }, 'string', "'array' for value: [1]"],
    [
      'TimeoutSeconds',
      { Type: 'Task', Resource: 'script:ok', TimeoutSeconds: '{% true %}' },
      'number',
      "'boolean' for value: true",
    ],
  ])('%s is refused as any other result is', async (field, state, expected, was) => {
    const end = state.Type === 'Fail' ? {} : { End: true };
    const definition = single({ QueryLanguage: 'JSONata', ...end, ...state });
    const run = await runMachine(definition, {}, { 'script:ok': { do: 'ok' } });
    expect(run.state.outcome).toMatchObject({
      failure: {
        error: 'States.QueryEvaluationError',
        cause: expect.stringContaining(
          `specified for the field '${field}' returned an unexpected result type. ` +
            `Expected '${expected}', but was ${was}`,
        ),
      },
    });
  });
});
