import { describe, expect, test } from 'vitest';
import { type Evidence, judge } from '../../../src/ml/gates/judge.js';
import { parsePolicy } from '../../../src/ml/gates/policy.js';
import type { Json, JsonObject } from '../../../src/lib/json.js';

const policyOf = (...clauses: readonly JsonObject[]) =>
  parsePolicy({ name: 'p', version: '1', clauses });

const evidence = (metrics: JsonObject, more: Partial<Evidence> = {}): Evidence => ({
  metrics,
  champion: null,
  slice: () => ({ missing: 'no predictions' }),
  compare: () => ({ missing: 'no predictions' }),
  ...more,
});

describe('absolute bounds', () => {
  test.each([
    ['>=', 0.9, true],
    ['>', 0.9, false],
    ['<=', 0.9, true],
    ['<', 0.9, false],
    ['==', 0.9, true],
    ['>=', 0.91, false],
  ] as const)('0.9 %s %d: %s', (comparator, value, passed) => {
    const policy = policyOf({ metric: 'accuracy', comparator, value });
    expect(judge(policy, evidence({ accuracy: 0.9 })).passed).toBe(passed);
  });

  test.each<[string, JsonObject]>([
    ['missing', {}],
    ['null', { accuracy: null }],
    ['the text NaN', { accuracy: 'NaN' }],
    ['infinite', { accuracy: Number.POSITIVE_INFINITY }],
    ['NaN', { accuracy: Number.NaN }],
    ['inherited', Object.create({ accuracy: 1 }) as JsonObject],
  ])('a metric that is %s fails', (_, metrics) => {
    for (const comparator of ['>=', '<=', '<', '>', '==']) {
      const verdict = judge(
        policyOf({ metric: 'accuracy', comparator, value: 0.5 }),
        evidence(metrics),
      );
      expect(verdict).toMatchObject({ passed: false, failed: 1 });
      expect(verdict.clauses[0]?.value).toBeNull();
    }
  });

  test('every clause is in the result, whichever failed; the direction follows from the metric', () => {
    const policy = policyOf(
      { metric: 'accuracy', value: 0.8 },
      { metric: 'latencyP95Ms', value: 50 },
      { metric: 'modelBytes', value: 1000 },
    );
    const verdict = judge(policy, evidence({ accuracy: 0.9, latencyP95Ms: 80, modelBytes: 1000 }));
    expect(verdict.clauses.map(({ clause, passed }) => [clause, passed])).toEqual([
      ['accuracy >= 0.8', true],
      ['latencyP95Ms <= 50', false],
      ['modelBytes <= 1000', true],
    ]);
  });
});

describe('against the champion', () => {
  const clause = { metric: 'accuracy', versus: 'champion', margin: 0.01 };
  const champion = { metrics: { accuracy: 0.8, logLoss: 0.5 } };

  test('margin, in the direction of the metric', () => {
    const judged = (accuracy: number) =>
      judge(policyOf(clause), evidence({ accuracy }, { champion }));
    expect(judged(0.82).passed).toBe(true);
    expect(judged(0.805).passed).toBe(false);
    const loss = { metric: 'logLoss', versus: 'champion' };
    expect(judge(policyOf(loss), evidence({ logLoss: 0.4 }, { champion })).passed).toBe(true);
    expect(judge(policyOf(loss), evidence({ logLoss: 0.6 }, { champion })).passed).toBe(false);
  });

  test('with a significance the whole interval counts, not the difference', () => {
    const policy = policyOf({ ...clause, significance: 0.05 });
    const judged = (low: number) =>
      judge(
        policy,
        evidence(
          { accuracy: 0.9 },
          {
            champion,
            compare: () => ({ low, high: 0.2, pValue: 0.01 }),
          },
        ),
      ).passed;
    expect(judged(0.02)).toBe(true);
    expect(judged(0.005)).toBe(false);
    expect(judge(policy, evidence({ accuracy: 0.9 }, { champion })).passed).toBe(false);
  });

  test('without a champion the policy decides, and its silence fails', () => {
    const judged = (more: JsonObject) =>
      judge(policyOf({ ...clause, ...more }), evidence({ accuracy: 0.9 })).passed;
    expect(judged({})).toBe(false);
    expect(judged({ withoutChampion: 'pass' })).toBe(true);
    expect(judge(policyOf({ ...clause, withoutChampion: 'pass' }), evidence({})).passed).toBe(
      false,
    );
  });
});

test('a slice below the floor fails and is named; small groups are not judged', () => {
  const policy = policyOf({ metric: 'accuracy', value: 0.8, slice: 'channel', minimumRows: 20 });
  const groups = [
    { group: 'web', rows: 50, value: 0.9 },
    { group: 'email', rows: 40, value: 0.7 },
    { group: 'fax', rows: 2, value: 0 },
  ];
  const verdict = judge(policy, evidence({}, { slice: () => ({ groups }) }));
  expect(verdict.clauses[0]).toMatchObject({
    passed: false,
    value: 0.7,
    reason: 'not >= 0.8: "email" (0.7)',
  });
  const others = groups.filter(({ group }) => group !== 'email');
  expect(judge(policy, evidence({}, { slice: () => ({ groups: others }) })).passed).toBe(true);
  const small = groups.slice(2);
  expect(judge(policy, evidence({}, { slice: () => ({ groups: small }) })).passed).toBe(false);
});

test.each<[Json, string]>([
  [[], 'policy: must be an object'],
  [{ name: 'a', version: '1', clauses: [] }, '/clauses'],
  [{ name: 'a', version: '1', clauses: [{ metric: 'x' }] }, '/clauses/0/value'],
  [
    { name: 'a', version: '1', clauses: [{ metric: 'x', value: 1, comparator: '~' }] },
    '/clauses/0/comparator',
  ],
  [{ name: 'a', version: '1', clauses: [{ metric: 'x', value: 1, floor: 1 }] }, '/clauses/0/floor'],
  [{ name: 'a', version: '1', clauses: [{ metric: 'x', versus: 'me' }] }, '/clauses/0/versus'],
  [{ version: '1', clauses: [{ metric: 'x', value: 1 }] }, '/name'],
])('a bad policy names its place: %j', (document, place) => {
  expect(() => parsePolicy(document)).toThrow(place);
});
