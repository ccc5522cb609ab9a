/** The simulator: a 30-day machine once warm, and 1,000 scenarios of a 10-state machine in one process. */
import type { Json, JsonObject } from '../src/lib/json.js';
import { defaultResponder } from '../src/simulate/mocks/defaults.js';
import { readMockFile } from '../src/simulate/mocks/file.js';
import { responderOf } from '../src/simulate/mocks/plan.js';
import { Coverage } from '../src/simulate/coverage/coverage.js';
import { readExpectations } from '../src/simulate/scenarios/expectations.js';
import { judge } from '../src/simulate/scenarios/scenario.js';
import { Problems } from '../src/simulate/mocks/problems.js';
import { simulate } from '../src/simulate/simulate.js';

const DAY = 86_400;

/** Thirty days: a daily poll with heartbeats, and a retry. */
const MONTH: JsonObject = {
  StartAt: 'Init',
  States: {
    Init: { Type: 'Pass', Parameters: { day: 0 }, Next: 'Wait' },
    Wait: { Type: 'Wait', Seconds: DAY, Next: 'Poll' },
    Poll: {
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke',
      HeartbeatSeconds: 600,
      Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 30 }],
      ResultPath: null,
      Next: 'Count',
    },
    Count: { Type: 'Pass', Parameters: { 'day.$': 'States.MathAdd($.day, 1)' }, Next: 'Over?' },
    'Over?': {
      Type: 'Choice',
      Choices: [{ Variable: '$.day', NumericGreaterThanEquals: 30, Next: 'Done' }],
      Default: 'Wait',
    },
    Done: { Type: 'Succeed' },
  },
};

const TEN: JsonObject = {
  StartAt: 'S0',
  States: {
    ...Object.fromEntries(
      Array.from({ length: 8 }, (_, index): [string, Json] => [
        `S${index}`,
        index % 2 === 0
          ? {
              Type: 'Task',
              Resource: 'arn:aws:states:::lambda:invoke',
              ResultPath: `$.r${index}`,
              Retry: [{ ErrorEquals: ['States.ALL'] }],
              Next: `S${index + 1}`,
            }
          : {
              Type: 'Pass',
              Result: index,
              ResultPath: `$.p${index}`,
              Next: index === 7 ? 'Choice' : `S${index + 1}`,
            },
      ]),
    ),
    Choice: {
      Type: 'Choice',
      Choices: [{ Variable: '$.n', NumericGreaterThan: 500, Next: 'End' }],
      Default: 'End',
    },
    End: { Type: 'Succeed' },
  },
};

async function month(): Promise<number> {
  const begun = performance.now();
  const run = await simulate({
    definition: MONTH,
    input: {},
    mocks: ({ attempt, invocation }) =>
      invocation % 7 === 0 && attempt === 0
        ? { throw: { error: 'Busy' } }
        : { return: {}, afterMs: 1_200_000, heartbeatEveryMs: 300_000 },
  });
  if (run.status !== 'SUCCEEDED' || run.tookMs < 30 * DAY * 1000)
    throw new Error(run.cause ?? run.status);
  return performance.now() - begun;
}

async function scenarios(count: number): Promise<number> {
  const coverage = new Coverage(TEN);
  const begun = performance.now();
  for (let n = 0; n < count; n++) {
    const { plan } = readMockFile(
      {
        states: {
          S0: { attempts: { '0': { throw: 'Busy' }, '1+': { return: n } } },
          S2: { return: { n } },
        },
      },
      'bench',
    );
    const run = await simulate({
      definition: TEN,
      input: { n },
      responders: [{ name: 'mock', answer: responderOf(plan) }, defaultResponder(TEN)],
    });
    const problems = new Problems();
    const checks = readExpectations(
      { status: 'SUCCEEDED', outputIncludes: { n, r0: n }, calls: { S0: 2 } },
      '',
      problems,
    );
    const failures = await judge(run, checks);
    coverage.add(`scenario ${n}`, run.journals.values());
    if (failures.length > 0) throw new Error(JSON.stringify(failures));
  }
  return performance.now() - begun;
}

const warmUp = await month();
for (let index = 0; index < 8; index++) await month();
const months: number[] = [];
for (let index = 0; index < 15; index++) months.push(await month());
months.sort((a, b) => a - b);
console.log(
  `30-day machine: ${(months[7] as number).toFixed(1)} ms warm (median of 15; first ${warmUp.toFixed(0)} ms)`,
);
const COUNT = 1000;
const took = await scenarios(COUNT);
console.log(
  `${COUNT} scenarios of a 10-state machine: ${(took / 1000).toFixed(2)} s (${(took / COUNT).toFixed(2)} ms each)`,
);
