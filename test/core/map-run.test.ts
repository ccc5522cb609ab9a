import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ChildStatus,
  createBatcher,
  emptyCursor,
  isThresholdExceeded,
  progressFrom,
  settle,
  uuidFrom,
} from '../../src/core/map-run.js';
import { type Json, jsonBytes } from '../../src/lib/json.js';

const STATUSES: readonly ChildStatus[] = ['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED'];

describe('the cursor of a Map Run', () => {
  it('is the same in whatever order the children end, however often that is told', () => {
    const child = fc.record({
      items: fc.integer({ min: 1, max: 9 }),
      status: fc.constantFrom(...STATUSES),
    });
    fc.assert(
      fc.property(
        fc.array(child, { maxLength: 30 }),
        fc.infiniteStream(fc.nat()),
        (children, picks) => {
          const progress = progressFrom(emptyCursor());
          const left = children.map((_, index) => index);
          while (left.length > 0) {
            const [index] = left.splice((picks.next().value as number) % left.length, 1);
            const { items, status } = children[index as number] as (typeof children)[0];
            expect(settle(progress, index as number, items, status)).toBe(true);
            expect(settle(progress, index as number, items, 'FAILED')).toBe(false);
          }
          const items = children.reduce((sum, { items: more }) => sum + more, 0);
          expect(progress.cursor).toMatchObject({ children: children.length, items });
          expect(progress.cursor.itemTally).toEqual(progress.itemTally);
          expect(progress.cursor.childTally).toEqual(progress.childTally);
          expect(progress.ahead.size).toBe(0);
        },
      ),
    );
  });
});

describe('the thresholds of a Map Run', () => {
  const table: [string, number | null, number | null, number, number | null, boolean][] = [
    ['none set, none failed', null, null, 0, 10, false],
    ['none set, one failed', null, null, 1, 10, true],
    ['count reached', 2, null, 2, 10, false],
    ['count passed', 2, null, 3, 10, true],
    ['percentage reached', null, 20, 2, 10, false],
    ['percentage passed', null, 20, 3, 10, true],
    ['percentage of an unknown number', null, 20, 3, null, false],
    ['no percentage of an unknown number', null, 0, 1, null, true],
    ['all may fail', null, 100, 10, 10, false],
    ['either counts', 100, 10, 2, 10, true],
  ];
  it.each(table)('%s', (_name, toleratedCount, toleratedPercentage, failed, total, expected) => {
    const progress = progressFrom(emptyCursor());
    progress.totalItems = total;
    for (let index = 0; index < failed; index++) {
      settle(progress, index, 1, index % 2 === 0 ? 'FAILED' : 'TIMED_OUT');
    }
    const settings = { maxConcurrency: 0, toleratedCount, toleratedPercentage };
    expect(isThresholdExceeded(settings, progress)).toBe(expected);
  });
});

describe('batches', () => {
  it('hold all items in order and stay within both limits', () => {
    const limits = fc.record({
      maxItems: fc.option(fc.integer({ min: 1, max: 6 })),
      maxBytes: fc.option(fc.integer({ min: 20, max: 200 })),
      input: fc.option(fc.constant({ who: 'é' })),
    });
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 40 })), limits, (items, rule) => {
        const batcher = createBatcher(rule, 300);
        const batches = [...items.map((item) => batcher.add(item)), batcher.flush()].filter(
          (batch) => batch !== null,
        );
        const held = batches.map(({ input }) => (input as { Items: Json[] }).Items);
        expect(held.flat()).toEqual(items);
        for (const [index, { input, items: count }] of batches.entries()) {
          expect(count).toBe(held[index]?.length);
          expect(count).toBeLessThanOrEqual(rule.maxItems ?? Number.POSITIVE_INFINITY);
          const fits = jsonBytes(input) <= Math.min(rule.maxBytes ?? 300, 300);
          expect(fits || count === 1).toBe(true);
        }
      }),
    );
  });
});

it('names have the form of a UUID and depend on the seed alone', () => {
  expect(uuidFrom('a')).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  expect(uuidFrom('a')).toBe(uuidFrom('a'));
  expect(uuidFrom('a')).not.toBe(uuidFrom('b'));
});
