/** A history far beyond AWS's limit: it goes on, pages, and a page costs no more memory than it shows. */
import { describe, expect, it } from 'vitest';
import { EXTENDED_LIMITS } from '../../src/core/limits.js';
import { openWorld, startRequest, TEST_ARN } from '../support/run-machine.js';

const LOOP = {
  StartAt: 'A',
  States: {
    A: { Type: 'Pass', Next: 'C' },
    C: {
      Type: 'Choice',
      Choices: [{ Variable: '$$.State.EnteredTime', IsPresent: true, Next: 'A' }],
      Default: 'A',
    },
  },
};
const EVENTS = 40_001;

describe('a history of 40,001 events', async () => {
  const limits = { ...EXTENDED_LIMITS, historyEvents: EVENTS };
  const { engine, clock } = await openWorld({}, { limits });
  // With its text in every event the whole history would be 4 GB.
  await engine.start(startRequest(LOOP, { text: 'x'.repeat(100_000) }));
  await clock.runUntil(engine.ended(TEST_ARN));

  const page = async (from: number | null, newestFirst: boolean) => {
    const found = await engine.historyPage(TEST_ARN, { from, limit: 100, newestFirst });
    expect(found?.total).toBe(EVENTS);
    return found?.events.map(({ id }) => id) ?? [];
  };

  it('is read from the beginning, the end and the middle', async () => {
    expect(await page(null, false)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
    expect(await page(30_000, false)).toEqual(Array.from({ length: 100 }, (_, at) => 30_000 + at));
    expect(await page(null, true)).toEqual(Array.from({ length: 100 }, (_, at) => EVENTS - at));
    expect(await page(EVENTS, false)).toEqual([EVENTS]);
    expect(await page(1, true)).toEqual([1]);
    expect(await page(EVENTS + 1, false)).toEqual([]);
  });
});
