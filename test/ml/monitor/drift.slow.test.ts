/** Drift on real sentences: found within one window, and rarely where there is none. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'csv-parse/sync';
import { checkConstraints, suggestConstraints } from '../../../src/ml/monitor/constraints.js';
import { driftBaseline, driftReport, type Observation } from '../../../src/ml/monitor/drift.js';
import { describeColumns, statisticsFile } from '../../../src/ml/monitor/statistics.js';
import { SeededRandom } from '../../../src/ml/onnx/seeded-random.js';

const rows = parse(
  readFileSync(new URL('../../../data/customer_feedback.csv', import.meta.url), 'utf8'),
  { columns: true },
) as { text: string; sentiment: string }[];

const random = new SeededRandom(17, 'windows');
function shuffled<T>(items: readonly T[]): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random.uniform() * (i + 1));
    [list[i], list[j]] = [list[j] as T, list[i] as T];
  }
  return list;
}
const mixed = shuffled(rows);

/** A model that is right nine times in ten, with scores to match. */
function observed({ text, sentiment }: { text: string; sentiment: string }): Observation {
  const right = random.uniform() < 0.9;
  return {
    text,
    prediction: right ? sentiment : 'neutral',
    score: right ? 0.7 + 0.3 * random.uniform() : 0.4 + 0.4 * random.uniform(),
    vector: null,
    columns: {},
  };
}
const baseline = driftBaseline(mixed.slice(0, 2000).map(observed));
const fresh = mixed.slice(2000);
const window = (size = 200): Observation[] =>
  Array.from({ length: size }, () =>
    observed(fresh[Math.floor(random.uniform() * fresh.length)] as never),
  );
const report = (current: readonly Observation[]) =>
  driftReport(baseline, current, { permutations: 999 });

describe('drift', () => {
  it.each([
    [
      'another language',
      (row: Observation) => ({ ...row, text: 'das Paket kam viel zu spät und war beschädigt' }),
      'text.unknownShare',
    ],
    [
      'much longer texts',
      (row: Observation) => ({ ...row, text: `${row.text} ${row.text} ${row.text}` }),
      'text.length',
    ],
    [
      'another topic',
      (row: Observation, n: number) =>
        n % 2 === 0
          ? { ...row, text: 'my invoice for the hotel room shows the wrong breakfast price' }
          : row,
      'text.wording',
    ],
    [
      'mostly complaints',
      (row: Observation, n: number) => (n % 2 === 0 ? { ...row, prediction: 'negative' } : row),
      'prediction',
    ],
    [
      'an unsure model',
      (row: Observation) => ({ ...row, score: (row.score ?? 0) * 0.6 }),
      'prediction.score',
    ],
  ])('of %s is found within one window of 200', (_, change, feature) => {
    const found = report(window().map(change));
    expect(found.drifted).toBe(true);
    expect(found.driftedFeatures).toContain(feature);
  });

  it('of embeddings is found when only the vectors move', () => {
    const vector = (shift: number) => Array.from({ length: 16 }, () => random.uniform() + shift);
    const embedded = (items: readonly Observation[], shift: number) =>
      items.map((row) => ({ ...row, vector: vector(shift) }));
    const reference = { ...baseline, reference: embedded(baseline.reference.slice(0, 400), 0) };
    const found = driftReport(reference, embedded(window(), 0.1), { permutations: 999 });
    expect(found.driftedFeatures).toEqual(['text.embedding']);
  });

  it('raises a false alarm on at most 2 % of 200 clean windows', () => {
    let alarms = 0;
    for (let n = 0; n < 200; n++) {
      if (driftReport(baseline, window(150), { permutations: 699 }).drifted) alarms++;
    }
    expect(alarms / 200).toBeLessThanOrEqual(0.02);
  }, 60_000);

  it('looks at further columns by their type', () => {
    const withColumns = (items: readonly Observation[], add: number, channel: string) =>
      items.map((row, n) => ({
        ...row,
        columns: { age: 20 + (n % 40) + add, channel: n % 3 === 0 ? channel : 'web' },
      }));
    const reference = { ...baseline, reference: withColumns(baseline.reference, 0, 'app') };
    const found = driftReport(reference, withColumns(window(), 15, 'phone'), { permutations: 99 });
    expect(found.driftedFeatures).toEqual(expect.arrayContaining(['age', 'channel']));
  });
});

describe('the files of Model Monitor', () => {
  const table = (n: number, change: (n: number) => object = () => ({})) =>
    Array.from({ length: n }, (_, i) => ({
      age: 20 + (i % 30),
      name: i % 2 === 0 ? 'a' : 'b',
      price: (i % 90) / 7,
      ...change(i),
    }));
  const columns = (rowsOf: readonly object[], names = ['age', 'name', 'price']) =>
    describeColumns(rowsOf as never, names);
  const before = columns(table(300));
  const constraints = suggestConstraints(before);

  it('describe columns as Model Monitor does', () => {
    expect(constraints).toMatchObject({
      version: 0,
      features: [
        {
          name: 'age',
          inferred_type: 'Integral',
          completeness: 1,
          num_constraints: { is_non_negative: true },
        },
        { name: 'name', inferred_type: 'String', string_constraints: { domains: ['a', 'b'] } },
        { name: 'price', inferred_type: 'Fractional' },
      ],
      monitoring_config: {
        distribution_constraints: { comparison_threshold: 0.1, comparison_method: 'Robust' },
      },
    });
    const file = statisticsFile(before, 300) as {
      features: { numerical_statistics?: { mean: number; std_dev: number } }[];
    };
    expect(file.features[0]?.numerical_statistics?.mean).toBeCloseTo(34.5);
    expect(checkConstraints(constraints, before, columns(table(200)))).toEqual([]);
  });

  it.each([
    ['data_type_check', 'age', (i: number) => (i < 3 ? { age: 'old' } : {})],
    ['completeness_check', 'price', (i: number) => (i % 4 === 0 ? { price: null } : {})],
    ['categorical_values_check', 'name', (i: number) => (i === 7 ? { name: 'zebra' } : {})],
    ['baseline_drift_check', 'age', (i: number) => ({ age: 40 + (i % 30) })],
  ])('say %s for %s', (type, feature, change) => {
    const found = checkConstraints(constraints, before, columns(table(300, change)));
    expect(found.map((item) => [item.feature_name, item.constraint_check_type])).toContainEqual([
      feature,
      type,
    ]);
    expect(found.every((item) => item.description.length > 20)).toBe(true);
  });

  it('say which columns are missing or new', () => {
    const found = checkConstraints(
      constraints,
      before,
      columns(
        table(100, () => ({ extra: 1 })),
        ['age', 'name', 'extra'],
      ),
    );
    expect(found.map((item) => item.constraint_check_type)).toEqual([
      'extra_column_check',
      'missing_column_check',
    ]);
  });
});
