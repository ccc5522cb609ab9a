import { afterEach, beforeEach, expect, test } from 'vitest';
import { preprocessHandler } from '../../../src/handlers/ml/preprocess.js';
import type { JsonObject } from '../../../src/lib/json.js';
import { type Bench, bench, failureOf } from '../../services/support/handler-context.js';

let at: Bench;
beforeEach(async () => {
  at = await bench();
});
afterEach(() => at.close());

const labelMap = { positive: 0, neutral: 1, negative: 2 };
const names = Object.keys(labelMap);

const lines = (rows: readonly JsonObject[]) => rows.map((row) => JSON.stringify(row)).join('\n');
const feedback = Array.from({ length: 100 }, (_, i) => ({
  text: `feedback number ${i}`,
  sentiment: names[i % 3] as string,
}));
const parameters = { dataset: 'in.jsonl', labelColumn: 'sentiment', labelMap };

test('the split of the mission: 80/20, stratified, with names and ids', async () => {
  await at.write('in.jsonl', lines(feedback));
  const result = await at.run(preprocessHandler, parameters);
  expect(result).toMatchObject({
    trainSize: 80,
    testSize: 20,
    validationSize: 0,
    labels: names,
    labelMap,
    dropped: { duplicates: 0, empty: 0, unknownLabel: 0 },
    dataVersion: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(result.labelCounts).toEqual({
    train: { positive: 27, neutral: 27, negative: 26 },
    test: { positive: 7, neutral: 6, negative: 7 },
  });
  const { uri } = result.test as { uri: string };
  for (const row of await at.rows(uri)) {
    expect(Object.keys(row)).toEqual(['text', 'label', 'labelId']);
    expect(row.labelId).toBe(labelMap[row.label as keyof typeof labelMap]);
  }
});

test('the order of the rows changes nothing; the seed and the data change the version', async () => {
  await at.write('in.jsonl', lines(feedback));
  await at.write('reversed.jsonl', lines([...feedback].reverse()));
  const first = await at.run(preprocessHandler, parameters);
  expect(await at.run(preprocessHandler, { ...parameters, dataset: 'reversed.jsonl' })).toEqual(
    first,
  );
  const seeded = await at.run(preprocessHandler, { ...parameters, split: { seed: 1 } });
  expect(seeded.dataVersion).not.toBe(first.dataVersion);
});

test('texts are cleaned, then empty, duplicate and unknown rows are dropped and counted', async () => {
  const odd = [
    { text: '  caf\u0065\u0301   au\nlait ', sentiment: 'positive' },
    { text: 'café au lait', sentiment: 'positive' },
    { text: 'café au lait', sentiment: 'negative' },
    { text: '   ', sentiment: 'positive' },
    { text: null, sentiment: 'positive' },
    { text: 'what', sentiment: 'mixed' },
    { text: 'what else', sentiment: null },
  ];
  await at.write('in.jsonl', lines([...feedback, ...odd]));
  const result = await at.run(preprocessHandler, { ...parameters, onUnknownLabel: 'drop' });
  expect(result.dropped).toEqual({ duplicates: 2, empty: 2, unknownLabel: 2 });
  expect(result.conflictingLabels).toBe(1);
  const sides = [result.train, result.test] as { uri: string }[];
  const all = (await Promise.all(sides.map(({ uri }) => at.rows(uri)))).flat();
  expect(all.filter((row) => row.text === 'café au lait')).toEqual([
    { text: 'café au lait', label: 'positive', labelId: 0 },
  ]);
});

test('a validation split can be had as well', async () => {
  await at.write('in.jsonl', lines(feedback));
  const result = await at.run(preprocessHandler, { ...parameters, split: { validationSize: 0.1 } });
  expect(result).toMatchObject({ trainSize: 70, testSize: 20, validationSize: 10 });
  expect(result.validation).toMatchObject({ rows: 10 });
});

test('without labelMap the labels found are numbered by name', async () => {
  await at.write('in.jsonl', lines(feedback));
  const result = await at.run(preprocessHandler, { dataset: 'in.jsonl', labelColumn: 'sentiment' });
  expect(result.labelMap).toEqual({ negative: 0, neutral: 1, positive: 2 });
});

test.each([
  [
    { labelColumn: 'sentimnt' },
    'DataPreparation.MissingColumn',
    /row 1: there is no column "sentimnt" \(did you mean "sentiment"\?\)/,
  ],
  [
    { labelMap: { positive: 0, neutral: 1 } },
    'DataPreparation.UnknownLabel',
    /row 3: the label "negative" is not in labelMap/,
  ],
  [
    { labelMap: { positive: 0, negative: 2 } },
    'DataPreparation.BadLabelMap',
    /without gaps, found 0, 2/,
  ],
  [
    { split: { testSize: 0.6, validationSize: 0.4 } },
    'DataPreparation.BadSplit',
    /nothing to train on/,
  ],
  [{ dataset: 'one.jsonl' }, 'DataPreparation.TooFewRows', /test split would be empty/],
  [{ dataset: 'none.jsonl' }, 'DataPreparation.TooFewRows', /0 rows read/],
])('%j fails as %s', async (more, error, reason) => {
  await at.write('in.jsonl', lines(feedback));
  await at.write('one.jsonl', lines(feedback.slice(0, 1)));
  await at.write('none.jsonl', '');
  const failure = await failureOf(at.run(preprocessHandler, { ...parameters, ...more }));
  expect(failure.error).toBe(error);
  expect(failure.reason).toMatch(reason);
});
