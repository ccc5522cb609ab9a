/** Collects predictions row by row and turns them into the report of an evaluation. No clock, no model. */
import type { JsonObject } from '../../lib/json.js';
import { perClass } from './classification.js';
import { wilson } from './interval.js';
import type { Latency } from './latency.js';
import { calibration, rocAuc } from './probability.js';
import { qualityMetrics, Sample } from './quality.js';
import { averagePrecision } from './ranking.js';

export interface Prediction {
  readonly text: string;
  readonly truth: number;
  readonly predicted: number;
  readonly score: number;
  readonly scores: readonly number[];
}

const MISTAKES_SHOWN = 10;
const MISTAKE_CHARACTERS = 300;

export class Evaluation {
  private truth = new Int32Array(1024);
  private predicted = new Int32Array(1024);
  private scores: Float64Array;
  private rows = 0;
  private readonly mistakes: Prediction[] = [];

  constructor(private readonly labels: readonly string[]) {
    this.scores = new Float64Array(1024 * labels.length);
  }

  add(prediction: Prediction): void {
    if (this.rows === this.truth.length) this.grow();
    const { truth, predicted, scores } = prediction;
    this.truth[this.rows] = truth;
    this.predicted[this.rows] = predicted;
    this.scores.set(scores, this.rows * this.labels.length);
    this.rows++;
    if (truth !== predicted) this.keepWorst(prediction);
  }

  report(latency: Latency, rowsPerSecond: number): JsonObject {
    const { labels, rows } = this;
    const truth = this.truth.subarray(0, rows);
    const scores = { values: this.scores, classes: labels.length };
    const sample = new Sample(truth, this.predicted.subarray(0, rows), labels.length, scores);
    const { matrix } = sample;
    const { macro, weighted } = sample.averages;
    const areas = rocAuc(truth, scores);
    const ranked = averagePrecision(truth, scores);
    const calibrated = calibration(truth, scores);
    const metrics: JsonObject = {
      ...qualityMetrics(sample),
      latencyP50Ms: latency.p50,
      latencyP95Ms: latency.p95,
      latencyP99Ms: latency.p99,
      rowsPerSecond,
    };
    return {
      accuracy: metrics.accuracy ?? 0,
      accuracyInterval: { ...wilson(sumOfDiagonal(matrix), rows) },
      f1Weighted: weighted.f1,
      f1Macro: macro.f1,
      metrics,
      perClass: perClass(matrix).map((one, i) => ({
        label: labels[i] ?? '',
        ...one,
        rocAuc: areas.perClass[i] ?? null,
        averagePrecision: ranked.perClass[i] ?? null,
      })),
      confusionMatrix: { labels: [...labels], matrix: matrix.map((row) => [...row]) },
      logLoss: metrics.logLoss ?? null,
      calibrationError: calibrated.error,
      calibration: calibrated.bins.map((bin) => ({ ...bin })),
      latency: { ...latency, unit: 'ms', batchSize: 1 },
      throughput: { perSecond: rowsPerSecond },
      rows,
      mistakes: this.mistakes.map((mistake) => ({
        text: mistake.text.slice(0, MISTAKE_CHARACTERS),
        label: labels[mistake.truth] ?? '',
        predicted: labels[mistake.predicted] ?? '',
        score: mistake.score,
      })),
    };
  }

  /** The mistakes the model was surest of, first. */
  private keepWorst(prediction: Prediction): void {
    const last = this.mistakes.at(-1);
    if (this.mistakes.length === MISTAKES_SHOWN && last !== undefined) {
      if (last.score >= prediction.score) return;
      this.mistakes.pop();
    }
    const at = this.mistakes.findIndex((other) => other.score < prediction.score);
    this.mistakes.splice(at === -1 ? this.mistakes.length : at, 0, prediction);
  }

  private grow(): void {
    this.truth = doubled(this.truth, Int32Array);
    this.predicted = doubled(this.predicted, Int32Array);
    this.scores = doubled(this.scores, Float64Array);
  }
}

function doubled<T extends Int32Array | Float64Array>(old: T, make: new (length: number) => T): T {
  const larger = new make(old.length * 2);
  larger.set(old);
  return larger;
}

function sumOfDiagonal(matrix: readonly (readonly number[])[]): number {
  return matrix.reduce((sum, row, i) => sum + (row[i] as number), 0);
}

export interface GateClause {
  readonly metric: string;
  readonly comparator: '>=' | '<=';
  readonly bound: number;
  readonly value: number | null;
  readonly passed: boolean;
}

/** A metric that is missing or null fails its clause; it never passes. */
export function gate(
  metrics: JsonObject,
  minimum: { readonly [metric: string]: number },
  maximum: { readonly [metric: string]: number },
): { readonly passed: boolean; readonly clauses: readonly GateClause[] } {
  const clause = (metric: string, comparator: '>=' | '<=', bound: number): GateClause => {
    const found = Object.hasOwn(metrics, metric) ? metrics[metric] : null;
    const value = typeof found === 'number' ? found : null;
    const passed = value !== null && (comparator === '>=' ? value >= bound : value <= bound);
    return { metric, comparator, bound, value, passed };
  };
  const clauses = [
    ...Object.entries(minimum).map(([metric, bound]) => clause(metric, '>=', bound)),
    ...Object.entries(maximum).map(([metric, bound]) => clause(metric, '<=', bound)),
  ];
  return { passed: clauses.every((one) => one.passed), clauses };
}
