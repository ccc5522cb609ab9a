/** What holds for any input: files never break their readers, durations come back, timers keep their order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EpochMs } from '../../src/lib/brand.js';
import type { Json } from '../../src/lib/json.js';
import { jsonDifferences } from '../../src/simulate/json-diff.js';
import { readMockConfig } from '../../src/simulate/mocks/aws-config.js';
import {
  formatDuration,
  LONGEST_MS,
  parseDuration,
  spelledDuration,
} from '../../src/simulate/mocks/durations.js';
import { readMockFile } from '../../src/simulate/mocks/file.js';
import { isInside, parseRanges } from '../../src/simulate/mocks/ranges.js';
import { includesJson } from '../../src/simulate/partial.js';
import { diffHistories } from '../../src/simulate/replay/diff.js';
import { readHistory } from '../../src/simulate/replay/history-file.js';
import { answersOf } from '../../src/simulate/replay/responses.js';
import { readScenarios } from '../../src/simulate/scenarios/scenario.js';
import { VirtualClock } from '../../src/simulate/virtual-clock.js';

const json = fc.jsonValue({ maxDepth: 5 }) as fc.Arbitrary<Json>;

/** JSON that is nearly a file: known keys with anything in them. */
const nearly = (keys: readonly string[]): fc.Arbitrary<Json> =>
  fc.letrec<{ node: Json }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 5, depthIdentifier: 'node' },
      json,
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie('node'), { maxKeys: 4 }),
    ),
  })).node;

function refusesOrReads(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    expect((error as Error).name).toBe('FileProblems');
  }
}

describe('any file', () => {
  const keys = [
    'states',
    'resources',
    'default',
    'A',
    'return',
    'throw',
    'error',
    'attempts',
    '0-1',
    'sequence',
    'times',
    'when',
    'index',
    'item',
    'after',
    'hang',
    'function',
    '__proto__',
    'constructor',
  ];
  it('of mocks is read or refused with reasons', () => {
    fc.assert(fc.property(nearly(keys), (value) => refusesOrReads(() => readMockFile(value, 'f'))));
  });

  it("of AWS's mocks is read or refused with reasons", () => {
    const config = nearly([
      'StateMachines',
      'TestCases',
      'MockedResponses',
      'Return',
      'Throw',
      'Error',
      '0',
      '1-2',
      '__proto__',
    ]);
    fc.assert(
      fc.property(config, (value) => {
        if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
        refusesOrReads(() => readMockConfig(value, 'f', { machine: null, testCase: null }));
      }),
    );
  });

  it('of scenarios is read or refused with reasons', () => {
    const file = nearly([
      'machine',
      'machines',
      'scenarios',
      'name',
      'expect',
      'mocks',
      'status',
      'calls',
      'events',
      'took',
      'path',
      'seed',
      'startAt',
      '__proto__',
    ]);
    fc.assert(fc.property(file, (value) => refusesOrReads(() => readScenarios(value, 'f', 'f'))));
  });

  it('of history whose events follow each other in a circle is refused', () => {
    const events = [
      { id: 1, type: 'TaskScheduled', previousEventId: 2 },
      { id: 2, type: 'TaskStarted', previousEventId: 1 },
    ];
    expect(() => readHistory({ events } as unknown as Json, 'h')).toThrow(/does not lie before/);
  });

  it('of history is read or refused, and what is read can be replayed and compared', () => {
    const event = fc.record(
      {
        id: fc.nat(12),
        previousEventId: fc.nat(12),
        type: fc.constantFrom(
          'ExecutionStarted',
          'TaskStateEntered',
          'TaskScheduled',
          'TaskStarted',
          'TaskSucceeded',
          'MapStateEntered',
          'MapStateStarted',
          'MapIterationStarted',
          'MapStateSucceeded',
          'ParallelStateStarted',
          'TaskTimedOut',
          'MapStateExited',
        ),
        timestamp: fc.oneof(fc.nat(), fc.string()),
        someEventDetails: fc.dictionary(
          fc.constantFrom('name', 'index', 'input', 'output', 'error'),
          json,
        ),
      },
      { requiredKeys: ['id', 'type'] },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 14 }), (events) => {
        const first = {
          id: 0,
          type: 'ExecutionStarted',
          executionStartedEventDetails: { input: '{}' },
        };
        refusesOrReads(() => {
          const history = readHistory({ events: [first, ...events] } as unknown as Json, 'h');
          answersOf(history);
          expect(diffHistories(history.events, history.events).differences).toEqual([]);
        });
      }),
    );
  });
});

describe('durations and ranges', () => {
  it('come back from their texts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LONGEST_MS }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
        expect(parseDuration(spelledDuration(ms))).toBe(ms);
      }),
    );
  });

  it('hold what lies between their ends', () => {
    fc.assert(
      fc.property(fc.nat(99), fc.nat(99), fc.nat(99), (a, b, value) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        expect(isInside(parseRanges(`${from}-${to}`) ?? [], value)).toBe(
          from <= value && value <= to,
        );
      }),
    );
  });
});

describe('comparisons of JSON', () => {
  it('find no difference between equal values, and one between others', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(jsonDifferences(a, a, 'exact')).toEqual([]);
        expect(includesJson(a, a)).toBe(true);
        const same = jsonDifferences(a, b, 'exact').length === 0;
        expect(same).toBe(jsonDifferences(b, a, 'exact').length === 0);
        expect(includesJson(b, a)).toBe(jsonDifferences(a, b, 'includes').length === 0);
      }),
    );
  });
});

describe('the virtual clock', () => {
  it('fires timers by instant, then by order, cancelled ones never', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat(20), cancel: fc.boolean() }), { maxLength: 40 }),
        (timers) => {
          const clock = new VirtualClock(0);
          const fired: number[] = [];
          timers.forEach(({ at, cancel }, index) => {
            const stop = clock.at(at as EpochMs, () => fired.push(index));
            if (cancel) stop();
          });
          while (clock.advance());
          const expected = timers
            .map((timer, index) => ({ ...timer, index }))
            .filter(({ cancel }) => !cancel)
            .sort((a, b) => a.at - b.at || a.index - b.index);
          expect(fired).toEqual(expected.map(({ index }) => index));
        },
      ),
    );
  });
});
