/**
 * The simulator: a 30-day machine once warm, and 1,000 scenarios of a 10-state machine in one process.
 * Through the built package (`npm run build` first), as its users run it: `npx tsx bench/simulate.ts`.
 */
import { coverageOf, expectRun, type Json, type JsonObject, simulate } from 'stepwell/testing';

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
    machine: MONTH,
    input: {},
    mocks: {
      Poll: [
        { call: ['0', '7', '14', '21', '28'], throw: 'Busy' },
        { return: {}, after: '20m', heartbeatEvery: '5m' },
      ],
    },
  });
  if (run.status !== 'SUCCEEDED' || run.tookMs < 30 * DAY * 1000 || run.calls.length < 30) {
    throw new Error(run.cause ?? run.status);
  }
  return performance.now() - begun;
}

async function scenarios(count: number): Promise<number> {
  const coverage = await coverageOf(TEN);
  const begun = performance.now();
  for (let n = 0; n < count; n++) {
    const run = await simulate({
      machine: TEN,
      input: { n },
      coverage,
      mocks: {
        S0: { attempts: { '0': { throw: 'Busy' }, '1+': { return: n } } },
        S2: { return: { n } },
      },
    });
    await expectRun(run, { status: 'SUCCEEDED', outputIncludes: { n, r0: n }, calls: { S0: 2 } });
  }
  return performance.now() - begun;
}

/** Milliseconds of CPU so far: on a shared machine the wall clock says little. */
function cpu(): number {
  const { system, user } = process.cpuUsage();
  return (system + user) / 1000;
}

const warmUp = await month();
for (let index = 0; index < 8; index++) await month();
const months: number[] = [];
const before = cpu();
for (let index = 0; index < 15; index++) months.push(await month());
const monthCpu = (cpu() - before) / 15;
months.sort((a, b) => a - b);
console.log(
  `30-day machine: ${(months[7] as number).toFixed(1)} ms warm (median of 15; ${monthCpu.toFixed(1)} ms of CPU; first ${warmUp.toFixed(0)} ms)`,
);
const COUNT = 1000;
const start = cpu();
const took = await scenarios(COUNT);
const tookCpu = cpu() - start;
console.log(
  `${COUNT} scenarios of a 10-state machine: ${(took / 1000).toFixed(2)} s (${(tookCpu / 1000).toFixed(2)} s of CPU)`,
);
