/** Scenario files: what they say, what they expect, and how a failed expectation reads. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { readExpectations } from '../../src/simulate/scenarios/expectations.js';
import { Problems } from '../../src/simulate/mocks/problems.js';
import { judge, readScenarios } from '../../src/simulate/scenarios/scenario.js';
import { type Simulation, simulate } from '../../src/simulate/simulate.js';

const MACHINE: JsonObject = {
  StartAt: 'Call',
  States: {
    Call: {
      Type: 'Task',
      Resource: 'local:call',
      Retry: [{ ErrorEquals: ['Busy'], IntervalSeconds: 60, MaxAttempts: 1 }],
      Assign: { 'seen.$': '$.list' },
      Next: 'End',
    },
    End: { Type: 'Pass', End: true },
  },
};

function run(): Promise<Simulation> {
  return simulate({
    definition: MACHINE,
    input: { id: 7 },
    mocks: ({ attempt }) =>
      attempt === 0
        ? { throw: { error: 'Busy', cause: 'later' } }
        : { return: { list: [1, 2], extra: 'x' } },
  });
}

async function failuresOf(expect: Json): Promise<readonly string[]> {
  const problems = new Problems();
  const checks = readExpectations(expect, '', problems);
  problems.refuse('test');
  const failures = await judge(await run(), checks);
  return failures.map(({ differences, expectation, message }) => {
    const shown = differences.map(
      ({ actual, expected, pointer }) =>
        `${pointer}: ${JSON.stringify(expected)} ${JSON.stringify(actual)}`,
    );
    return [`${expectation}: ${message}`, ...shown].join(' | ');
  });
}

/** Each expectation, once met and once not. */
const CASES: readonly (readonly [Json, Json, string])[] = [
  [{ status: 'SUCCEEDED' }, { status: 'FAILED' }, 'status: differs | : "FAILED" "SUCCEEDED"'],
  [
    { output: { list: [1, 2], extra: 'x' } },
    { output: { list: [1, 3] } },
    'output: differs | /list/1: 3 2 | /extra: undefined "x"',
  ],
  [
    { outputIncludes: { extra: 'x' } },
    { outputIncludes: { more: 1 } },
    'outputIncludes: differs | /more: 1 undefined',
  ],
  [
    { outputWhere: '{% $count($output.list) = 2 %}' },
    { outputWhere: '{% $output.no = 1 %}' },
    'outputWhere: {% $output.no = 1 %} does not hold',
  ],
  [
    { where: '{% $tookMs = 60000 and $seen[0] = 1 %}' },
    { where: '{% $status = "FAILED" %}' },
    'where: ',
  ],
  [{ path: ['Call', 'End'] }, { path: ['Call'] }, 'path: differs | /1: undefined "End"'],
  [
    { pathIncludes: ['End'] },
    { pathIncludes: ['End', 'Call'] },
    'pathIncludes: Call is not entered in this order: Call → End',
  ],
  [{ pathExcludes: ['Other'] }, { pathExcludes: ['End'] }, 'pathExcludes: End was entered'],
  [{ visits: { Call: 1 } }, { visits: { Call: 2 } }, 'visits: differs | /Call: 2 1'],
  [
    { calls: { Call: 2 } },
    { calls: { Call: { times: 3 } } },
    'calls/Call/times: called 2 times, not 3',
  ],
  [
    { calls: { Call: { inputs: [{ id: 7 }, { id: 7 }] } } },
    { calls: { Call: { inputIncludes: { id: 8 } } } },
    'calls/Call/inputIncludes: none of 2 calls had such an input | /id: 8 7',
  ],
  [
    { calls: { Nobody: { never: true } } },
    { calls: { Call: { never: true } } },
    'calls/Call/times: called 2 times, not 0',
  ],
  [
    { events: ['TaskFailed', { type: 'TaskStateExited', name: 'Call' }, 'ExecutionSucceeded'] },
    { events: ['TaskSucceeded', { type: 'TaskFailed', error: 'Busy' }] },
    'events: there is no {"type":"TaskFailed","error":"Busy"} after #',
  ],
  [
    { eventsExclude: ['TaskTimedOut'] },
    { eventsExclude: ['TaskFailed'] },
    'eventsExclude: TaskFailed happened',
  ],
  [
    { variables: { seen: [1, 2] } },
    { variables: { seen: [1] } },
    'variables: differs | /seen/1: undefined 2',
  ],
  [{ took: '1m' }, { took: { atLeast: '2m' } }, 'took: took 1m of virtual time, not 2m to any'],
];

describe('expectations', () => {
  it.each(CASES)('%j holds, %j does not', async (good, bad, message) => {
    expect(await failuresOf(good)).toEqual([]);
    const failures = await failuresOf(bad);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toContain(message);
  });

  it('of errors and causes read a failed run', async () => {
    const checks = readExpectations({ error: 'Oops', causeIncludes: 'glass' }, '', new Problems());
    const failing = async (cause: string) =>
      judge(
        await simulate({
          definition: MACHINE,
          input: {},
          mocks: () => ({ throw: { error: 'Oops', cause } }),
        }),
        checks,
      );
    expect(await failing('broken glass')).toEqual([]);
    expect((await failing('wood'))[0]?.message).toBe('the cause is "wood"');
  });

  it('expect success unless they say otherwise, and say why a run failed', async () => {
    const checks = readExpectations({ path: ['Call'] }, '', new Problems());
    const failed = await simulate({
      definition: MACHINE,
      input: {},
      mocks: () => ({ throw: { error: 'Oops' } }),
    });
    const [first] = await judge(failed, checks);
    expect(first?.message).toContain('the run ended FAILED: Oops');
  });
});

describe('a scenario file', () => {
  const problemsOf = (value: Json): readonly string[] => {
    try {
      readScenarios(value, 'a.test.yaml', 'a');
      return [];
    } catch (error) {
      return (error as Error).message
        .split('\n')
        .slice(1)
        .map((line) => line.trim());
    }
  };

  it('holds one scenario, or several that share what stands beside them', () => {
    const single = readScenarios({ machine: 'm.json', expect: {} }, 'a.test.yaml', 'a');
    expect(single.scenarios.map(({ name, machine }) => [name, machine])).toEqual([['a', 'm.json']]);
    const { scenarios } = readScenarios(
      {
        machine: 'm.json',
        seed: 3,
        input: { shared: true },
        mocks: 'base.yaml',
        scenarios: [
          { name: 'one', expect: {}, input: 1, mocks: { states: {} } },
          { expect: {}, seed: 4 },
        ],
      },
      'a.test.yaml',
      'a',
    );
    const [one, two] = scenarios;
    expect([one?.name, one?.input, one?.seed, one?.mocks.length]).toEqual(['one', 1, 3, 2]);
    expect([two?.name, two?.input, two?.seed, two?.mocks.length]).toEqual([
      'a 2',
      { shared: true },
      4,
      1,
    ]);
  });

  it('is refused with the place of every mistake', () => {
    expect(problemsOf({ scenarios: [], machin: 'x' })).toEqual([
      '/machin: There is no "machin" here. Did you mean "machine"?',
    ]);
    expect(problemsOf({ machine: 'm', scenarios: [{ name: 'a' }] })[0]).toContain(
      '/scenarios/0: There is no "expect"',
    );
    expect(problemsOf({ machine: 'm', expect: { outputs: 1 } })[0]).toBe(
      '/expect/outputs: There is no "outputs" here. Did you mean "output"?',
    );
    expect(problemsOf({ machine: 'm', expect: { status: 'OK' } })[0]).toContain(
      '/expect/status: Must be one of',
    );
    expect(problemsOf({ machine: 'm', expect: { outputWhere: '$x' } })[0]).toContain(
      '/expect/outputWhere',
    );
    expect(problemsOf({ machine: 'm', expect: { took: 'long' } })[0]).toContain('/expect/took');
    const twice = { name: 'same', expect: {} };
    expect(problemsOf({ machine: 'm', scenarios: [twice, twice] })[0]).toContain(
      '/scenarios/1/name: Two scenarios',
    );
  });
});
