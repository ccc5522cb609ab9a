/** Coverage: every place of a machine is known, and hit by the runs that reach it and no others. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import type { Responder } from '../../src/simulate/call.js';
import { Coverage, percentOf } from '../../src/simulate/coverage/coverage.js';
import { placesOf } from '../../src/simulate/coverage/places.js';
import { simulate } from '../../src/simulate/simulate.js';

const MACHINE: JsonObject = {
  StartAt: 'Choose',
  States: {
    Choose: {
      Type: 'Choice',
      Choices: [
        { Variable: '$.n', NumericEquals: 1, Next: 'Call' },
        { Variable: '$.n', NumericEquals: 2, Next: 'Call' },
      ],
      Default: 'Rows',
    },
    Call: {
      Type: 'Task',
      Resource: 'local:call',
      Retry: [
        { ErrorEquals: ['Busy'], MaxAttempts: 1 },
        { ErrorEquals: ['Never'], MaxAttempts: 0 },
      ],
      Catch: [
        { ErrorEquals: ['Busy'], Next: 'Rows' },
        { ErrorEquals: ['States.ALL'], Next: 'Rows' },
      ],
      Next: 'Rows',
    },
    Rows: {
      Type: 'Map',
      ItemsPath: '$.rows',
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
        StartAt: 'Row',
        States: { Row: { Type: 'Pass', End: true } },
      },
      End: true,
    },
  },
};

async function hits(input: Json, mocks: Responder): Promise<readonly string[]> {
  const coverage = new Coverage(MACHINE);
  const run = await simulate({ definition: MACHINE, input, mocks });
  coverage.add('the run', run.journals.values());
  return coverage
    .report()
    .places.filter((place) => place.hits > 0)
    .map(({ id }) => id);
}

const returns: Responder = () => ({ return: { rows: [] } });
const throws =
  (error: string): Responder =>
  () => ({ throw: { error } });

describe('coverage', () => {
  it('knows every state, transition, arm, catcher and retrier, nested ones too', () => {
    expect(placesOf(MACHINE).map(({ id }) => id)).toEqual([
      'state Choose',
      'choice Choose 0',
      'choice Choose 1',
      'choice Choose Default',
      'state Call',
      'transition Call',
      'catch Call 0',
      'catch Call 1',
      'retry Call 0',
      'exhausted Call 0',
      'exhausted Call 1',
      'state Rows',
      'transition Rows',
      'state Row',
      'transition Row',
    ]);
  });

  it('tells arms apart that lead to the same state', async () => {
    expect(await hits({ n: 2 }, returns)).toEqual([
      'state Choose',
      'choice Choose 1',
      'state Call',
      'transition Call',
      'state Rows',
      'transition Rows',
    ]);
  });

  it('follows Map Runs into their children', async () => {
    const found = await hits({ n: 3, rows: [1] }, returns);
    expect(found).toContain('choice Choose Default');
    expect(found).toContain('transition Row');
  });

  it('tells a catcher from the transition it shares its target with, and a retry from its exhaustion', async () => {
    expect(await hits({ n: 1 }, throws('Busy'))).toEqual([
      'state Choose',
      'choice Choose 0',
      'state Call',
      'catch Call 0',
      'retry Call 0',
      'exhausted Call 0',
      'state Rows',
    ]);
    const never = await hits({ n: 1 }, throws('Never'));
    expect(never).toContain('exhausted Call 1');
    expect(never).toContain('catch Call 1');
    expect(never).not.toContain('transition Call');
    const once = await hits({ n: 1 }, ({ attempt }) =>
      attempt === 0 ? { throw: { error: 'Busy' } } : { return: { rows: [] } },
    );
    expect(once).toContain('retry Call 0');
    expect(once).not.toContain('exhausted Call 0');
  });

  it('leaves out what is to be ignored, and rounds down', () => {
    const coverage = new Coverage(MACHINE);
    const all = coverage.report();
    expect(coverage.report(['exhausted Call 1']).total.all).toBe(all.total.all - 1);
    expect([
      percentOf({ covered: 999, all: 1000 }),
      percentOf({ covered: 9999, all: 10_000 }),
    ]).toEqual([99.9, 99.9]);
    expect(percentOf({ covered: 0, all: 0 })).toBe(100);
  });
});
