/**
 * `ml:select-for-labeling` picks the live rows that are worth a person's time and writes them as a
 * labelling manifest (JSON lines as SageMaker Ground Truth reads them). `ml:collect-feedback` makes a
 * dataset of the rows whose labels have come back, with the rows of an earlier dataset before them.
 */
import { getOwn, type Json, type JsonObject } from '../../../lib/json.js';
import { sha256 } from '../../../lib/digest.js';
import { datasetRows } from '../../../ml/data/dataset.js';
import { selectRows, uncertainty, type Uncertainty } from '../../../ml/monitor/active-learning.js';
import { capturedRows, labelledRows } from '../../../serving/index.js';
import { type Handler, type HandlerContext, TaskFailure } from '../../handler.js';
import { ADDRESS, type Address, locate, uriOf } from '../ingest-support.js';
import {
  askModel,
  type MonitorOptions,
  NAME,
  plain,
  servedBy,
  text,
  WINDOW,
  type Window,
  windowOf,
} from './parts.js';

interface SelectParameters extends Window {
  readonly endpoint: string;
  readonly count: number;
  readonly method?: Uncertainty;
  readonly diversity?: boolean;
  readonly maxRows?: number;
}

interface CollectParameters extends Window {
  readonly endpoint: string;
  readonly textColumn?: string;
  readonly labelColumn?: string;
  readonly append?: Address;
  readonly repeat?: number;
  /** Share of the fresh rows that nobody may train on: what old and new model are compared by. */
  readonly holdoutShare?: number;
}

/** Rows that the model is asked about; the newest. */
const MAX_ASKED = 5000;

export function feedbackDataHandlers(options: MonitorOptions): Handler[] {
  return [
    {
      resource: 'ml:select-for-labeling',
      description: 'Picks live rows worth labelling: uncertain ones, spread out (active learning).',
      onWorkerLost: 'rerun',
      parameters: {
        type: 'object',
        required: ['endpoint', 'count'],
        additionalProperties: false,
        properties: {
          endpoint: NAME,
          count: { type: 'integer', minimum: 1, maximum: 10_000 },
          method: { enum: ['leastConfidence', 'margin', 'entropy'] },
          diversity: { type: 'boolean' },
          maxRows: { type: 'integer', minimum: 1, maximum: MAX_ASKED },
          ...WINDOW,
        },
      },
      run: (parameters, context) =>
        select(parameters as unknown as SelectParameters, context, options),
    },
    {
      resource: 'ml:collect-feedback',
      description: 'Makes a dataset of the live rows whose labels have come back.',
      onWorkerLost: 'rerun',
      parameters: {
        type: 'object',
        required: ['endpoint'],
        additionalProperties: false,
        properties: {
          endpoint: NAME,
          textColumn: text,
          labelColumn: text,
          append: ADDRESS,
          repeat: { type: 'integer', minimum: 1, maximum: 100 },
          holdoutShare: { type: 'number', minimum: 0, maximum: 0.9 },
          ...WINDOW,
        },
      },
      run: (parameters, context) =>
        collect(parameters as unknown as CollectParameters, context, options),
    },
  ];
}

async function select(
  parameters: SelectParameters,
  context: HandlerContext,
  options: MonitorOptions,
): Promise<Json> {
  const { endpoint, count, method = 'margin', diversity = true, maxRows = MAX_ASKED } = parameters;
  await options.live.settle();
  const window = windowOf(parameters, (options.now ?? Date.now)());
  const { rows: labelled } = await labelledRows(options.home, endpoint, window);
  const known = new Set(labelled.map((row) => row.text));
  const captured = await capturedRows(options.home, endpoint, { ...window, limit: maxRows });
  // The same text asked a hundred times is worth one label, and a labelled one none.
  const rows = [
    ...new Map(
      captured.filter((row) => !known.has(row.text)).map((row) => [row.text, row]),
    ).values(),
  ];
  const model = await servedBy(options, endpoint);
  const asked =
    rows.length === 0
      ? { predictions: [], vectors: null }
      : await askModel(
          model.path,
          rows.map((row) => row.text),
          context,
          { ...options, vectors: diversity, predictions: true },
        );
  const candidates = asked.predictions.map(({ scores }, index) => ({
    uncertainty: uncertainty(scores, method),
    vector: asked.vectors?.[index] ?? null,
  }));
  const chosen = selectRows(candidates, count, { diversity });
  const lines = chosen.map((index) => {
    const row = rows[index];
    const prediction = asked.predictions[index];
    return {
      source: row?.text ?? '',
      inferenceId: row?.id ?? '',
      prediction: prediction?.label ?? '',
      uncertainty: candidates[index]?.uncertainty ?? 0,
    };
  });
  const manifest = await stored(lines, 'manifest.jsonl', context);
  return plain({
    ...manifest,
    selected: lines.length,
    candidates: rows.length,
    method,
    diversity: diversity && asked.vectors !== null,
    preview: lines.slice(0, 5),
  });
}

async function collect(
  parameters: CollectParameters,
  context: HandlerContext,
  options: MonitorOptions,
): Promise<Json> {
  const { endpoint, textColumn = 'text', labelColumn = 'label', repeat = 1 } = parameters;
  await options.live.settle();
  const window = windowOf(parameters, (options.now ?? Date.now)());
  const { rows } = await labelledRows(options.home, endpoint, window);
  // In the order of the texts, so that the same labels are the same dataset whenever they came.
  const byText = rows.map((row) => [row.text, row.label] as const);
  const latest = new Map([...new Map(byText)].sort(([a], [b]) => (a < b ? -1 : 1)));
  const rowOf = ([words, label]: readonly [string, string]): JsonObject => ({
    [textColumn]: words,
    [labelColumn]: label,
  });
  const { holdoutShare = 0 } = parameters;
  const isHeldOut = (words: string): boolean => shareOf(words) < holdoutShare;
  const heldOut = [...latest].filter(([words]) => isHeldOut(words)).map(rowOf);
  const fresh = [...latest].filter(([words]) => !isHeldOut(words)).map(rowOf);
  const before = parameters.append === undefined ? [] : await rowsOf(parameters.append, context);
  // A text that has a new label keeps only that one, and one that is held out stays out.
  const kept = before.flatMap((row) => {
    const words = getOwn(row, textColumn);
    const label = getOwn(row, labelColumn);
    if (typeof words !== 'string' || label === undefined || latest.has(words)) return [];
    return [{ [textColumn]: words, [labelColumn]: label }];
  });
  if (latest.size === 0) {
    throw new TaskFailure(
      'Feedback.None',
      `No labels have come back for endpoint ${endpoint} in this window.`,
    );
  }
  const all = [...kept, ...Array.from({ length: repeat }, () => fresh).flat()];
  const dataset = await stored(all, 'feedback.jsonl', context);
  const holdout =
    heldOut.length === 0
      ? null
      : { ...(await stored(heldOut, 'holdout.jsonl', context)), rows: heldOut.length };
  return plain({
    ...dataset,
    rows: all.length,
    fromFeedback: fresh.length,
    fromBefore: kept.length,
    holdout,
  });
}

/** A number in [0, 1) that is the text's own: the same text is always on the same side. */
function shareOf(words: string): number {
  return Number.parseInt(sha256(words).slice(0, 8), 16) / 2 ** 32;
}

async function rowsOf(address: Address, context: HandlerContext): Promise<JsonObject[]> {
  const path = await locate(address, context);
  const rows: JsonObject[] = [];
  for await (const batch of datasetRows({ path, address: uriOf(address) }, context.signal)) {
    rows.push(...(batch as readonly JsonObject[]));
  }
  return rows;
}

async function stored(
  rows: readonly object[],
  name: string,
  context: HandlerContext,
): Promise<JsonObject> {
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  return { ...(await context.artifacts.put(Buffer.from(text, 'utf8'), { name })) };
}
