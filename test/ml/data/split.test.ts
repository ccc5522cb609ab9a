import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type LabelledText, nearKey, quotas, split } from '../../../src/ml/data/split.js';

const options = { testSize: 0.2, validationSize: 0, seed: 7, stratify: true };
const labels = ['positive', 'neutral', 'negative'];

const row = fc
  .tuple(
    fc.constantFrom('good', 'Good!', 'so so', 'bad', 'BAD.', '😀', '!!', ''),
    fc.nat(200),
    fc.nat(2),
  )
  .map(
    ([word, number, id]): LabelledText => ({
      text: `${word} ${number}`,
      label: labels[id] as string,
      labelId: id,
    }),
  );
const rows = fc.array(row, { maxLength: 120 });
const shares = fc.record({
  testSize: fc.constantFrom(0, 0.1, 0.2, 0.5),
  validationSize: fc.constantFrom(0, 0.1, 0.3),
  seed: fc.integer(),
  stratify: fc.boolean(),
});

test('no row is lost or made, and near-equal texts never face each other across a split', () => {
  fc.assert(
    fc.property(rows, shares, (given, settings) => {
      const sides = split(given, settings);
      const all = [...sides.train, ...sides.test, ...sides.validation];
      const sorted = (list: readonly LabelledText[]) =>
        list.map((item) => JSON.stringify(item)).sort();
      expect(sorted(all)).toEqual(sorted(given));
      const keys = Object.values(sides).map(
        (side) => new Set(side.map((item) => nearKey(item.text))),
      );
      for (const [i, one] of keys.entries()) {
        for (const other of keys.slice(i + 1)) expect(disjoint(one, other)).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
});

function disjoint(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return [...a].every((key) => !b.has(key));
}

test('the same seed gives the same split whatever the order of the rows', () => {
  fc.assert(
    fc.property(rows, shares, fc.infiniteStream(fc.nat()), (given, settings, random) => {
      const keyed = given.map((item) => ({ item, key: random.next().value as number }));
      const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
      expect(split(shuffled, settings)).toEqual(split(given, settings));
    }),
    { numRuns: 200 },
  );
});

test('with distinct texts every label keeps its share, and another seed deals differently', () => {
  const many = Array.from({ length: 1000 }, (_, i): LabelledText => {
    const labelId = i % 10 === 0 ? 2 : i % 3 === 0 ? 1 : 0;
    return { text: `text ${i}`, label: labels[labelId] as string, labelId };
  });
  const sides = split(many, options);
  expect(sides.test.length).toBe(200);
  for (const label of labels) {
    const share =
      sides.test.filter((item) => item.label === label).length /
      many.filter((item) => item.label === label).length;
    expect(share).toBeCloseTo(0.2, 2);
  }
  expect(split(many, { ...options, seed: 8 }).test).not.toEqual(sides.test);
});

test('quotas add up to the share of the whole and give every label of two rows a place', () => {
  expect(quotas([50, 30, 20], 0.2)).toEqual([10, 6, 4]);
  expect(quotas([7, 7, 7], 0.2)).toEqual([2, 1, 1]);
  expect(quotas([100, 2, 1], 0.2)).toEqual([20, 1, 0]);
  expect(quotas([5, 5], 0)).toEqual([0, 0]);
});

test.each([
  ['Great product!!', 'great  product', true],
  ['Straße', 'STRASSE', false],
  ['ｆｕｌｌ width', 'full width', true],
  [':-)', ':-(', false],
  ['नमस्ते', 'नमसत', false],
  ['5 stars', '4 stars', false],
])('%j and %j are near-equal: %s', (a, b, same) => {
  expect(nearKey(a) === nearKey(b)).toBe(same);
});
