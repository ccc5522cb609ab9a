/**
 * Whether a window of requests looks like the baseline: texts by length, words, unknown words, wording
 * and embedding, and what the model makes of them by its labels and scores; other columns by their type.
 *
 * A feature has drifted when the difference is both significant and large. Significance alone flags any
 * large window, size alone any small one. The level `alpha` is for a whole window: it is shared among
 * the features (Bonferroni), so that many of them do not mean many false alarms.
 */
import type { JsonObject } from '../../lib/json.js';
import { SeededRandom } from '../onnx/seeded-random.js';
import {
  binCategories,
  type Binned,
  binNumbers,
  expectedPsi,
  jensenShannon,
  psi,
  wasserstein,
} from './distances.js';
import { type TextFeatures, textFeatures, vocabularyOf, wordVector } from './text-features.js';
import { chiSquare, kolmogorovSmirnov, meanShift } from './two-sample.js';

export interface Observation {
  readonly text: string | null;
  readonly prediction: string | null;
  readonly score: number | null;
  readonly vector: readonly number[] | null;
  /** Other columns of the row. */
  readonly columns: JsonObject;
}

/** The reference rows are not those that the vocabulary was made of: on its own texts nothing is unknown. */
export interface DriftBaseline {
  readonly vocabulary: readonly string[];
  readonly reference: readonly Observation[];
}

export interface DriftOptions {
  /** Chance of a false alarm in one window. */
  readonly alpha?: number;
  readonly psiThreshold?: number;
  readonly ksThreshold?: number;
  /** How many times farther apart than a random split the means of vectors must lie. */
  readonly shiftRatio?: number;
  readonly permutations?: number;
  readonly seed?: number;
}

export interface FeatureDrift {
  readonly feature: string;
  readonly kind: 'numeric' | 'categorical' | 'vectors';
  readonly test: 'kolmogorov-smirnov' | 'chi-square' | 'permutation';
  readonly statistic: number;
  readonly pValue: number;
  readonly significant: boolean;
  readonly large: boolean;
  readonly drifted: boolean;
  readonly psi: number | null;
  readonly jensenShannon: number | null;
  readonly wasserstein: number | null;
  readonly referenceMean: number | null;
  readonly currentMean: number | null;
}

export interface DriftReport {
  readonly drifted: boolean;
  readonly driftedFeatures: readonly string[];
  readonly rows: number;
  readonly referenceRows: number;
  readonly alpha: number;
  readonly features: readonly FeatureDrift[];
}

const VOCABULARY = 20_000;
/** Words whose use is compared; rarer ones say little in one window. */
const WORDING_WORDS = 300;

/** Half of the rows give the vocabulary, the other half are what windows are compared with. */
export function driftBaseline(
  rows: readonly Observation[],
  vocabularyTexts?: readonly string[],
): DriftBaseline {
  const own = vocabularyTexts === undefined;
  const texts = own
    ? rows.filter((_, index) => index % 2 === 0).flatMap((row) => row.text ?? [])
    : vocabularyTexts;
  return {
    vocabulary: vocabularyOf(texts, VOCABULARY),
    reference: own ? rows.filter((_, index) => index % 2 === 1) : rows,
  };
}

export function driftReport(
  baseline: DriftBaseline,
  current: readonly Observation[],
  options: DriftOptions = {},
): DriftReport {
  const { alpha = 0.01 } = options;
  const tests = [
    ...textTests(baseline, current),
    ...answerTests(baseline.reference, current),
    ...columnTests(baseline.reference, current),
    ...vectorTests(baseline, current, options),
  ];
  const level = alpha / Math.max(1, tests.length);
  const features = tests.map((test) => judged(test(), level, options));
  const driftedFeatures = features.filter((item) => item.drifted).map((item) => item.feature);
  return {
    drifted: driftedFeatures.length > 0,
    driftedFeatures,
    rows: current.length,
    referenceRows: baseline.reference.length,
    alpha,
    features,
  };
}

type Measured = Omit<FeatureDrift, 'significant' | 'large' | 'drifted'> & {
  readonly adjustedPsi: number | null;
  readonly ratio: number | null;
};
type Test = () => Measured;

function judged(
  { adjustedPsi, ratio, ...measured }: Measured,
  level: number,
  options: DriftOptions,
): FeatureDrift {
  const { psiThreshold = 0.1, ksThreshold = 0.1, shiftRatio = 1.3 } = options;
  const significant = measured.pValue < level;
  const large =
    ratio !== null
      ? ratio >= shiftRatio
      : (adjustedPsi ?? 0) >= psiThreshold ||
        (measured.kind === 'numeric' && measured.statistic >= ksThreshold);
  return { ...measured, significant, large, drifted: significant && large };
}

function textTests(baseline: DriftBaseline, current: readonly Observation[]): Test[] {
  const { vocabulary, before } = preparedOf(baseline);
  const now = featuresIn(current, vocabulary);
  if (before.length === 0) return [];
  return (['length', 'words', 'unknownShare'] as const).map(
    (name) => () =>
      numeric(
        `text.${name}`,
        before.map((item) => item[name]),
        now.map((item) => item[name]),
      ),
  );
}

interface Prepared {
  readonly vocabulary: ReadonlySet<string>;
  readonly before: readonly TextFeatures[];
}

/** The same baseline is compared with many windows. */
const prepared = new WeakMap<DriftBaseline, Prepared>();

function preparedOf(baseline: DriftBaseline): Prepared {
  const known = prepared.get(baseline);
  if (known !== undefined) return known;
  const vocabulary = new Set(baseline.vocabulary);
  const fresh = { vocabulary, before: featuresIn(baseline.reference, vocabulary) };
  prepared.set(baseline, fresh);
  return fresh;
}

function featuresIn(
  rows: readonly Observation[],
  vocabulary: ReadonlySet<string>,
): readonly TextFeatures[] {
  return rows.flatMap((row) => (row.text === null ? [] : [textFeatures(row.text, vocabulary)]));
}

function answerTests(before: readonly Observation[], now: readonly Observation[]): Test[] {
  const labels = (rows: readonly Observation[]) => rows.flatMap((row) => row.prediction ?? []);
  const scores = (rows: readonly Observation[]) => rows.flatMap((row) => row.score ?? []);
  const tests: Test[] = [];
  if (labels(before).length > 0) {
    tests.push(() => categorical('prediction', labels(before), labels(now)));
  }
  if (scores(before).length > 0)
    tests.push(() => numeric('prediction.score', scores(before), scores(now)));
  return tests;
}

function columnTests(before: readonly Observation[], now: readonly Observation[]): Test[] {
  const names = [...new Set(before.flatMap((row) => Object.keys(row.columns)))].sort();
  return names.map((name) => {
    const values = (rows: readonly Observation[]) =>
      rows.flatMap((row) => (Object.hasOwn(row.columns, name) ? [row.columns[name] ?? null] : []));
    const numbers = values(before).filter((value) => typeof value === 'number');
    if (numbers.length * 2 > values(before).length) {
      const current = values(now).filter((value) => typeof value === 'number');
      return () => numeric(name, numbers, current);
    }
    const texts = (rows: readonly Observation[]) =>
      values(rows).map((value) => (value === null ? '(none)' : String(value)));
    return () => categorical(name, texts(before), texts(now));
  });
}

function vectorTests(
  { reference, vocabulary }: DriftBaseline,
  current: readonly Observation[],
  options: DriftOptions,
): Test[] {
  const tests: Test[] = [];
  const texts = (rows: readonly Observation[]) => rows.flatMap((row) => row.text ?? []);
  if (texts(reference).length > 0) {
    const places = new Map(vocabulary.slice(0, WORDING_WORDS).map((word, index) => [word, index]));
    const vectors = (rows: readonly Observation[]) =>
      texts(rows).map((text) => wordVector(text, places));
    tests.push(() => shifted('text.wording', vectors(reference), vectors(current), options));
  }
  const embedded = (rows: readonly Observation[]) =>
    rows.flatMap((row) => (row.vector === null ? [] : [Float64Array.from(row.vector)]));
  if (embedded(reference).length > 0 && embedded(current).length > 0) {
    tests.push(() => shifted('text.embedding', embedded(reference), embedded(current), options));
  }
  return tests;
}

function numeric(feature: string, before: readonly number[], now: readonly number[]): Measured {
  if (now.length === 0) return nothing(feature, 'numeric', 'kolmogorov-smirnov');
  const binned = binNumbers(before, now);
  const { statistic, pValue } = kolmogorovSmirnov(before, now);
  return {
    ...distances(binned),
    feature,
    kind: 'numeric',
    test: 'kolmogorov-smirnov',
    statistic,
    pValue,
    wasserstein: finite(wasserstein(before, now)),
    referenceMean: mean(before),
    currentMean: mean(now),
  };
}

function categorical(feature: string, before: readonly string[], now: readonly string[]): Measured {
  if (now.length === 0) return nothing(feature, 'categorical', 'chi-square');
  const binned = binCategories(before, now);
  const { statistic, pValue } = chiSquare(binned.reference, binned.current);
  return {
    ...distances(binned),
    feature,
    kind: 'categorical',
    test: 'chi-square',
    statistic,
    pValue,
    wasserstein: null,
    referenceMean: null,
    currentMean: null,
  };
}

function distances(
  binned: Binned,
): Pick<Measured, 'psi' | 'adjustedPsi' | 'jensenShannon' | 'ratio'> {
  const value = psi(binned);
  return {
    psi: value,
    adjustedPsi: value - expectedPsi(binned),
    jensenShannon: jensenShannon(binned),
    ratio: null,
  };
}

function shifted(
  feature: string,
  before: readonly Float64Array[],
  now: readonly Float64Array[],
  { permutations = 1999, seed = 1 }: DriftOptions,
): Measured {
  if (now.length === 0) return nothing(feature, 'vectors', 'permutation');
  const random = new SeededRandom(seed, feature);
  const { statistic, pValue, expected } = meanShift(before, now, {
    permutations,
    random: () => random.uniform(),
  });
  return {
    ...nothing(feature, 'vectors', 'permutation'),
    statistic,
    pValue,
    ratio: expected === 0 ? (statistic === 0 ? 0 : Number.MAX_VALUE) : statistic / expected,
  };
}

function nothing(feature: string, kind: Measured['kind'], test: Measured['test']): Measured {
  return {
    feature,
    kind,
    test,
    statistic: 0,
    pValue: 1,
    psi: null,
    adjustedPsi: null,
    ratio: kind === 'vectors' ? 0 : null,
    jensenShannon: null,
    wasserstein: null,
    referenceMean: null,
    currentMean: null,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
