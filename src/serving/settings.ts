/**
 * How an endpoint serves, beside which models: batching, limits, data capture, scaling, comparison and
 * fallback. All of it is kept in the endpoint's record, so that a rollback restores it with the models.
 */
import {
  CAPTURE_MAX_BYTES,
  INVOCATION_TIMEOUT_MS,
  MAX_BATCH_TEXTS,
  MAX_BODY_BYTES,
  MAX_CONCURRENCY,
  MAX_INSTANCES,
} from './limits.js';

export interface Batching {
  /** Texts that one model run takes together. */
  readonly maxBatch: number;
  /** How long the first text of a batch may wait for others; 0 batches only what has queued up. */
  readonly maxDelayMs: number;
}

export interface RequestLimits {
  readonly maxBodyBytes: number;
  /** Requests in flight; more are answered 429. */
  readonly maxConcurrency: number;
  /** A request that takes longer is answered 504. */
  readonly timeoutMs: number;
}

/** SageMaker's DataCaptureConfig, as far as it matters here. */
export interface CaptureSettings {
  readonly samplingPercentage: number;
  readonly modes: readonly ('Input' | 'Output')[];
  /** Bytes of captured data an endpoint may keep; past them capture stops and says so. */
  readonly maxBytes: number;
}

export interface EndpointSettings {
  readonly batching: Batching;
  readonly limits: RequestLimits;
  readonly capture: CaptureSettings | null;
  /** Variant that answers when another one fails: clients do not see a bad candidate's errors. */
  readonly fallback: string | null;
  /** Requests that another variant answered are put to this one too, and the answers compared. */
  readonly compare: { readonly with: string; readonly samplingPercentage: number } | null;
}

/** Application Auto Scaling's target tracking, for the children of one variant. */
export interface Scaling {
  readonly minInstances: number;
  readonly maxInstances: number;
  readonly metric: 'ConcurrencyPerInstance' | 'InvocationsPerInstance' | 'LatencyP95Ms';
  readonly targetValue: number;
  readonly scaleInCooldownSeconds: number;
  readonly scaleOutCooldownSeconds: number;
}

type Parts<T> = {
  readonly [K in keyof T]?: T[K] extends object | null ? Partial<T[K]> | null : T[K];
};
/** As written in a record: what is absent has its default. */
export type PartialSettings = Parts<EndpointSettings>;

export const DEFAULT_SETTINGS: EndpointSettings = {
  batching: { maxBatch: MAX_BATCH_TEXTS, maxDelayMs: 0 },
  limits: {
    maxBodyBytes: MAX_BODY_BYTES,
    maxConcurrency: MAX_CONCURRENCY,
    timeoutMs: INVOCATION_TIMEOUT_MS,
  },
  capture: null,
  fallback: null,
  compare: null,
};

export function settingsOf(given: PartialSettings | undefined): EndpointSettings {
  const { capture, compare } = given ?? {};
  return {
    batching: { ...DEFAULT_SETTINGS.batching, ...given?.batching },
    limits: { ...DEFAULT_SETTINGS.limits, ...given?.limits },
    capture:
      capture === undefined || capture === null
        ? null
        : {
            samplingPercentage: 100,
            modes: ['Input', 'Output'],
            maxBytes: CAPTURE_MAX_BYTES,
            ...capture,
          },
    fallback: given?.fallback ?? null,
    compare:
      compare === undefined || compare === null || compare.with === undefined
        ? null
        : { with: compare.with, samplingPercentage: compare.samplingPercentage ?? 100 },
  };
}

/** Sentences about what is wrong with the settings; empty when nothing is. */
export function settingsProblems(
  given: PartialSettings | undefined,
  variants: readonly string[],
): string[] {
  const { batching, limits, capture, fallback, compare } = settingsOf(given);
  const problems: string[] = [];
  const within = (name: string, value: number, least: number, most: number): void => {
    if (Number.isFinite(value) && value >= least && value <= most) return;
    problems.push(`${name} must be between ${least} and ${most}`);
  };
  within('batching.maxBatch', batching.maxBatch, 1, 256);
  within('batching.maxDelayMs', batching.maxDelayMs, 0, 1000);
  within('limits.maxBodyBytes', limits.maxBodyBytes, 1, MAX_BODY_BYTES);
  within('limits.maxConcurrency', limits.maxConcurrency, 1, 100_000);
  within('limits.timeoutMs', limits.timeoutMs, 1, INVOCATION_TIMEOUT_MS);
  if (capture !== null) {
    within('capture.samplingPercentage', capture.samplingPercentage, 0, 100);
    within('capture.maxBytes', capture.maxBytes, 1, 2 ** 40);
  }
  if (compare !== null) within('compare.samplingPercentage', compare.samplingPercentage, 0, 100);
  for (const [name, variant] of [
    ['fallback', fallback],
    ['compare.with', compare?.with ?? null],
  ] as const) {
    if (variant !== null && !variants.includes(variant)) {
      problems.push(`${name} names "${variant}", which is no variant of the endpoint`);
    }
  }
  return problems;
}

export function scalingProblems(scaling: Scaling): string[] {
  const { minInstances, maxInstances, targetValue } = scaling;
  const problems: string[] = [];
  const whole = Number.isInteger(minInstances) && Number.isInteger(maxInstances);
  if (!whole || minInstances < 1 || maxInstances < minInstances || maxInstances > MAX_INSTANCES) {
    problems.push(`scaling needs 1 ≤ minInstances ≤ maxInstances ≤ ${MAX_INSTANCES}`);
  }
  if (!(targetValue > 0)) problems.push('scaling.targetValue must be more than 0');
  for (const cooldown of [scaling.scaleInCooldownSeconds, scaling.scaleOutCooldownSeconds]) {
    if (!(cooldown >= 0 && cooldown <= 86_400)) problems.push('a cool-down is 0 to 86400 seconds');
  }
  return problems;
}
