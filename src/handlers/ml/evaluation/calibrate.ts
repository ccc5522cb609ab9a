/**
 * `ml:calibrate`: fits a temperature on validation predictions and shows what it does to reliability.
 * Given the model it returns a copy that serves calibrated probabilities.
 */
import { randomUUID } from 'node:crypto';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject, type Json, type JsonObject } from '../../../lib/json.js';
import { calibration, logLoss, type Scores } from '../../../ml/metrics/probability.js';
import type { PredictionTable } from '../../../ml/metrics/predictions.js';
import { atTemperature, fitTemperature } from '../../../ml/metrics/temperature.js';
import type { Handler, HandlerContext } from '../../handler.js';
import { ADDRESS, type Address, asTask, locate } from '../ingest-support.js';
import { invalid, loadPredictions, PREDICTIONS, type PredictionsAddress } from './predictions.js';

interface Parameters {
  readonly predictions: PredictionsAddress;
  readonly test?: PredictionsAddress;
  readonly model?: Address;
  readonly bins?: number;
}

export const calibrateHandler: Handler = {
  resource: 'ml:calibrate',
  description: 'Fits a temperature on validation predictions; returns a calibrated model.',
  onWorkerLost: 'rerun',
  parameters: {
    type: 'object',
    required: ['predictions'],
    additionalProperties: false,
    properties: {
      predictions: PREDICTIONS,
      test: { ...PREDICTIONS, description: 'Held-out predictions, to see what it is worth.' },
      model: ADDRESS,
      bins: { type: 'integer', minimum: 2, maximum: 100 },
    },
  },
  run: (parameters, context) => asTask(() => run(parameters as unknown as Parameters, context)),
};

async function run(parameters: Parameters, context: HandlerContext): Promise<JsonObject> {
  const bins = parameters.bins ?? 10;
  const table = await loadPredictions(parameters.predictions, context);
  const temperature = fitTemperature(table.truth, scoresOf(table, 'predictions'));
  const compared = (of: PredictionTable, what: string): JsonObject => {
    const scores = scoresOf(of, what);
    return {
      rows: of.truth.length,
      before: reliability(of, scores, bins),
      after: reliability(of, atTemperature(scores, temperature), bins),
    };
  };
  const test =
    parameters.test === undefined ? null : await loadPredictions(parameters.test, context);
  return {
    temperature,
    validation: compared(table, 'predictions'),
    ...(test === null ? {} : { test: compared(test, 'test') }),
    ...(parameters.model === undefined
      ? {}
      : { model: await calibrated(parameters.model, temperature, context) }),
  };
}

function scoresOf({ scores }: PredictionTable, what: string): Scores {
  if (scores !== null) return scores;
  throw invalid(`${what}: the predictions carry no scores; evaluate the model again.`);
}

function reliability({ truth }: PredictionTable, scores: Scores, bins: number): JsonObject {
  const { error, bins: table } = calibration(truth, scores, bins);
  return {
    logLoss: logLoss(truth, scores),
    calibrationError: error,
    table: table as unknown as Json,
  };
}

/** The copy's config.json holds the temperature; on a calibrated model the two multiply. */
async function calibrated(
  model: Address,
  temperature: number,
  context: HandlerContext,
): Promise<Json> {
  const from = await locate(model, context);
  const folder = join(await context.scratch(), `calibrated-${randomUUID()}`);
  try {
    await cp(from, folder, { recursive: true });
    const path = join(folder, 'config.json');
    const config = JSON.parse(await readFile(path, 'utf8')) as Json;
    if (!isObject(config)) throw invalid('model: its config.json is no object.');
    const before =
      typeof config.stepwell_temperature === 'number' ? config.stepwell_temperature : 1;
    const changed = { ...config, stepwell_temperature: before * temperature };
    // A new file: the artifact's own is read-only, and so is its copy.
    await rm(path);
    await writeFile(path, `${JSON.stringify(changed, null, 2)}\n`);
    return { ...(await context.artifacts.putFolder(folder, { name: 'model' })) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
