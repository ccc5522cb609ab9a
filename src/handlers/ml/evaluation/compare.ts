/** `ml:compare`: two evaluations on the same rows, by McNemar's test and the paired bootstrap. */
import type { Json, JsonObject } from '../../../lib/json.js';
import {
  type Bootstrap,
  mcNemarOf,
  pairedBootstrap,
  requirePairs,
} from '../../../ml/metrics/comparison.js';
import { isLowerBetter, isQualityMetric, QUALITY_METRICS } from '../../../ml/metrics/quality.js';
import type { Handler, HandlerContext } from '../../handler.js';
import { asTask } from '../ingest-support.js';
import { invalid, loadPredictions, PREDICTIONS, type PredictionsAddress } from './predictions.js';

interface Parameters {
  readonly baseline: PredictionsAddress;
  readonly candidate: PredictionsAddress;
  readonly metrics?: readonly string[];
  readonly resamples?: number;
  readonly seed?: number;
  readonly confidence?: number;
}

export const DEFAULT_RESAMPLES = 2_000;
export const DEFAULT_SEED = 42;

export const compareHandler: Handler = {
  resource: 'ml:compare',
  description: 'Compares two models on the same rows: paired bootstrap and McNemar.',
  onWorkerLost: 'rerun',
  parameters: {
    type: 'object',
    required: ['baseline', 'candidate'],
    additionalProperties: false,
    properties: {
      baseline: PREDICTIONS,
      candidate: PREDICTIONS,
      metrics: { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 20 },
      resamples: { type: 'integer', minimum: 100, maximum: 100_000 },
      seed: { type: 'integer' },
      confidence: { type: 'number', exclusiveMinimum: 0.5, exclusiveMaximum: 1 },
    },
  },
  run: (parameters, context) => asTask(() => run(parameters as unknown as Parameters, context)),
};

async function run(parameters: Parameters, context: HandlerContext): Promise<JsonObject> {
  const baseline = await loadPredictions(parameters.baseline, context);
  const candidate = await loadPredictions(parameters.candidate, context);
  const metrics = parameters.metrics ?? ['accuracy', 'f1Macro'];
  const unknown = metrics.find((metric) => !isQualityMetric(metric));
  if (unknown !== undefined) {
    throw invalid(`metrics: "${unknown}" is unknown. Known: ${QUALITY_METRICS.join(', ')}.`);
  }
  requirePairs(baseline, candidate);
  const confidence = parameters.confidence ?? 0.95;
  const compared: JsonObject[] = [];
  for (const metric of metrics) {
    context.progress(compared.length, metrics.length, `bootstrap of ${metric}`);
    const options = {
      metric,
      resamples: parameters.resamples ?? DEFAULT_RESAMPLES,
      seed: parameters.seed ?? DEFAULT_SEED,
      confidence,
    };
    const found = await pairedBootstrap(baseline, candidate, options, context.signal);
    compared.push({ ...(found as unknown as JsonObject), verdict: verdictOf(found) });
  }
  return {
    rows: baseline.texts.length,
    confidence,
    mcNemar: mcNemarOf(baseline, candidate) as unknown as Json,
    metrics: compared,
  };
}

/** By the interval: a difference is one only where zero lies outside it. */
function verdictOf({ metric, interval }: Bootstrap): string {
  if (interval === null) return 'undefined';
  const [better, worse] = isLowerBetter(metric) ? ['worse', 'better'] : ['better', 'worse'];
  if (interval.low > 0) return better as string;
  return interval.high < 0 ? (worse as string) : 'no significant difference';
}
