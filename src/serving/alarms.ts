/**
 * Alarms over a rollout: error rate, latency, agreement with the version before, accuracy on labels.
 * States and the treatment of missing data are CloudWatch's. What nobody measured is INSUFFICIENT_DATA
 * and never OK. Pure: numbers in, states and a decision out.
 */
import type { MetricWindow } from './metrics.js';

export type AlarmMetric =
  | 'errorRate'
  | 'latencyP50Ms'
  | 'latencyP95Ms'
  | 'latencyP99Ms'
  | 'agreement'
  | 'accuracy';

export interface AlarmDefinition {
  readonly name?: string;
  readonly metric: AlarmMetric;
  /** Default: `>` for errors and latency, `<` for agreement and accuracy. */
  readonly comparison?: '>' | '>=' | '<' | '<=';
  /** An absolute bound, or one made from the baseline's value of the same metric. */
  readonly threshold?: number;
  readonly baselineRatio?: number;
  readonly baselineDifference?: number;
  /** Fewer samples say nothing. */
  readonly minSamples?: number;
  readonly treatMissingData?: 'missing' | 'notBreaching' | 'breaching';
}

export type AlarmState = 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';

export interface AlarmResult {
  readonly name: string;
  readonly metric: AlarmMetric;
  readonly state: AlarmState;
  readonly value: number | null;
  readonly bound: number | null;
  readonly samples: number;
  readonly reason: string;
}

/** What is known about one side of the comparison. */
export interface Evidence {
  readonly window: MetricWindow;
  /** The side is a shadow: its errors and latency are those of copies. */
  readonly shadow: boolean;
  readonly labelled: number;
  readonly correct: number;
}

const MIN_SAMPLES = 20;

/** What a rollout is watched by unless it says otherwise. */
export const DEFAULT_ALARMS: readonly AlarmDefinition[] = [
  { name: 'error-rate', metric: 'errorRate', threshold: 0.05 },
  { name: 'latency-p99', metric: 'latencyP99Ms', baselineRatio: 3, minSamples: 50 },
];

export function evaluateAlarm(
  alarm: AlarmDefinition,
  candidate: Evidence,
  baseline: Evidence | null,
): AlarmResult {
  const { metric, minSamples = MIN_SAMPLES } = alarm;
  const name = alarm.name ?? metric;
  const measured = measure(metric, candidate);
  const result = (state: AlarmState, bound: number | null, reason: string): AlarmResult => ({
    name,
    metric,
    state,
    bound,
    reason,
    value: measured.value,
    samples: measured.samples,
  });
  const missing = (bound: number | null, reason: string): AlarmResult => {
    if (alarm.treatMissingData === 'notBreaching') return result('OK', bound, reason);
    if (alarm.treatMissingData === 'breaching') return result('ALARM', bound, reason);
    return result('INSUFFICIENT_DATA', bound, reason);
  };
  if (measured.value === null || measured.samples < minSamples) {
    return missing(null, `${measured.samples} of ${minSamples} samples`);
  }
  const bound = boundOf(alarm, baseline, minSamples);
  if (bound === null) return missing(null, 'the baseline has too few samples to compare with');
  const comparison = alarm.comparison ?? (isQuality(metric) ? '<' : '>');
  const breached = compare(measured.value, comparison, bound);
  const sentence = `${metric} ${rounded(measured.value)} is ${breached ? '' : 'not '}${comparison} ${rounded(bound)}`;
  return result(breached ? 'ALARM' : 'OK', bound, sentence);
}

export interface Judgement {
  /** `continue`: bake on; `advance`: the step has passed; `rollback`: an alarm, or no evidence in time. */
  readonly decision: 'continue' | 'advance' | 'rollback';
  readonly state: AlarmState;
  readonly reason: string;
}

export function judge(
  results: readonly AlarmResult[],
  times: { readonly now: number; readonly bakeUntil: number; readonly maxBakeUntil: number },
): Judgement {
  const raised = results.filter((item) => item.state === 'ALARM');
  if (raised.length > 0) {
    const reason = raised.map((item) => `${item.name}: ${item.reason}`).join('; ');
    return { decision: 'rollback', state: 'ALARM', reason };
  }
  const unknown = results.filter((item) => item.state === 'INSUFFICIENT_DATA');
  const state = unknown.length > 0 ? 'INSUFFICIENT_DATA' : 'OK';
  if (times.now < times.bakeUntil) return { decision: 'continue', state, reason: 'baking' };
  if (state === 'OK') return { decision: 'advance', state, reason: 'every alarm is OK' };
  const reason = unknown.map((item) => `${item.name}: ${item.reason}`).join('; ');
  if (times.now < times.maxBakeUntil) {
    return { decision: 'continue', state, reason: `waiting for evidence (${reason})` };
  }
  return { decision: 'rollback', state, reason: `no evidence in time (${reason})` };
}

function isQuality(metric: AlarmMetric): boolean {
  return metric === 'agreement' || metric === 'accuracy';
}

function measure(
  metric: AlarmMetric,
  { window, shadow, labelled, correct }: Evidence,
): { readonly value: number | null; readonly samples: number } {
  if (metric === 'accuracy') {
    return { value: labelled === 0 ? null : correct / labelled, samples: labelled };
  }
  if (metric === 'agreement') return { value: window.agreement, samples: window.compared };
  if (shadow) {
    const { copies, copyFailures } = window;
    if (metric === 'errorRate') {
      return { value: copies === 0 ? null : copyFailures / copies, samples: copies };
    }
    return { value: window.copyLatencyP95Ms, samples: copies - copyFailures };
  }
  if (metric === 'errorRate') return { value: window.errorRate, samples: window.invocations };
  return { value: window[metric], samples: window.ok };
}

function boundOf(
  { metric, threshold, baselineRatio, baselineDifference }: AlarmDefinition,
  baseline: Evidence | null,
  minSamples: number,
): number | null {
  if (threshold !== undefined) return threshold;
  if (baseline === null) return null;
  const { value, samples } = measure(metric, baseline);
  if (value === null || samples < minSamples) return null;
  return value * (baselineRatio ?? 1) + (baselineDifference ?? 0);
}

function compare(value: number, comparison: '>' | '>=' | '<' | '<=', bound: number): boolean {
  if (comparison === '>') return value > bound;
  if (comparison === '>=') return value >= bound;
  if (comparison === '<') return value < bound;
  return value <= bound;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
