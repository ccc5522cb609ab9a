/**
 * One request at an endpoint: which variant takes it, what happens when that one fails, and the copies
 * that go to others afterwards. A copy never delays an answer and its failure never reaches a client.
 */
import {
  chooseVariant,
  sessionPoint,
  type ServedModel,
  type ShadowVariant,
  type Variant,
} from './endpoints.js';
import { invalid, modelError, ServingError, throttled } from './errors.js';
import { INVOCATION_TIMEOUT_MS, MAX_SHADOW_QUEUE } from './limits.js';
import type { Prediction } from './messages.js';
import type { Metrics, Outcome } from './metrics.js';
import type { Group, Served } from './served.js';
import { PredictionFailed, PredictionTimedOut } from './serving-process.js';
import { type EndpointSettings, settingsOf } from './settings.js';

/** One answered request; capture and monitoring attach here and never delay an answer. */
export interface Invocation {
  readonly endpoint: string;
  readonly variant: string;
  readonly model: ServedModel;
  readonly inferenceId: string | null;
  readonly texts: readonly string[];
  readonly labels: readonly string[];
  readonly predictions: readonly Prediction[];
  readonly latencyMs: number;
  /** Revision of the endpoint record that was in force. */
  readonly revision: number;
  /** The variant that was chosen first and failed; null when it answered itself. */
  readonly fellBackFrom: string | null;
}

export interface InvokeOptions {
  readonly targetVariant?: string | null;
  readonly inferenceId?: string | null;
  /** The same session gets the same variant as long as the weights are the same. */
  readonly sessionId?: string | null;
  /** Asked only to see who answers: not measured, not captured, not copied. */
  readonly probe?: boolean;
  readonly signal?: AbortSignal;
}

export interface InvokeParts {
  readonly metrics: Metrics;
  /** Draws for weights and samples; absent: an even sequence for weights, chance for samples. */
  readonly random: (() => number) | undefined;
  /** Most that a request may take, whatever the endpoint's settings say. */
  readonly timeoutMs: number | undefined;
}

/** Rejects with a ServingError in SageMaker Runtime's terms. */
export async function invokeServed(
  entry: Served,
  texts: readonly string[],
  options: InvokeOptions,
  parts: InvokeParts,
): Promise<Invocation> {
  const { record } = entry;
  const settings = settingsOf(record.settings);
  const variant = chosen(entry, options, parts.random ?? (() => evenPoint(entry)));
  const request: Request = { entry, texts, options, parts, settings };
  if (entry.inFlight >= settings.limits.maxConcurrency) {
    const { name, model } = variant;
    const { version } = model;
    parts.metrics.record({
      endpoint: record.name,
      variant: name,
      version,
      outcome: 'throttled',
      latencyMs: 0,
    });
    throw throttled(`Endpoint ${record.name} has ${entry.inFlight} requests in flight.`);
  }
  entry.inFlight++;
  entry.invocations++;
  try {
    return await answeredOrFallback(request, variant);
  } catch (error) {
    entry.errors++;
    throw error;
  } finally {
    entry.inFlight--;
  }
}

/** Latencies that one look of the scaler reads; more add nothing to a percentile. */
const MAX_LATENCIES = 10_000;

interface Request {
  readonly entry: Served;
  readonly texts: readonly string[];
  readonly options: InvokeOptions;
  readonly parts: InvokeParts;
  readonly settings: EndpointSettings;
}

function chosen(
  { record, groups }: Served,
  { targetVariant = null, sessionId = null }: InvokeOptions,
  random: () => number,
): Variant {
  const point = sessionId === null ? random : () => sessionPoint(record.name, sessionId);
  const variant = chooseVariant(record.variants, targetVariant, point);
  if (variant !== null && groups.has(variant.name)) return variant;
  throw invalid(`Variant ${String(targetVariant)} of endpoint ${record.name} not found.`);
}

/**
 * Multiples of the golden ratio: every run of requests is spread as evenly as can be, so that 5 % of a
 * hundred requests are five and not two or nine, without a period that a client could fall in step with.
 */
function evenPoint(entry: Served): number {
  return (entry.invocations * 0.618_033_988_749_894_9) % 1;
}

async function answeredOrFallback(request: Request, variant: Variant): Promise<Invocation> {
  const { entry, settings, options } = request;
  // What serves now goes on with this request, even if a switch replaces it meanwhile.
  const { record } = entry;
  const groups = new Map(entry.groups);
  const fallback = record.variants.find((item) => item.name === settings.fallback);
  const mayFallBack =
    fallback !== undefined && fallback.name !== variant.name && !options.targetVariant;
  let invocation: Invocation;
  try {
    invocation = await answered(request, variant, groups, mayFallBack);
  } catch (error) {
    if (!mayFallBack || !(error instanceof ServingError) || options.signal?.aborted) throw error;
    const again = await answered(request, fallback, groups, false);
    return { ...again, fellBackFrom: variant.name };
  }
  if (options.probe !== true) copy(request, invocation, groups);
  return invocation;
}

async function answered(
  { entry, texts, options, parts, settings }: Request,
  variant: Variant,
  groups: ReadonlyMap<string, Group>,
  mayFallBack: boolean,
): Promise<Invocation> {
  const { record } = entry;
  const group = groups.get(variant.name) as Group;
  const { name: endpoint } = record;
  const about = { endpoint, variant: variant.name, version: variant.model.version };
  const startedAt = performance.now();
  const elapsed = (): number => performance.now() - startedAt;
  enter(group);
  try {
    const predictions = await group.replicas.predict(texts, {
      timeoutMs: Math.min(settings.limits.timeoutMs, parts.timeoutMs ?? INVOCATION_TIMEOUT_MS),
      hungAfterMs: parts.timeoutMs ?? INVOCATION_TIMEOUT_MS,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const latencyMs = elapsed();
    if (options.probe !== true) {
      parts.metrics.record({ ...about, outcome: 'ok', latencyMs });
      if (group.load.latencies.length < MAX_LATENCIES) group.load.latencies.push(latencyMs);
    }
    return {
      endpoint,
      variant: variant.name,
      model: variant.model,
      inferenceId: options.inferenceId ?? null,
      texts,
      labels: group.replicas.live()[0]?.labels ?? [],
      predictions,
      latencyMs,
      revision: record.revision,
      fellBackFrom: null,
    };
  } catch (error) {
    const outcome = outcomeOf(error);
    if (outcome !== null && options.probe !== true) {
      parts.metrics.record({ ...about, outcome, latencyMs: elapsed(), fellBack: mayFallBack });
    }
    throw asServingError(error, variant.name, settings.limits.timeoutMs);
  } finally {
    leave(group);
  }
}

/** Null for a client that has gone: that is nobody's failure. */
function outcomeOf(error: unknown): Outcome | null {
  if (error instanceof PredictionFailed) return 'modelError';
  if (error instanceof PredictionTimedOut) return 'timeout';
  if (error instanceof ServingError) {
    return error.code === 'ThrottlingException' ? 'throttled' : 'unavailable';
  }
  return null;
}

function asServingError(error: unknown, variant: string, limitMs: number): unknown {
  if (error instanceof ServingError) return error;
  if (error instanceof PredictionFailed) return modelError(variant, 500, error.message);
  if (!(error instanceof PredictionTimedOut)) return error;
  // SageMaker reports a container that did not answer in its 60 s with the status 0 and 424. A limit
  // that the endpoint itself sets is the gateway's: 504.
  const slow = modelError(variant, 0, error.message);
  if (limitMs >= INVOCATION_TIMEOUT_MS) return slow;
  return new ServingError('ModelError', slow.message, { status: 504, details: slow.details });
}

function enter({ load }: Group): void {
  settleLoad(load);
  load.inFlight++;
  load.requests++;
}

function leave({ load }: Group): void {
  settleLoad(load);
  load.inFlight--;
}

/** Adds the time since the last change to the integral of requests in flight. */
export function settleLoad(load: Group['load']): void {
  const now = performance.now();
  load.inFlightMs += load.inFlight * (now - load.changedAt);
  load.changedAt = now;
}

/** Sends the answered request to the shadows and to the variant it is compared with. */
function copy(
  { entry, parts, settings }: Request,
  invocation: Invocation,
  groups: ReadonlyMap<string, Group>,
): void {
  const { record } = entry;
  const chance = parts.random ?? Math.random;
  for (const shadow of record.shadows ?? []) {
    if (chance() * 100 < shadow.samplingPercentage) {
      compareWith(invocation, shadow, groups, parts.metrics, shadow);
    }
  }
  const { compare } = settings;
  if (compare === null || compare.with === invocation.variant) return;
  if (chance() * 100 >= compare.samplingPercentage) return;
  const other = record.variants.find((item) => item.name === compare.with);
  const own = record.variants.find((item) => item.name === invocation.variant);
  if (other !== undefined && own !== undefined) {
    compareWith(invocation, other, groups, parts.metrics, own);
  }
}

/** Counts under `about`, which is the model in question: the shadow, or the candidate of a canary. */
function compareWith(
  invocation: Invocation,
  other: Variant | ShadowVariant,
  groups: ReadonlyMap<string, Group>,
  metrics: Metrics,
  about: Variant | ShadowVariant,
): void {
  const group = groups.get(other.name);
  if (group === undefined || group.load.inFlight >= MAX_SHADOW_QUEUE) return;
  const startedAt = performance.now();
  const base = {
    endpoint: invocation.endpoint,
    variant: about.name,
    version: about.model.version,
    otherLatencyMs: invocation.latencyMs,
  };
  enter(group);
  group.replicas
    .predict(invocation.texts)
    .then(
      (predictions) => {
        const agreed = predictions.filter(
          ({ label }, index) => label === invocation.predictions[index]?.label,
        ).length;
        const latencyMs = performance.now() - startedAt;
        metrics.compare({
          ...base,
          compared: predictions.length,
          agreed,
          latencyMs,
          failed: false,
        });
      },
      () => metrics.compare({ ...base, compared: 0, agreed: 0, latencyMs: 0, failed: true }),
    )
    .finally(() => leave(group));
}
