/** Reads the predictions an evaluation kept, for the handlers that judge them. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { isObject, type Json, type JsonObject } from '../../../lib/json.js';
import { type PredictionTable, readPredictions } from '../../../ml/metrics/predictions.js';
import { type HandlerContext, TaskFailure } from '../../handler.js';
import { type Address, locate, uriOf } from '../ingest-support.js';

/** An address of predictions, or the whole result of `ml:evaluate`. */
export const PREDICTIONS: JsonObject = {
  anyOf: [
    { type: 'string', minLength: 1 },
    { type: 'object', required: ['uri'] },
    { type: 'object', required: ['predictionsUri'] },
  ],
};

export type PredictionsAddress = Address | { readonly predictionsUri: string };

export function addressOf(given: PredictionsAddress): string {
  return typeof given === 'object' && 'predictionsUri' in given
    ? given.predictionsUri
    : uriOf(given);
}

export async function loadPredictions(
  given: PredictionsAddress,
  context: HandlerContext,
): Promise<PredictionTable> {
  const address = addressOf(given);
  const input = createReadStream(await locate(address, context), { signal: context.signal });
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  return await readPredictions(lines, address);
}

/** `metrics` of a report, and what else in it is a number by a flat name. */
export function metricsOf(report: Json | undefined): JsonObject {
  if (!isObject(report)) return {};
  return isObject(report.metrics) ? report.metrics : {};
}

export function invalid(reason: string): TaskFailure {
  return new TaskFailure('ValidationException', reason);
}
