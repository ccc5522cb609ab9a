/** The pure rules of serving: scaling, settings, sessions, request and answer forms. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { desiredInstances } from '../../src/serving/autoscale.js';
import { csvFields } from '../../src/serving/csv-fields.js';
import { chooseVariant, sessionPoint, type Variant } from '../../src/serving/endpoints.js';
import { acceptedType, encodeAnswer, readInvocation } from '../../src/serving/invocation-body.js';
import type { Invocation } from '../../src/serving/invocation.js';
import {
  type Scaling,
  scalingProblems,
  settingsOf,
  settingsProblems,
} from '../../src/serving/settings.js';

const scaling: Scaling = {
  minInstances: 1,
  maxInstances: 4,
  metric: 'ConcurrencyPerInstance',
  targetValue: 2,
  scaleInCooldownSeconds: 300,
  scaleOutCooldownSeconds: 0,
};
const desired = (current: number, metric: number | null, sinceSeconds = 1e6): number =>
  desiredInstances({ scaling, current, metric, now: sinceSeconds * 1000, lastScaledAt: 0 });

describe('target tracking', () => {
  it.each([
    // current, metric, seconds since the last change, expected, why
    [1, 2, 1e6, 1, 'at the target'],
    [1, 5, 1e6, 3, 'two and a half times the load'],
    [2, 100, 1e6, 4, 'never past the maximum'],
    [4, 0, 1e6, 1, 'idle'],
    [4, null, 1e6, 1, 'no traffic at all'],
    [4, 1, 299, 4, 'shrinking waits for its cool-down'],
    [4, 1, 300, 2, 'and then goes to the target'],
    [2, 1.85, 1e6, 2, 'just below the target nothing changes'],
    [9, 2, 0, 4, 'outside its bounds it is brought back at once'],
  ])('%i instances at %s after %i s become %i: %s', (...[current, metric, since, expected]) => {
    expect(desired(current, metric, since)).toBe(expected);
  });

  it('never leaves its bounds and never shrinks under load', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.double({ min: 0, max: 1000, noNaN: true }),
        fc.integer({ min: 0, max: 1000 }),
        (current, metric, since) => {
          const next = desired(current, metric, since);
          expect(next).toBeGreaterThanOrEqual(1);
          expect(next).toBeLessThanOrEqual(4);
          if (metric >= scaling.targetValue) expect(next).toBeGreaterThanOrEqual(current);
        },
      ),
    );
  });

  it('refuses a policy that cannot be kept', () => {
    expect(
      scalingProblems({ ...scaling, minInstances: 3, maxInstances: 2, targetValue: 0 }),
    ).toHaveLength(2);
    expect(scalingProblems(scaling)).toEqual([]);
  });
});

describe('settings', () => {
  it('have defaults, and name what is wrong', () => {
    expect(settingsOf(undefined).limits.maxBodyBytes).toBe(6 * 1024 * 1024);
    expect(settingsOf({ capture: { samplingPercentage: 20 } }).capture?.modes).toEqual([
      'Input',
      'Output',
    ]);
    const problems = settingsProblems(
      {
        batching: { maxDelayMs: 5000 },
        limits: { timeoutMs: 0 },
        capture: { samplingPercentage: 101 },
        fallback: 'Nobody',
      },
      ['A'],
    );
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'batching.maxDelayMs',
      'limits.timeoutMs',
      'capture.samplingPercentage',
      'fallback',
    ]);
  });
});

describe('sessions', () => {
  const variant = (name: string, weight: number): Variant => ({
    name,
    weight,
    instanceCount: 1,
    model: { name: null, version: null, uri: '/m', path: '/m' },
  });
  const at = (session: string, share: number): string | undefined =>
    chooseVariant([variant('A', 1 - share), variant('B', share)], null, () =>
      sessionPoint('e', session),
    )?.name;
  const sessions = Array.from({ length: 5000 }, (_, n) => `user-${n}`);

  it('stick to their variant, and shares follow the weights', () => {
    const b = sessions.filter((session) => at(session, 0.2) === 'B');
    expect(b.length / sessions.length).toBeCloseTo(0.2, 1);
    expect(Math.abs(b.length / sessions.length - 0.2)).toBeLessThan(0.02);
    expect(b.every((session) => at(session, 0.2) === 'B')).toBe(true);
  });

  it('that have moved to a growing candidate stay there', () => {
    const early = sessions.filter((session) => at(session, 0.05) === 'B');
    expect(early.length).toBeGreaterThan(100);
    expect(early.every((session) => at(session, 0.5) === 'B')).toBe(true);
  });
});

describe('request bodies', () => {
  const read = (type: string, body: string) => readInvocation(Buffer.from(body), type).texts;
  it.each([
    ['application/jsonlines', '{"text":"a"}\n{"inputs":"b"}\n\n"c"\n', ['a', 'b', 'c']],
    ['text/csv', 'a\n"b, ""quoted"""\nc,ignored\n', ['a', 'b, "quoted"', 'c']],
    ['text/csv; charset=utf-8', 'only one', ['only one']],
    ['application/json', '{"instances":["a","b"]}', ['a', 'b']],
    ['text/plain', 'a, b', ['a, b']],
  ])('of %s are read', (type, body, texts) => {
    expect(read(type, body)).toEqual(texts);
  });

  it('say what is wrong with a line or a quote', () => {
    expect(() => read('application/jsonlines', '{"text":"a"}\n{"text":7}')).toThrow(/inputs\[1\]/);
    expect(() => read('application/jsonlines', '{"text":')).toThrow(/not valid JSON/);
    expect(() => read('text/csv', '"open')).toThrow(/quote is not closed/);
    expect(() => read('text/csv', '\n\n')).toThrow(/at least one/);
  });

  it('CSV fields survive quoting, whatever they hold', () => {
    const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string(), { minLength: 2, maxLength: 4 }), { maxLength: 5 }),
        (records) => {
          const text = records.map((fields) => fields.map(quoted).join(',')).join('\r\n');
          expect(csvFields(text)).toEqual(records);
        },
      ),
    );
  });
});

describe('answers', () => {
  const invocation = {
    labels: ['good', 'so, so'],
    predictions: [
      { label: 'good', score: 0.9, scores: [0.9, 0.1] },
      { label: 'so, so', score: 0.8, scores: [0.2, 0.8] },
    ],
  } as unknown as Invocation;

  it.each([
    [undefined, 'json', '[{"label":"good","score":0.9},{"label":"so, so","score":0.8}]'],
    ['text/csv', 'csv', 'good,0.9\n"so, so",0.8\n'],
    [
      'application/jsonlines',
      'jsonlines',
      '{"label":"good","score":0.9}\n{"label":"so, so","score":0.8}\n',
    ],
    ['text/html, application/json;q=0.9', 'json', expect.any(String)],
  ] as const)('for Accept %s are %s', (accept, type, text) => {
    expect(acceptedType(accept)).toBe(type);
    expect(encodeAnswer(invocation, null, acceptedType(accept)).text).toEqual(text);
  });

  it('in another form are refused', () => {
    expect(() => acceptedType('image/png')).toThrow(/not supported/);
  });
});
