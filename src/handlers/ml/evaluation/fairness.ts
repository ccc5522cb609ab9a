/** `ml:fairness`: whether the predictions of an evaluation treat groups of rows alike. */
import { fromEntries, type Json, type JsonObject } from '../../../lib/json.js';
import { type Fairness, fairness } from '../../../ml/metrics/fairness.js';
import { groupsBy, sampleOf } from '../../../ml/metrics/predictions.js';
import { qualityMetrics } from '../../../ml/metrics/quality.js';
import type { Handler, HandlerContext } from '../../handler.js';
import { asTask } from '../ingest-support.js';
import { invalid, loadPredictions, PREDICTIONS, type PredictionsAddress } from './predictions.js';

interface Parameters {
  readonly predictions: PredictionsAddress;
  readonly sensitive: readonly (string | readonly string[])[];
  readonly favourable: string | readonly string[];
  readonly minimumRows?: number;
}

const column: Json = { type: 'string', minLength: 1 };
const columns: Json = { type: 'array', items: column, minItems: 1, maxItems: 8 };
const DEFAULT_MINIMUM_ROWS = 30;

export const fairnessHandler: Handler = {
  resource: 'ml:fairness',
  description: 'Compares groups of rows: parity, equal opportunity, equalized odds, four-fifths.',
  onWorkerLost: 'rerun',
  parameters: {
    type: 'object',
    required: ['predictions', 'sensitive', 'favourable'],
    additionalProperties: false,
    properties: {
      predictions: PREDICTIONS,
      sensitive: {
        type: 'array',
        minItems: 1,
        maxItems: 32,
        items: { anyOf: [column, columns] },
        description: 'Kept columns; an inner array makes intersectional groups.',
      },
      favourable: { anyOf: [column, columns] },
      minimumRows: { type: 'integer', minimum: 1 },
    },
  },
  run: (parameters, context) => asTask(() => run(parameters as unknown as Parameters, context)),
};

async function run(parameters: Parameters, context: HandlerContext): Promise<JsonObject> {
  const table = await loadPredictions(parameters.predictions, context);
  const favourable = [parameters.favourable].flat() as readonly string[];
  const unknown = favourable.find((label) => !table.labels.includes(label));
  if (unknown !== undefined) {
    throw invalid(`favourable: "${unknown}" is none of the labels: ${table.labels.join(', ')}.`);
  }
  const minimumRows = parameters.minimumRows ?? DEFAULT_MINIMUM_ROWS;
  const findings = parameters.sensitive.map((given) =>
    fairness(table, { columns: [given].flat() as string[], favourable, minimumRows }),
  );
  const slices = findings.flatMap(({ columns: by }) =>
    [...groupsBy(table, by)].map(([group, rows]) => ({
      columns: by,
      group,
      rows: rows.length,
      metrics: qualityMetrics(sampleOf(table, rows)),
    })),
  );
  const report = { favourable, minimumRows, findings, slices };
  const bytes = Buffer.from(`${JSON.stringify(report, null, 2)}\n`);
  const { uri } = await context.artifacts.put(bytes, { name: 'fairness.json' });
  return {
    favourable,
    minimumRows,
    findings: findings as unknown as Json,
    metrics: fromEntries(findings.flatMap(flat)),
    warnings: findings.flatMap((finding) => finding.warnings),
    note: noteOf(findings),
    reportUri: uri,
  };
}

const MEASURES = [
  'demographicParityDifference',
  'demographicParityRatio',
  'equalOpportunityDifference',
  'equalizedOddsDifference',
  'equalizedOddsRatio',
  'accuracyDifference',
] as const;

/** `channel.demographicParityRatio`: what a clause of a gate names. */
function flat(finding: Fairness): readonly (readonly [string, Json])[] {
  const by = finding.columns.join('&');
  return MEASURES.map((measure) => [`${by}.${measure}`, finding[measure]] as const);
}

function noteOf(findings: readonly Fairness[]): string {
  const tested = findings.filter((finding) => finding.pValue !== null).length;
  if (tested < 2) return 'One comparison was made.';
  return `${tested} comparisons were made: hold each p-value against alpha / ${tested} (Bonferroni).`;
}
