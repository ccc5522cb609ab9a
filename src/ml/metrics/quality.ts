/**
 * The quality metrics of a classifier by name: one table for evaluation reports, slices, gates and the
 * bootstrap, so that a name means the same everywhere. Each is computed only when it is asked for.
 */
import { fromEntries, type JsonObject } from '../../lib/json.js';
import {
  type Averages,
  accuracy,
  averages,
  type ConfusionMatrix,
  cohensKappa,
  confusionMatrix,
  matthewsCorrelation,
} from './classification.js';
import { binaryBrier, brier, calibration, logLoss, rocAuc, type Scores } from './probability.js';
import { averagePrecision, rocAucOneVersusOne } from './ranking.js';

/** Labelled predictions; `scores` null when only the labels are known. */
export class Sample {
  private matrixSeen: ConfusionMatrix | null = null;
  private averagesSeen: Averages | null = null;

  constructor(
    readonly truth: ArrayLike<number>,
    readonly predicted: ArrayLike<number>,
    readonly classes: number,
    readonly scores: Scores | null,
  ) {}

  get matrix(): ConfusionMatrix {
    this.matrixSeen ??= confusionMatrix(this.truth, this.predicted, this.classes);
    return this.matrixSeen;
  }

  get averages(): Averages {
    this.averagesSeen ??= averages(this.matrix);
    return this.averagesSeen;
  }
}

type Metric = (sample: Sample) => number | null;

const scored =
  (metric: (truth: ArrayLike<number>, scores: Scores) => number | null): Metric =>
  ({ truth, scores }) =>
    scores === null ? null : metric(truth, scores);

const QUALITY: Readonly<Record<string, Metric>> = {
  accuracy: ({ matrix }) => accuracy(matrix),
  precisionMicro: (sample) => sample.averages.micro.precision,
  precisionMacro: (sample) => sample.averages.macro.precision,
  precisionWeighted: (sample) => sample.averages.weighted.precision,
  recallMicro: (sample) => sample.averages.micro.recall,
  recallMacro: (sample) => sample.averages.macro.recall,
  recallWeighted: (sample) => sample.averages.weighted.recall,
  f1Micro: (sample) => sample.averages.micro.f1,
  f1Macro: (sample) => sample.averages.macro.f1,
  f1Weighted: (sample) => sample.averages.weighted.f1,
  matthewsCorrelation: ({ matrix }) => matthewsCorrelation(matrix),
  cohensKappa: ({ matrix }) => cohensKappa(matrix),
  rocAucMacro: scored((truth, scores) => rocAuc(truth, scores).macro),
  rocAucWeighted: scored((truth, scores) => rocAuc(truth, scores).weighted),
  rocAucOvoMacro: scored(rocAucOneVersusOne),
  averagePrecisionMacro: scored((truth, scores) => averagePrecision(truth, scores).macro),
  logLoss: scored(logLoss),
  brier: scored((truth, scores) => binaryBrier(truth, scores) ?? brier(truth, scores)),
  calibrationError: scored((truth, scores) => calibration(truth, scores).error),
};

export const QUALITY_METRICS: readonly string[] = Object.keys(QUALITY);

export function isQualityMetric(name: string): boolean {
  return Object.hasOwn(QUALITY, name);
}

/** A metric by its name; null when it is unknown, undefined on these rows, or there are none. */
export function qualityOf(name: string, sample: Sample): number | null {
  if (!isQualityMetric(name) || sample.truth.length === 0) return null;
  const value = (QUALITY[name] as Metric)(sample);
  return value !== null && Number.isFinite(value) ? value : null;
}

export function qualityMetrics(sample: Sample): JsonObject {
  return fromEntries(QUALITY_METRICS.map((name) => [name, qualityOf(name, sample)]));
}

/** Metrics of which less is better: losses, errors, times, sizes. */
export function isLowerBetter(metric: string): boolean {
  return /loss|brier|error|latency|bytes|size|mae|mse|difference|pvalue/i.test(
    metric.split('.').at(-1) ?? '',
  );
}
