/** Explore: what it reaches, what it finds, what it does not claim, and that its scripts lead there. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { percentOf } from '../../src/simulate/coverage/coverage.js';
import { Coverage } from '../../src/simulate/coverage/coverage.js';
import { mocksOf } from '../../src/simulate/explore/candidate.js';
import { type Exploration, explore } from '../../src/simulate/explore/explore.js';
import { coverageScripts, scenarioFile } from '../../src/simulate/explore/scripts.js';
import { defaultResponder } from '../../src/simulate/mocks/defaults.js';
import { readMockFile } from '../../src/simulate/mocks/file.js';
import { responderOf } from '../../src/simulate/mocks/plan.js';
import { ownJournals, type Simulation, simulate } from '../../src/simulate/simulate.js';

function look(definition: JsonObject, input?: Json, maxPaths = 200): Promise<Exploration> {
  return explore({ definition, input, type: 'STANDARD', maxPaths, timeLimitMs: 20_000, seed: 0 });
}

const codes = ({ findings }: Exploration): readonly string[] => [
  ...new Set(findings.map(({ code }) => code)),
];
const errors = ({ findings }: Exploration) =>
  findings.filter(({ severity }) => severity === 'error');
const left = ({ coverage }: Exploration): readonly string[] =>
  coverage.places.filter(({ hits }) => hits === 0).map(({ id }) => id);

/** Replays an input and a mock file without anything of explore. */
function replay(definition: JsonObject, input: Json, mocks: JsonObject): Promise<Simulation> {
  const { plan } = readMockFile(mocks, 'mocks', new Map(), '');
  return simulate({
    definition,
    input,
    mocks: responderOf(plan),
    responders: [defaultResponder(definition)],
  });
}

const done = { Type: 'Succeed' } as const;

function choice(rules: readonly JsonObject[], more: JsonObject = {}): JsonObject {
  const targets = rules.map((_, index) => `Arm${index}`);
  return {
    StartAt: 'Choose',
    States: {
      Choose: {
        Type: 'Choice',
        Choices: rules.map((rule, index) => ({ ...rule, Next: `Arm${index}` })),
        Default: 'Other',
      },
      ...Object.fromEntries([...targets, 'Other'].map((name) => [name, done])),
      ...more,
    },
  };
}

describe('arms', () => {
  it.each<[string, readonly JsonObject[]]>([
    [
      'numbers',
      [
        { Variable: '$.n', NumericGreaterThan: 10 },
        { Variable: '$.n', NumericEquals: 3 },
      ],
    ],
    [
      'texts',
      [
        { Variable: '$.s', StringEquals: 'a' },
        { Variable: '$.s', StringMatches: 'log-*.txt' },
      ],
    ],
    [
      'order of texts',
      [
        { Variable: '$.s', StringLessThan: 'b' },
        { Variable: '$.s', StringGreaterThan: 'y' },
      ],
    ],
    [
      'booleans',
      [
        { Variable: '$.b', BooleanEquals: true },
        { Variable: '$.b', BooleanEquals: false },
      ],
    ],
    [
      'types',
      [
        { Variable: '$.x', IsNull: true },
        { Variable: '$.x', IsNumeric: true },
        { Variable: '$.x', IsBoolean: true },
      ],
    ],
    [
      'presence',
      [
        { Variable: '$.x', IsPresent: false },
        { Variable: '$.x', IsTimestamp: true },
      ],
    ],
    [
      'instants',
      [
        { Variable: '$.t', TimestampLessThan: '2020-01-01T00:00:00Z' },
        { Variable: '$.t', TimestampGreaterThan: '2030-01-01T00:00:00Z' },
      ],
    ],
    [
      'paths',
      [
        { Variable: '$.a', NumericGreaterThanPath: '$.b' },
        { Variable: '$.a', NumericEqualsPath: '$.b' },
      ],
    ],
    [
      'And, Or, Not',
      [
        {
          And: [
            { Variable: '$.a', NumericGreaterThan: 1 },
            { Variable: '$.b', StringEquals: 'x' },
          ],
        },
        {
          Not: {
            Or: [
              { Variable: '$.a', NumericLessThan: 0 },
              { Variable: '$.c', BooleanEquals: true },
            ],
          },
        },
      ],
    ],
  ])('of %s are all reached', async (_name, rules) => {
    expect(left(await look(choice(rules)))).toEqual([]);
  });

  it('of JSONata are all reached', async () => {
    const conditions = [
      '{% $states.input.n > 10 and $states.input.kind = "big" %}',
      '{% $exists($states.input.flag) and $not($states.input.flag) %}',
      "{% $states.input.status in ['late', 'lost'] %}",
      '{% $count($states.input.rows) >= 3 %}',
    ];
    const machine = {
      QueryLanguage: 'JSONata',
      ...choice(conditions.map((Condition) => ({ Condition }))),
    };
    expect(left(await look(machine))).toEqual([]);
  });

  it('are reached through a filter', async () => {
    const pick = {
      Type: 'Pass',
      InputPath: "$.rows[?(@.kind=='late')]",
      ResultPath: '$.late',
      Next: 'Choose',
    };
    const rules = [{ Variable: '$.late[0]', IsPresent: true }];
    const machine = { ...choice(rules, { Pick: pick }), StartAt: 'Pick' };
    expect(left(await look(machine, { rows: [] }))).toEqual([]);
  });

  it('are reached through ResultSelector, Parameters, ResultPath, variables and texts with JSON', async () => {
    const machine: JsonObject = {
      StartAt: 'Ask',
      States: {
        Ask: {
          Type: 'Task',
          Resource: 'arn:aws:states:::lambda:invoke',
          Parameters: { FunctionName: 'ask' },
          ResultSelector: { 'answer.$': '$.Payload.deep.answer', 'body.$': '$.Payload.body' },
          Assign: { 'level.$': '$.Payload.level' },
          ResultPath: '$.asked',
          Next: 'Shape',
        },
        Shape: {
          Type: 'Pass',
          Parameters: {
            'value.$': '$.asked.answer',
            'parsed.$': 'States.StringToJson($.asked.body)',
          },
          Next: 'A',
        },
        A: {
          Type: 'Choice',
          Choices: [{ Variable: '$.value', NumericEquals: 77, Next: 'B' }],
          Default: 'B',
        },
        B: {
          Type: 'Choice',
          Choices: [{ Variable: '$level', StringEquals: 'high', Next: 'C' }],
          Default: 'C',
        },
        C: {
          Type: 'Choice',
          Choices: [{ Variable: '$.parsed.ok', BooleanEquals: true, Next: 'End' }],
          Default: 'End',
        },
        End: done,
      },
    };
    expect(left(await look(machine))).toEqual([]);
  });
});

const ORDER: JsonObject = {
  StartAt: 'Charge',
  States: {
    Charge: {
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke',
      Parameters: { FunctionName: 'charge' },
      TimeoutSeconds: 60,
      Retry: [{ ErrorEquals: ['Busy'], MaxAttempts: 2 }],
      Catch: [{ ErrorEquals: ['Declined', 'States.Timeout'], Next: 'Tell' }],
      Next: 'Each',
    },
    Each: {
      Type: 'Map',
      ItemsPath: '$.Payload.rows',
      ItemProcessor: {
        StartAt: 'Pack',
        States: {
          Pack: {
            Type: 'Task',
            Resource: 'arn:aws:states:::sqs:sendMessage',
            Parameters: { QueueUrl: 'q', MessageBody: 'm' },
            End: true,
          },
        },
      },
      Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Tell' }],
      Next: 'Done',
    },
    Tell: { Type: 'Fail', Error: 'NotDone' },
    Done: done,
  },
};

describe('findings', () => {
  it('name the errors that nothing handles, and only those', async () => {
    const seen = await look(ORDER);
    expect(left(seen)).toEqual([]);
    const unhandled = seen.findings.filter(({ code }) => code === 'EX_UNHANDLED_ERROR');
    expect(unhandled.map(({ message }) => message.replace(/: .*/, ''))).toEqual([
      'Charge fails with Busy',
      'Charge fails with an error that it does not foresee',
    ]);
    expect(errors(seen)).toEqual([]);
  });

  it('prove that an arm and what only it leads to cannot be reached', async () => {
    const seen = await look(
      choice([
        { Variable: '$.n', NumericGreaterThan: 100 },
        { Variable: '$.n', NumericGreaterThan: 200 },
      ]),
    );
    expect(errors(seen).map(({ code, location }) => [code, location])).toEqual([
      ['EX_CONTRADICTION', '/States/Choose/Choices/1'],
      ['EX_UNREACHABLE_STATE', '/States/Arm1'],
    ]);
  });

  it('do not call an arm impossible that they only could not reach', async () => {
    const seen = await look(
      choice([
        { Variable: '$.s', StringMatches: 'a*' },
        { Variable: '$.s', StringMatches: '*' },
      ]),
    );
    expect(codes(seen)).not.toContain('EX_CONTRADICTION');
  });

  it('see a field that the state before leaves out, and raise no alarm over the raw input', async () => {
    const machine = (path: string): JsonObject => ({
      StartAt: 'Shape',
      States: {
        Shape: { Type: 'Pass', Parameters: { 'id.$': '$.order.id' }, Next: 'Read' },
        Read: { Type: 'Pass', Parameters: { 'value.$': path }, End: true },
      },
    });
    const wrong = await look(machine('$.total'));
    expect(errors(wrong)).toMatchObject([{ code: 'EX_MISSING_FIELD', state: 'Read' }]);
    expect(errors(await look(machine('$.id')))).toEqual([]);
    expect(errors(await look(machine('$.id'), {}))).toEqual([]);
  });

  it('take OutputPath for what it reads: the result, not the input', async () => {
    const machine: JsonObject = {
      StartAt: 'Shape',
      States: {
        Shape: { Type: 'Pass', Parameters: { id: 1 }, Next: 'Ask' },
        Ask: {
          Type: 'Task',
          Resource: 'arn:aws:states:::lambda:invoke',
          Parameters: { FunctionName: 'ask' },
          OutputPath: '$.Payload',
          Catch: [{ ErrorEquals: ['States.ALL'], Next: 'End' }],
          Next: 'End',
        },
        End: done,
      },
    };
    expect((await look(machine)).findings).toEqual([]);
  });

  it('see loops without a way out, loops without a bound, and callbacks that never come', async () => {
    const endless: JsonObject = {
      StartAt: 'A',
      States: {
        A: {
          Type: 'Choice',
          Choices: [{ Variable: '$.go', BooleanEquals: true, Next: 'B' }],
          Default: 'End',
        },
        B: { Type: 'Wait', Seconds: 60, Next: 'C' },
        C: { Type: 'Pass', Next: 'B' },
        End: done,
      },
    };
    const seen = await look(endless);
    expect(errors(seen)).toMatchObject([{ code: 'EX_ENDLESS_LOOP', state: 'B' }]);
    const poll: JsonObject = {
      StartAt: 'Wait',
      States: {
        Wait: { Type: 'Wait', Seconds: 60, Next: 'Ask' },
        Ask: {
          Type: 'Task',
          Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken',
          Parameters: { QueueUrl: 'q', 'MessageBody.$': '$$.Task.Token' },
          Next: 'Over?',
        },
        'Over?': {
          Type: 'Choice',
          Choices: [{ Variable: '$.state', StringEquals: 'OVER', Next: 'End' }],
          Default: 'Wait',
        },
        End: done,
      },
    };
    const polled = await look(poll);
    expect(codes(polled)).toContain('EX_WAITS_FOR_EVER');
    expect(codes(polled).some((code) => /EX_(LOOP_WITHOUT_BOUND|HISTORY_GROWTH)/.test(code))).toBe(
      true,
    );
  });

  it('come with scripts that show them when they are replayed', async () => {
    const seen = await look(ORDER);
    const scripts = seen.findings.filter(
      ({ script, shows }) => script !== null && shows !== undefined,
    );
    expect(scripts.length).toBeGreaterThan(1);
    for (const { message, script, shows } of scripts) {
      if (script === null) continue;
      const run = await replay(ORDER, script.input, mocksOf(script));
      expect([message, shows?.(run)]).toEqual([message, true]);
    }
  });
});

describe('the written scripts', () => {
  it('reach everything that was reached, with little', async () => {
    const seen = await look(ORDER);
    const coverage = new Coverage(ORDER);
    const scripts = await coverageScripts(seen.search);
    for (const { candidate, name } of scripts) {
      coverage.add(name, ownJournals(await replay(ORDER, candidate.input, mocksOf(candidate))));
    }
    expect(percentOf(coverage.report().total)).toBe(100);
    expect(scripts.length).toBeLessThanOrEqual(seen.search.trials.length);
    const file = scenarioFile(scripts, { machine: 'order.asl.json', type: 'STANDARD', seed: 0 });
    expect(file).toMatchObject({ machine: 'order.asl.json', scenarios: expect.any(Array) });
  });
});

it('the same machine and seed are explored the same way', async () => {
  const told = async (): Promise<string> => {
    const { findings, search } = await look(ORDER);
    return JSON.stringify([search.runs, findings, search.trials.map(({ candidate }) => candidate)]);
  };
  expect(await told()).toBe(await told());
});

it('stops at the number of paths it is given', async () => {
  const { search } = await look(ORDER, undefined, 5);
  expect([search.runs <= 5, search.stopped]).toEqual([true, 'paths']);
});

it('fills placeholders in, so that a machine runs before it is deployed', async () => {
  const machine: JsonObject = {
    QueryLanguage: 'JSONata',
    StartAt: 'Sleep',
    States: { Sleep: { Type: 'Wait', Seconds: '${Pause}', Next: 'End' }, End: done },
  };
  const seen = await look(machine);
  expect([seen.placeholders, left(seen)]).toEqual([['Pause'], []]);
});
