import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Row } from '../../../src/ml/data/record.js';
import { parseSuite } from '../../../src/ml/expectations/suite.js';
import { KNOWN_KWARGS, validate } from '../../../src/ml/expectations/validate.js';
import { profileSvg } from '../../../src/ml/profile/picture.js';
import { profile } from '../../../src/ml/profile/profile.js';
import { proposeSuite } from '../../../src/ml/profile/propose.js';
import type { JsonObject } from '../../../src/lib/json.js';

async function* batches(rows: readonly Row[]) {
  for (let from = 0; from < rows.length; from += 7) yield rows.slice(from, from + 7);
}

const people: readonly Row[] = Array.from({ length: 100 }, (_, i) => ({
  id: i,
  age: i % 10 === 0 ? null : 20 + (i % 50),
  weight: 50 + i / 8,
  mood: ['good', 'bad', 'so so'][i % 3] as string,
  note: `note ${'x'.repeat(i)}`,
  day: `2026-01-${String((i % 28) + 1).padStart(2, '0')}T10:00:00Z`,
  member: i % 2 === 0,
}));

test('kinds, gaps, distinct values, moments, quantiles and histograms', async () => {
  const found = await profile(batches(people));
  expect(found.rows).toBe(100);
  const column = (name: string) => found.columns.find((one) => one.name === name);
  expect(Object.fromEntries(found.columns.map(({ name, kind }) => [name, kind]))).toEqual({
    id: 'integer',
    age: 'integer',
    weight: 'number',
    mood: 'text',
    note: 'text',
    day: 'datetime',
    member: 'boolean',
  });
  expect(column('age')).toMatchObject({ missing: 10, completeness: 0.9 });
  expect(column('id')).toMatchObject({ unique: true, numbers: { min: 0, max: 99, mean: 49.5 } });
  expect(column('id')?.numbers?.std).toBeCloseTo(29.011491975882016, 12);
  expect(column('id')?.numbers?.quantiles['0.25']).toBe(24.75);
  const bins = column('id')?.numbers?.histogram ?? [];
  expect(bins.map((bin) => bin.count)).toEqual(new Array(20).fill(5));
  expect(column('mood')?.top[0]).toEqual({ value: 'good', count: 34 });
  expect(column('note')?.lengths).toMatchObject({ min: 5, max: 104 });
});

test('a column that starts late was missing before; reading stops at the limit', async () => {
  const found = await profile(batches([{ a: 1 }, { a: 2, b: 'x' }]));
  expect(found.columns[1]).toMatchObject({ name: 'b', missing: 1, rows: 2 });
  expect(await profile(batches(people), 30)).toMatchObject({ rows: 30, sampled: true });
});

async function judged(rows: readonly Row[], suite: JsonObject) {
  const format = { name: 'SUMMARY', partial: 20, indexColumns: null } as const;
  const dataset = { columns: [], rows: () => batches(rows) };
  return await validate(parseSuite(suite, KNOWN_KWARGS), dataset, format, {});
}

test('the proposed suite says what a person would: categories, ranges, keys, types', async () => {
  const suite = proposeSuite(await profile(batches(people)), 'people');
  const said = (suite.expectations as JsonObject[]).map(({ type, kwargs }) => [
    type,
    (kwargs as JsonObject).column ?? null,
  ]);
  expect(said).toContainEqual(['expect_column_values_to_be_in_set', 'mood']);
  expect(said).toContainEqual(['expect_column_values_to_be_unique', 'id']);
  expect(said).toContainEqual(['expect_column_values_to_be_between', 'weight']);
  expect(said).toContainEqual(['expect_column_value_lengths_to_be_between', 'note']);
  expect(said).toContainEqual(['expect_column_values_to_match_regex', 'day']);
  expect((await judged(people, suite)).success).toBe(true);
  const worse = people.map((row, i) => (i === 3 ? { ...row, mood: 'angry', weight: 900 } : row));
  const { failed } = await judged(worse, suite);
  expect(failed.map(({ kwargs }) => kwargs.column)).toEqual(['weight', 'mood']);
});

test('whatever the data, it meets the suite that was proposed for it', async () => {
  const cell = fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string(),
    fc.constant(''),
    fc.constant('2026-01-01'),
  );
  const column = fc.oneof(
    fc.array(cell, { minLength: 25, maxLength: 25 }),
    fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 25, maxLength: 25 }),
    fc.array(fc.constantFrom('a', 'b', '', null), { minLength: 25, maxLength: 25 }),
    fc.array(fc.constantFrom('2026-01-01', '', null), { minLength: 25, maxLength: 25 }),
  );
  await fc.assert(
    fc.asyncProperty(column, column, async (a, b) => {
      const rows = a.map((value, i) => ({ a: value, b: b[i] as Row[string] }));
      const suite = proposeSuite(await profile(batches(rows)), 's');
      const result = await judged(rows, suite);
      expect(result.failed).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

test('the picture holds every column, and nothing of the data breaks out of it', async () => {
  const rows = [
    { '<script>alert(1)</script>': 'a&b' },
    { '<script>alert(1)</script>': '\u0001"<' },
  ];
  const svg = profileSvg(await profile(batches(rows)));
  expect(svg).not.toContain('<script>');
  expect(svg).toContain('&lt;script&gt;');
  expect(profileSvg(await profile(batches(people))).match(/<g /g)).toHaveLength(7);
  expect(profileSvg({ rows: 0, sampled: false, columns: [] })).toContain('</svg>');
});
