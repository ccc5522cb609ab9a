/** Cost: what is counted, what it comes to, and what is advised. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { adviceOn, expressObstacles } from '../../src/simulate/cost/advice.js';
import { estimate, tiered } from '../../src/simulate/cost/estimate.js';
import { PRICES, readPrices } from '../../src/simulate/cost/prices.js';
import { type Usage, usageOf } from '../../src/simulate/cost/usage.js';
import { ownJournals, simulate } from '../../src/simulate/simulate.js';
import type { Responder } from '../../src/simulate/call.js';

async function used(definition: JsonObject, input: Json, mocks: Responder): Promise<Usage> {
  return usageOf(ownJournals(await simulate({ definition, input, mocks })));
}

const OPTIONS = { prices: PRICES, runsPerMonth: 1000, memoryMb: 64, durationMs: null };

const task = (more: JsonObject): JsonObject => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  Parameters: { FunctionName: 'f' },
  ...more,
});

describe('usage', () => {
  it('counts every state entered, in branches and iterations too, and every retry', async () => {
    const machine: JsonObject = {
      StartAt: 'Each',
      States: {
        Each: {
          Type: 'Map',
          ItemProcessor: {
            StartAt: 'Call',
            States: { Call: task({ Retry: [{ ErrorEquals: ['Busy'] }], End: true }) },
          },
          End: true,
        },
      },
    };
    const usage = await used(machine, [1, 2, 3], ({ attempt, invocation }) =>
      attempt === 0 && invocation === 0 ? { throw: { error: 'Busy' } } : { return: {} },
    );
    expect(usage).toMatchObject({ transitions: 5, retries: 1, childStarts: 0 });
    expect(usage.byState).toEqual([
      { state: 'Each', entered: 1, retries: 0 },
      { state: 'Call', entered: 3, retries: 1 },
    ]);
  });

  it.each([
    ['STANDARD', { transitions: 4, childStarts: 3, express: 0 }],
    ['EXPRESS', { transitions: 1, childStarts: 3, express: 3 }],
  ])('counts children of a distributed Map as %s executions', async (ExecutionType, expected) => {
    const machine: JsonObject = {
      StartAt: 'Each',
      States: {
        Each: {
          Type: 'Map',
          ItemProcessor: {
            ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType },
            StartAt: 'One',
            States: { One: { Type: 'Pass', End: true } },
          },
          End: true,
        },
      },
    };
    const usage = await used(machine, [1, 2, 3], () => ({ return: {} }));
    const { childStarts, expressChildren, transitions } = usage;
    expect({ transitions, childStarts, express: expressChildren.length }).toEqual(expected);
    expect(estimate(usage, OPTIONS).standard.transitionsPerRun).toBe(transitions + 3);
  });
});

describe('estimates', () => {
  const usage: Usage = {
    byState: [],
    transitions: 8,
    retries: 0,
    childStarts: 0,
    expressChildren: [],
    durationMs: 1234,
  };

  it('of Standard are $0.025 per 1,000 transitions after the free tier', () => {
    const { standard } = estimate(usage, OPTIONS);
    expect(standard.perRun).toBeCloseTo(0.0002, 10);
    expect(standard.perMonth).toBeCloseTo(0.1, 10);
    expect(standard.perMonthWithoutFreeTier).toBeCloseTo(0.2, 10);
  });

  it('of Express round time up to 100 ms and memory up to 64 MB', () => {
    const { express } = estimate(usage, { ...OPTIONS, memoryMb: 65 });
    expect(express.billedMs).toBe(1300);
    expect(express.gbHoursPerRun).toBeCloseTo((0.125 * 1.3) / 3600, 12);
    expect(express.perRun).toBeCloseTo(0.000001 + ((0.125 * 1.3) / 3600) * 0.06, 12);
  });

  it('of Express take each tier by itself', () => {
    expect(tiered(1000, PRICES)).toBeCloseTo(60, 8);
    expect(tiered(6000, PRICES)).toBeCloseTo(60 + 4000 * 0.03 + 1000 * 0.01642, 8);
  });

  it('take prices of the user, and refuse those that are none', () => {
    const mine = readPrices({ version: 'mine', standard: { perThousandTransitions: 0.0297 } });
    expect(estimate(usage, { ...OPTIONS, prices: mine }).standard.perRun).toBeCloseTo(
      0.0002376,
      10,
    );
    expect(mine.express).toEqual(PRICES.express);
    expect(() => readPrices({ standard: { perTransition: 1 } })).toThrow(
      '/standard/perTransition: There is no such price',
    );
    expect(() => readPrices({ standard: { perThousandTransitions: -1 } })).toThrow(
      '/standard/perThousandTransitions',
    );
    expect(() => readPrices({ express: { tiers: [{ perGbHour: 'x' }] } })).toThrow(
      '/express/tiers/0',
    );
  });
});

describe('advice', () => {
  const POLL: JsonObject = {
    StartAt: 'Start',
    States: {
      Start: task({ Next: 'Wait' }),
      Wait: { Type: 'Wait', Seconds: 30, Next: 'Ask' },
      Ask: task({ Next: 'Over?' }),
      'Over?': {
        Type: 'Choice',
        Choices: [{ Variable: '$.Payload', StringEquals: 'OVER', Next: 'End' }],
        Default: 'Wait',
      },
      End: { Type: 'Succeed' },
    },
  };

  it('names a polling loop that makes the bill', async () => {
    const usage = await used(POLL, {}, ({ invocation }) => ({
      return: { Payload: invocation < 20 ? 'NO' : 'OVER' },
    }));
    const obstacles = expressObstacles(POLL, usage.durationMs);
    const advice = adviceOn(POLL, usage, estimate(usage, OPTIONS), { obstacles, isTimed: true });
    expect(advice[0]).toMatch(/The loop Wait → Ask → Over\? polls: 9\d % of the transitions/);
    expect(obstacles).toEqual(['it takes 630 s, and Express ends after 300 s']);
  });

  it('knows what Express cannot do', () => {
    const machine = {
      StartAt: 'A',
      States: {
        A: task({ Resource: 'arn:aws:states:::batch:submitJob.sync', Next: 'B' }),
        B: task({ Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken', End: true }),
      },
    };
    expect(expressObstacles(machine, 10).map((one) => one.slice(0, 12))).toEqual([
      'A uses .sync',
      'B waits for ',
    ]);
  });
});
