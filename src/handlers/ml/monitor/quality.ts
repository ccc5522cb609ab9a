/**
 * `ml:monitor-quality`: how good the live answers were, by the labels that have come back so far, and
 * whether what is right has changed (concept drift). Few labels are UNKNOWN, never OK. Late labels
 * change the past: asked again, the same window may answer otherwise.
 */
import type { Json } from '../../../lib/json.js';
import {
  accuracy,
  averages,
  confusionMatrix,
  perClass,
} from '../../../ml/metrics/classification.js';
import {
  conceptDrift,
  type DdmOptions,
  type PageHinkleyOptions,
} from '../../../ml/monitor/concept-drift.js';
import { type LabelledRow, labelledRows } from '../../../serving/index.js';
import type { Handler, HandlerContext } from '../../handler.js';
import { type MonitorOptions, NAME, plain, WINDOW, type Window, windowOf } from './parts.js';

interface Parameters extends Window {
  readonly endpoint: string;
  readonly variant?: string;
  readonly minLabels?: number;
  readonly minimumAccuracy?: number;
  readonly baselineAccuracy?: number;
  readonly maxDrop?: number;
  readonly ddm?: DdmOptions;
  readonly pageHinkley?: PageHinkleyOptions;
}

const MIN_LABELS = 30;
const share: Json = { type: 'number', minimum: 0, maximum: 1 };

export function qualityHandler(options: MonitorOptions): Handler {
  return {
    resource: 'ml:monitor-quality',
    description: 'Measures live answers by the labels that came back: accuracy, F1, concept drift.',
    onWorkerLost: 'rerun',
    parameters: {
      type: 'object',
      required: ['endpoint'],
      additionalProperties: false,
      properties: {
        endpoint: NAME,
        variant: NAME,
        minLabels: { type: 'integer', minimum: 1 },
        minimumAccuracy: share,
        baselineAccuracy: share,
        maxDrop: share,
        ddm: { type: 'object' },
        pageHinkley: { type: 'object' },
        ...WINDOW,
      },
    },
    run: (parameters, context) => run(parameters as unknown as Parameters, context, options),
  };
}

async function run(
  parameters: Parameters,
  context: HandlerContext,
  options: MonitorOptions,
): Promise<Json> {
  const { endpoint, minLabels = MIN_LABELS, variant } = parameters;
  await options.live.settle();
  const window = windowOf(parameters, (options.now ?? Date.now)());
  const { rows, captured } = await labelledRows(options.home, endpoint, {
    ...window,
    ...(variant === undefined ? {} : { variant }),
  });
  const base = {
    endpoint,
    captured,
    labelled: rows.length,
    coverage: captured === 0 ? 0 : rows.length / captured,
  };
  if (rows.length < minLabels) {
    const reason = `${rows.length} labels have come back; ${minLabels} are needed to judge.`;
    return plain({
      ...base,
      state: 'UNKNOWN',
      reason,
      degraded: false,
      accuracy: null,
      concept: null,
    });
  }
  const scores = scoresOf(rows);
  const errors = rows.map((row) => (row.label === row.predicted ? 0 : 1));
  const concept = conceptDrift(errors, {
    ...(parameters.ddm === undefined ? {} : { ddm: parameters.ddm }),
    ...(parameters.pageHinkley === undefined ? {} : { pageHinkley: parameters.pageHinkley }),
  });
  const floor = floorOf(parameters);
  const reasons = [
    ...(scores.accuracy < floor
      ? [`accuracy ${scores.accuracy.toFixed(4)} is below ${floor.toFixed(4)}`]
      : []),
    ...(concept.drift ? ['the errors have risen (concept drift)'] : []),
  ];
  context.progress(1, 1, reasons.join('; ') || `accuracy ${scores.accuracy.toFixed(4)}`);
  return plain({
    ...base,
    ...scores,
    state: reasons.length > 0 ? 'DEGRADED' : 'OK',
    degraded: reasons.length > 0,
    reason: reasons.join('; ') || 'as good as before',
    concept,
  });
}

function floorOf({ minimumAccuracy = 0, baselineAccuracy, maxDrop = 0.05 }: Parameters): number {
  return Math.max(minimumAccuracy, baselineAccuracy === undefined ? 0 : baselineAccuracy - maxDrop);
}

function scoresOf(rows: readonly LabelledRow[]) {
  const labels = [...new Set(rows.flatMap((row) => [row.label, row.predicted]))].sort();
  const place = new Map(labels.map((label, index) => [label, index]));
  const matrix = confusionMatrix(
    rows.map((row) => place.get(row.label) as number),
    rows.map((row) => place.get(row.predicted) as number),
    labels.length,
  );
  return {
    accuracy: accuracy(matrix),
    averages: averages(matrix),
    perLabel: Object.fromEntries(perClass(matrix).map((score, index) => [labels[index], score])),
    confusionMatrix: matrix,
    labels,
  };
}
