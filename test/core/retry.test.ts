/** Retry and Catch: which rule is chosen, how long it waits, and what a catcher sees. */
import { describe, expect, it } from 'vitest';
import { chooseRecovery, compileRetriers, delayMs } from '../../src/core/retry.js';
import type { EpochMs } from '../../src/lib/brand.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { runMachine } from '../support/run-machine.js';
import type { Script, Step } from '../support/scripted-handlers.js';

const env = { now: 1000 as EpochMs, random: () => 0.5 };

function rules(retry: readonly JsonObject[], catchers: readonly (readonly string[])[] = []) {
  return {
    retriers: compileRetriers({ Retry: retry }),
    catchers: catchers.map((errors) => ({
      errors,
      next: 'N',
      complete: () => {
        throw new Error('unused');
      },
    })),
  };
}

describe('the delay', () => {
  it.each<[string, JsonObject, number, number]>([
    ['defaults to 1 s', {}, 1, 1000],
    ['doubles by default', {}, 3, 4000],
    ['grows by BackoffRate', { IntervalSeconds: 3, BackoffRate: 1.5 }, 3, 6750],
    ['stays with BackoffRate 1', { IntervalSeconds: 7, BackoffRate: 1 }, 9, 7000],
    ['is capped', { IntervalSeconds: 5, MaxDelaySeconds: 12 }, 4, 12_000],
    [
      'is capped before jitter',
      { IntervalSeconds: 5, MaxDelaySeconds: 12, JitterStrategy: 'FULL' },
      4,
      6000,
    ],
    ['is jittered from zero to the whole', { IntervalSeconds: 8, JitterStrategy: 'FULL' }, 1, 4000],
    ['ignores jitter NONE', { IntervalSeconds: 8, JitterStrategy: 'NONE' }, 1, 8000],
    ['never passes a year', { IntervalSeconds: 90_000_000, BackoffRate: 10 }, 50, 31_622_400_000],
  ])('%s', (_claim, retrier, attempt, expected) => {
    const [rule] = compileRetriers({ Retry: [{ ErrorEquals: ['E'], ...retrier }] });
    expect(delayMs(rule as NonNullable<typeof rule>, attempt, () => 0.5)).toBe(expected);
  });
});

describe('the choice', () => {
  const failure = (error: string | null) => ({ error, cause: null });
  it.each<[string, string | null, readonly string[], boolean]>([
    ['a name matches itself', 'Oops', ['Oops'], true],
    ['another name does not', 'Oops', ['oops'], false],
    ['States.ALL matches any name', 'Oops', ['States.ALL'], true],
    ['States.ALL matches a timeout', 'States.Timeout', ['States.ALL'], true],
    ['States.ALL does not match States.Runtime', 'States.Runtime', ['States.ALL'], false],
    [
      'States.Runtime is matched by nothing, not even its name',
      'States.Runtime',
      ['States.Runtime'],
      false,
    ],
    ['States.TaskFailed matches any name', 'Oops', ['States.TaskFailed'], true],
    ['States.TaskFailed does not match a timeout', 'States.Timeout', ['States.TaskFailed'], false],
    ['a failure without a name is matched by States.ALL', null, ['States.ALL'], true],
    ['a failure without a name is matched by no name', null, ['Oops'], false],
  ])('%s', (_claim, error, names, matches) => {
    const recovery = chooseRecovery(failure(error), rules([{ ErrorEquals: names }]), [], env);
    expect(recovery.do).toBe(matches ? 'retry' : 'raise');
  });

  it('takes the first retrier that matches', () => {
    const recovery = chooseRecovery(
      failure('Oops'),
      rules([
        { ErrorEquals: ['Other'] },
        { ErrorEquals: ['Oops'] },
        { ErrorEquals: ['States.ALL'] },
      ]),
      [],
      env,
    );
    expect(recovery).toEqual({ do: 'retry', retrier: 1, attempt: 1, at: 2000 });
  });

  it('gives an exhausted retrier over to Catch, not to a later retrier', () => {
    const chosen = rules(
      [{ ErrorEquals: ['Oops'], MaxAttempts: 1 }, { ErrorEquals: ['States.ALL'] }],
      [['Oops']],
    );
    expect(chooseRecovery(failure('Oops'), chosen, [1], env)).toEqual({ do: 'catch', catcher: 0 });
  });

  it('never retries with MaxAttempts 0', () => {
    const chosen = rules([{ ErrorEquals: ['Oops'], MaxAttempts: 0 }]);
    expect(chooseRecovery(failure('Oops'), chosen, [], env)).toEqual({ do: 'raise' });
  });

  it('lets States.HeartbeatTimeout match a missed heartbeat only', () => {
    const chosen = rules([], [['States.HeartbeatTimeout']]);
    const timeout = failure('States.Timeout');
    expect(chooseRecovery(timeout, chosen, [], env, true).do).toBe('catch');
    expect(chooseRecovery(timeout, chosen, [], env, false).do).toBe('raise');
  });
});

const FAIL = (error: string): Step => ({ do: 'fail', error, cause: 'because' });

async function task(fields: JsonObject, steps: readonly Step[], input: Json = { in: 1 }) {
  const definition = {
    StartAt: 'T',
    States: {
      T: { Type: 'Task', Resource: 's:t', End: true, ...fields },
      C: { Type: 'Pass', End: true },
    },
  };
  const script: Script = { 's:t': steps };
  return runMachine(definition, input, script);
}

describe('in a run', () => {
  it('counters are per retrier', async () => {
    const run = await task(
      {
        Retry: [
          { ErrorEquals: ['A'], MaxAttempts: 2, IntervalSeconds: 1, BackoffRate: 1 },
          { ErrorEquals: ['B'], MaxAttempts: 1, IntervalSeconds: 10 },
        ],
      },
      [FAIL('A'), FAIL('B'), FAIL('A'), { do: 'ok', output: 'done' }],
    );
    expect(run.result).toBe('done');
    expect(run.tookMs).toBe(12_000);
    expect(run.handlers.calls.map((call) => call.attempt)).toEqual([0, 1, 2, 3]);
  });

  it('each retry shows only a new TaskScheduled', async () => {
    const run = await task({ Retry: [{ ErrorEquals: ['A'] }] }, [FAIL('A'), { do: 'ok' }]);
    expect(run.history.map((event) => event.type)).toEqual([
      'ExecutionStarted',
      'TaskStateEntered',
      'TaskScheduled',
      'TaskStarted',
      'TaskFailed',
      'TaskScheduled',
      'TaskStarted',
      'TaskSucceeded',
      'TaskStateExited',
      'ExecutionSucceeded',
    ]);
    expect(run.history[5]?.previousEventId).toBe(5);
  });

  it('counters start again when the state is entered again', async () => {
    const run = await runMachine(
      {
        StartAt: 'T',
        States: {
          T: {
            Type: 'Task',
            Resource: 's:t',
            Retry: [{ ErrorEquals: ['A'], MaxAttempts: 1 }],
            ResultPath: '$.t',
            Next: 'Again',
          },
          Again: {
            Type: 'Choice',
            Choices: [{ Variable: '$.round', NumericEquals: 2, Next: 'Done' }],
            Default: 'Next',
          },
          Next: {
            Type: 'Pass',
            Parameters: { 'round.$': 'States.MathAdd($.round, 1)' },
            Next: 'T',
          },
          Done: { Type: 'Succeed' },
        },
      },
      { round: 0 },
      { 's:t': [FAIL('A'), { do: 'ok', output: 1 }] },
    );
    expect(run.state.status).toBe('SUCCEEDED');
    expect(run.handlers.calls).toHaveLength(6);
  });

  it.each<[string, JsonObject, Json]>([
    ['replaces the input', {}, { Error: 'A', Cause: 'because' }],
    ['places beside it', { ResultPath: '$.e' }, { in: 1, e: { Error: 'A', Cause: 'because' } }],
    ['leaves the input alone', { ResultPath: null }, { in: 1 }],
  ])('a catcher %s', async (_claim, more, expected) => {
    const run = await task({ Catch: [{ ErrorEquals: ['A'], Next: 'C', ...more }] }, [FAIL('A')]);
    expect(run.result).toEqual(expected);
  });

  it('a catcher that cannot place its error fails the state', async () => {
    const run = await task(
      { Catch: [{ ErrorEquals: ['A'], Next: 'C', ResultPath: '$.e' }] },
      [FAIL('A')],
      'text',
    );
    expect(run.state.status).toBe('FAILED');
    expect(run.result).toMatchObject({ Error: 'States.Runtime' });
  });

  it('an error nobody catches ends the run with its name and cause', async () => {
    const run = await task({ Catch: [{ ErrorEquals: ['B'], Next: 'C' }] }, [FAIL('A')]);
    expect(run.result).toEqual({ Error: 'A', Cause: 'because' });
    expect(run.history.at(-1)).toMatchObject({ type: 'ExecutionFailed', previousEventId: 5 });
  });

  it('a handler that throws something else is States.TaskFailed', async () => {
    const run = await task({}, [{ do: 'throw' }]);
    expect(run.result).toEqual({ Error: 'States.TaskFailed', Cause: 'A bug in the handler.' });
  });

  it('a retried Parallel starts its branches anew, and the counter holds over attempts', async () => {
    const branch = { StartAt: 'T', States: { T: { Type: 'Task', Resource: 's:t', End: true } } };
    const run = await runMachine(
      {
        StartAt: 'P',
        States: {
          P: {
            Type: 'Parallel',
            Branches: [branch],
            Retry: [{ ErrorEquals: ['A'], MaxAttempts: 2 }],
            End: true,
          },
        },
      },
      {},
      { 's:t': FAIL('A') },
    );
    expect(run.result).toMatchObject({ Error: 'A' });
    expect(run.handlers.calls).toHaveLength(3);
    const types = run.history.map((event) => event.type);
    expect(types.filter((type) => type === 'ParallelStateStarted')).toHaveLength(3);
    expect(types.filter((type) => type === 'ParallelStateFailed')).toHaveLength(1);
    expect(types.filter((type) => type === 'ParallelStateEntered')).toHaveLength(1);
  });
});
