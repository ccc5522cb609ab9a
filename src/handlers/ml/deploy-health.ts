/**
 * The health check of a deployment: the model predicts in a serving child of its own, which ends
 * whatever comes out. Agreement is with expected labels, else with the version in service.
 */
import type { JsonObject } from '../../lib/json.js';
import {
  type EndpointRecord,
  HEALTH_TEXTS,
  ProcessEnded,
  type ServedModel,
  type ServingProcess,
  startServingProcess,
} from '../../serving/index.js';
import { type HandlerContext, TaskFailure } from '../handler.js';

/** How a model is loaded for the check. */
export interface CheckOptions {
  /** Module that loads a classifier; see `ProcessOptions.loader`. */
  readonly loader?: string;
  readonly threads?: number;
  /** Sentences for health checks that name none. */
  readonly healthTexts?: readonly string[];
}

export interface HealthCheck {
  readonly texts?: readonly string[];
  /** The labels expected for the texts; without them the version served until now is asked. */
  readonly labels?: readonly string[];
  /** Share of texts on which the labels must agree, 0 to 1. */
  readonly minAgreement?: number;
  readonly maxLatencyMs?: number;
}

const LIVE_PREDICTIONS = 3;

export interface Checked {
  readonly predictions: JsonObject[];
  readonly health: JsonObject;
}

/** Loads the model in a child, lets it predict, and ends the child whatever comes out. */
export async function checkModel(
  model: ServedModel,
  check: HealthCheck,
  before: EndpointRecord | null,
  context: HandlerContext,
  options: CheckOptions,
): Promise<Checked> {
  const texts = check.texts ?? options.healthTexts ?? HEALTH_TEXTS;
  if (check.labels !== undefined && check.labels.length !== texts.length) {
    throw new TaskFailure(
      'ValidationException',
      'healthCheck.labels: give one label for each text.',
    );
  }
  context.progress(0, 2, `Loading ${model.name ?? model.uri} ${model.version ?? ''}`.trim());
  const child = await startedOrFailed(model, context, options);
  try {
    const startedAt = performance.now();
    const answers = await predicted(child, texts, context);
    const latencyMs = Math.round((performance.now() - startedAt) * 10) / 10;
    const expected =
      check.labels ?? (await labelsOfPredecessor(before, model, texts, context, options, check));
    const agreeing = answers.filter((answer, index) => answer.label === expected?.[index]).length;
    const agreement = expected === null ? null : agreeing / texts.length;
    const health: JsonObject = {
      healthy: true,
      checked: texts.length,
      loadMs: child.loadMs,
      latencyMs,
      labels: [...child.labels],
      agreement,
      agreedWith:
        expected === null ? null : check.labels === undefined ? 'previous version' : 'labels',
    };
    refuseUnhealthy(check, health);
    context.progress(2, 2, 'Health check passed', health);
    const predictions = answers.slice(0, LIVE_PREDICTIONS).map((answer, index) => ({
      text: texts[index] ?? '',
      label: answer.label,
      score: answer.score,
    }));
    return { predictions, health };
  } finally {
    await ended(child);
  }
}

async function startedOrFailed(
  model: ServedModel,
  context: HandlerContext,
  { loader, threads }: CheckOptions,
): Promise<ServingProcess> {
  try {
    return await startServingProcess({
      modelDir: model.path,
      signal: context.signal,
      ...(loader === undefined ? {} : { loader }),
      ...(threads === undefined ? {} : { threads }),
    });
  } catch (error) {
    if (!(error instanceof ProcessEnded)) throw error;
    throw new TaskFailure('Deployment.Unhealthy', `${model.uri}: ${error.message}`);
  }
}

async function predicted(child: ServingProcess, texts: readonly string[], context: HandlerContext) {
  try {
    return await child.predict(texts, { signal: context.signal });
  } catch (error) {
    context.signal.throwIfAborted();
    throw new TaskFailure('Deployment.Unhealthy', (error as Error).message);
  }
}

/** Labels that the version in service gives, when agreement with it is asked for and there is one. */
async function labelsOfPredecessor(
  before: EndpointRecord | null,
  model: ServedModel,
  texts: readonly string[],
  context: HandlerContext,
  options: CheckOptions,
  check: HealthCheck,
): Promise<readonly string[] | null> {
  const previous = before?.variants[0]?.model;
  if (check.minAgreement === undefined || previous === undefined || previous.uri === model.uri) {
    return null;
  }
  let child: ServingProcess;
  try {
    child = await startedOrFailed(previous, context, options);
  } catch (error) {
    context.signal.throwIfAborted();
    context.log.warn('The version in service cannot be asked', { reason: String(error) });
    return null;
  }
  try {
    return (await predicted(child, texts, context)).map((answer) => answer.label);
  } finally {
    await ended(child);
  }
}

function refuseUnhealthy(check: HealthCheck, health: JsonObject): void {
  const { minAgreement, maxLatencyMs } = check;
  if (minAgreement !== undefined && health.agreement !== null) {
    const agreement = health.agreement as number;
    if (agreement < minAgreement) {
      throw new TaskFailure(
        'Deployment.Unhealthy',
        `The labels agree with those of the ${String(health.agreedWith)} on ${agreement} of the texts; at least ${minAgreement} is required.`,
      );
    }
  }
  if (maxLatencyMs !== undefined && (health.latencyMs as number) > maxLatencyMs) {
    throw new TaskFailure(
      'Deployment.Unhealthy',
      `The predictions took ${String(health.latencyMs)} ms; at most ${maxLatencyMs} ms are allowed.`,
    );
  }
}

async function ended(child: ServingProcess): Promise<void> {
  child.kill();
  await child.ended;
}
