/** `ml:evaluate`: a model on a labelled dataset, measured in a child process; the gate reads `$.metrics`. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Json, JsonObject } from '../../lib/json.js';
import { fileBytes } from '../../ml/data/bytes.js';
import { DataFailure } from '../../ml/data/data-failure.js';
import { defaultClassifierModule } from '../../ml/child-job.js';
import { runEvaluation } from '../../ml/metrics/evaluate.js';
import { gate } from '../../ml/metrics/evaluation.js';
import type { Handler, HandlerContext } from '../handler.js';
import { ADDRESS, type Address, asTask, locate, uriOf } from './ingest-support.js';

export interface EvaluateOptions {
  /** URL of a module with `loadClassifier`; default: our own encoder. */
  readonly classifierModule?: string;
}

interface Parameters {
  readonly model: Address;
  readonly dataset: Address;
  readonly textColumn?: string;
  readonly labelColumn?: string;
  /** Columns written beside each prediction, for slices and fairness. */
  readonly keepColumns?: readonly string[];
  readonly batchSize?: number;
  readonly threads?: number;
  readonly latencySamples?: number;
  readonly minimum?: { readonly [metric: string]: number };
  readonly maximum?: { readonly [metric: string]: number };
  readonly onGateFailure?: 'report' | 'fail';
}

const column: Json = { type: 'string', minLength: 1 };
const bounds: Json = { type: 'object', additionalProperties: { type: 'number' } };

const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['model', 'dataset'],
  additionalProperties: false,
  properties: {
    model: ADDRESS,
    dataset: ADDRESS,
    textColumn: column,
    labelColumn: column,
    keepColumns: { type: 'array', items: column, maxItems: 32, uniqueItems: true },
    batchSize: { type: 'integer', minimum: 1, maximum: 1024 },
    threads: { type: 'integer', minimum: 1, maximum: 256 },
    latencySamples: { type: 'integer', minimum: 0, maximum: 10_000 },
    minimum: bounds,
    maximum: bounds,
    onGateFailure: { enum: ['report', 'fail'] },
  },
};

export function evaluateHandler(options: EvaluateOptions = {}): Handler {
  return {
    resource: 'ml:evaluate',
    description: 'Measures a model on a labelled dataset: accuracy, F1, calibration, latency.',
    onWorkerLost: 'rerun',
    parameters: PARAMETERS,
    run: (parameters, context) =>
      asTask(() => run(parameters as unknown as Parameters, context, options)),
  };
}

async function run(
  parameters: Parameters,
  context: HandlerContext,
  options: EvaluateOptions,
): Promise<JsonObject> {
  const predictionsPath = join(await context.scratch(), `predictions-${randomUUID()}.jsonl`);
  const job = {
    classifierModule: options.classifierModule ?? defaultClassifierModule(),
    modelPath: await locate(parameters.model, context),
    model: uriOf(parameters.model),
    address: uriOf(parameters.dataset),
    datasetPath: await locate(parameters.dataset, context),
    textColumn: parameters.textColumn ?? 'text',
    labelColumn: parameters.labelColumn ?? 'label',
    keepColumns: parameters.keepColumns ?? [],
    batchSize: parameters.batchSize ?? 16,
    threads: parameters.threads ?? null,
    latencySamples: parameters.latencySamples ?? 100,
    predictionsPath,
  };
  try {
    const report = await runEvaluation(job, {
      signal: context.signal,
      onProgress: (done, total, note) =>
        context.progress(done, total, note ?? `${done} of ${total} rows evaluated`),
    });
    const predictions = await context.artifacts.put(fileBytes(predictionsPath, context.signal), {
      name: 'predictions.jsonl',
    });
    return gated({ ...report, predictionsUri: predictions.uri }, parameters);
  } finally {
    await rm(predictionsPath, { force: true });
  }
}

function gated(report: JsonObject, parameters: Parameters): JsonObject {
  const { minimum, maximum, onGateFailure } = parameters;
  if (minimum === undefined && maximum === undefined) return report;
  const result = gate(report.metrics as JsonObject, minimum ?? {}, maximum ?? {});
  if (!result.passed && onGateFailure === 'fail') {
    const missed = result.clauses
      .filter((clause) => !clause.passed)
      .map(
        ({ metric, comparator, bound, value }) =>
          `${metric} ${value} is not ${comparator} ${bound}`,
      );
    throw new DataFailure('Evaluation.BelowMinimum', `${missed.join('; ')}.`);
  }
  return { ...report, gate: JSON.parse(JSON.stringify(result)) as JsonObject };
}
