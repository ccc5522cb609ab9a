/**
 * `ml:baseline` and `ml:monitor`: what data looked like when the model was judged, and whether a window
 * of live requests still looks like it. Both write the files of SageMaker Model Monitor
 * (statistics.json, constraints.json, constraint_violations.json) beside the drift report.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getOwn, isObject, type Json, type JsonObject } from '../../../lib/json.js';
import { datasetRows } from '../../../ml/data/dataset.js';
import { checkConstraints, suggestConstraints } from '../../../ml/monitor/constraints.js';
import {
  type DriftBaseline,
  driftBaseline,
  type DriftOptions,
  driftReport,
  type Observation,
} from '../../../ml/monitor/drift.js';
import {
  type ColumnStatistics,
  describeColumns,
  statisticsFile,
} from '../../../ml/monitor/statistics.js';
import { textFeatures } from '../../../ml/monitor/text-features.js';
import { capturedRows } from '../../../serving/index.js';
import { type Handler, type HandlerContext, TaskFailure } from '../../handler.js';
import { ADDRESS, type Address, locate, uriOf } from '../ingest-support.js';
import {
  askModel,
  type MonitorOptions,
  NAME,
  observationOf,
  plain,
  servedBy,
  text,
  WINDOW,
  type Window,
  windowOf,
} from './parts.js';

interface BaselineParameters {
  readonly dataset: Address;
  readonly model?: Address;
  readonly textColumn?: string;
  readonly columns?: readonly string[];
  readonly maxRows?: number;
  readonly embeddings?: boolean;
}

interface MonitorParameters extends Window {
  readonly endpoint: string;
  readonly baseline: Address;
  readonly variant?: string;
  readonly minRows?: number;
  readonly maxRows?: number;
  readonly drift?: DriftOptions;
}

/** Rows that a baseline keeps: enough for the tests, small enough for every window to read. */
const MAX_BASELINE_ROWS = 2000;
/** Rows of one window that are looked at; the newest. */
const MAX_WINDOW_ROWS = 5000;
/** Fewer rows cannot tell drift from chance. */
const MIN_ROWS = 50;

const share: Json = { type: 'number', exclusiveMinimum: 0 };
const DRIFT: Json = {
  type: 'object',
  additionalProperties: false,
  properties: {
    alpha: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
    psiThreshold: share,
    ksThreshold: share,
    shiftRatio: share,
    permutations: { type: 'integer', minimum: 99, maximum: 100_000 },
    seed: { type: 'integer' },
  },
};

export function baselineHandlers(options: MonitorOptions): Handler[] {
  return [
    {
      resource: 'ml:baseline',
      description:
        'Keeps what data looks like (statistics, constraints, sample) to compare with later.',
      onWorkerLost: 'rerun',
      parameters: {
        type: 'object',
        required: ['dataset'],
        additionalProperties: false,
        properties: {
          dataset: ADDRESS,
          model: ADDRESS,
          textColumn: text,
          columns: { type: 'array', items: text, maxItems: 500 },
          maxRows: { type: 'integer', minimum: 20, maximum: MAX_BASELINE_ROWS * 10 },
          embeddings: { type: 'boolean' },
        },
      },
      run: (parameters, context) =>
        makeBaseline(parameters as unknown as BaselineParameters, context, options),
    },
    {
      resource: 'ml:monitor',
      description: 'Compares a window of captured requests with a baseline: drift and violations.',
      onWorkerLost: 'rerun',
      parameters: {
        type: 'object',
        required: ['endpoint', 'baseline'],
        additionalProperties: false,
        properties: {
          endpoint: NAME,
          baseline: ADDRESS,
          variant: NAME,
          minRows: { type: 'integer', minimum: 1 },
          maxRows: { type: 'integer', minimum: 20, maximum: 200_000 },
          drift: DRIFT,
          ...WINDOW,
        },
      },
      run: (parameters, context) =>
        monitor(parameters as unknown as MonitorParameters, context, options),
    },
  ];
}

async function makeBaseline(
  parameters: BaselineParameters,
  context: HandlerContext,
  options: MonitorOptions,
): Promise<Json> {
  const { textColumn = 'text', maxRows = MAX_BASELINE_ROWS, embeddings = true } = parameters;
  const rows = spread(await rowsOf(parameters, context), maxRows);
  const texts = rows.map((row) => getOwn(row, textColumn));
  if (texts.some((value) => typeof value !== 'string')) {
    throw new TaskFailure(
      'ValidationException',
      `dataset: "${textColumn}" is not a text in every row.`,
    );
  }
  const asked =
    parameters.model === undefined
      ? null
      : await askModel(await locate(parameters.model, context), texts as string[], context, {
          ...options,
          vectors: embeddings,
          predictions: true,
        });
  const observations = rows.map(
    (row, index): Observation => ({
      text: texts[index] as string,
      prediction: asked?.predictions[index]?.label ?? null,
      score: asked?.predictions[index]?.score ?? null,
      vector: asked?.vectors?.[index] ?? null,
      columns: Object.fromEntries(
        (parameters.columns ?? []).map((name) => [name, getOwn(row, name) ?? null]),
      ),
    }),
  );
  const baseline = driftBaseline(observations);
  const columns = describe(observations, new Set(baseline.vocabulary));
  const written = await put(context, 'baseline', {
    'statistics.json': statisticsFile(columns, rows.length),
    'constraints.json': suggestConstraints(columns),
    'reference.json': plain(baseline),
  });
  context.log.info(`Baseline of ${rows.length} rows`, { uri: written });
  return {
    uri: written,
    rows: rows.length,
    referenceRows: baseline.reference.length,
    features: columns.map((column) => column.name),
  };
}

/** Taken evenly over all rows: the first ones may be from one day. */
function spread<T>(rows: readonly T[], most: number): T[] {
  const step = Math.max(1, rows.length / most);
  return rows.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
}

async function rowsOf(
  { dataset }: BaselineParameters,
  context: HandlerContext,
): Promise<JsonObject[]> {
  const path = await locate(dataset, context);
  const rows: JsonObject[] = [];
  for await (const batch of datasetRows({ path, address: uriOf(dataset) }, context.signal)) {
    rows.push(...(batch as readonly JsonObject[]));
  }
  if (rows.length >= 20) return rows;
  throw new TaskFailure('ValidationException', 'dataset: a baseline needs at least 20 rows.');
}

/** The columns of the Model Monitor files: what is measured of each request and its answer. */
function describe(
  observations: readonly Observation[],
  vocabulary: ReadonlySet<string>,
): ColumnStatistics[] {
  const rows = observations.map((row): JsonObject => {
    const features = row.text === null ? null : textFeatures(row.text, vocabulary);
    return {
      text: row.text,
      ...(features === null
        ? {}
        : { 'text.length': features.length, 'text.words': features.words }),
      prediction: row.prediction,
      'prediction.score': row.score,
      ...row.columns,
    };
  });
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const used = names.filter((name) => rows.some((row) => (getOwn(row, name) ?? null) !== null));
  return describeColumns(rows, used);
}

async function monitor(
  parameters: MonitorParameters,
  context: HandlerContext,
  options: MonitorOptions,
): Promise<Json> {
  const { endpoint, minRows = MIN_ROWS, maxRows = MAX_WINDOW_ROWS } = parameters;
  const now = (options.now ?? Date.now)();
  await options.live.settle();
  const window = windowOf(parameters, now);
  const variant = parameters.variant === undefined ? {} : { variant: parameters.variant };
  const rows = await capturedRows(options.home, endpoint, {
    ...window,
    ...variant,
    limit: maxRows,
  });
  const shown = {
    endpoint,
    from: new Date(window.from).toISOString(),
    to: new Date(window.to).toISOString(),
    rows: rows.length,
  };
  if (rows.length < minRows) {
    context.log.warn(`Endpoint ${endpoint}: ${rows.length} captured rows are too few to judge`);
    return {
      ...shown,
      state: 'INSUFFICIENT_DATA',
      drifted: false,
      driftedFeatures: [],
      violations: [],
    };
  }
  const folder = await locate(parameters.baseline, context);
  const baseline = (await jsonOf(folder, 'reference.json')) as unknown as DriftBaseline;
  const vectors = baseline.reference.some((row) => row.vector !== null)
    ? (
        await askModel(
          (
            await servedBy(options, endpoint)
          ).path,
          rows.map((row) => row.text),
          context,
          { ...options, vectors: true, predictions: false },
        )
      ).vectors
    : null;
  const current = rows.map((row, index) => observationOf(row, vectors?.[index] ?? null));
  const report = driftReport(baseline, current, parameters.drift);
  const vocabulary = new Set(baseline.vocabulary);
  const columns = describe(current, vocabulary);
  const violations = checkConstraints(
    await jsonOf(folder, 'constraints.json'),
    describe(baseline.reference, vocabulary),
    columns,
  );
  const uri = await put(context, 'monitoring', {
    'statistics.json': statisticsFile(columns, rows.length),
    'constraint_violations.json': { violations: violations.map(plain) },
    'drift.json': plain(report),
  });
  const state = report.drifted ? 'DRIFT' : 'OK';
  context.progress(
    1,
    1,
    report.drifted ? `drift in ${report.driftedFeatures.join(', ')}` : 'no drift',
  );
  return { ...shown, state, ...plain(report), violations: violations.map(plain), uri };
}

async function put(
  context: HandlerContext,
  name: string,
  files: Readonly<Record<string, JsonObject>>,
): Promise<string> {
  const folder = join(await context.scratch(), name);
  await mkdir(folder, { recursive: true });
  for (const [file, content] of Object.entries(files)) {
    await writeFile(join(folder, file), `${JSON.stringify(content, null, 2)}\n`);
  }
  return (await context.artifacts.putFolder(folder, { name })).uri;
}

async function jsonOf(folder: string, name: string): Promise<JsonObject> {
  const value = JSON.parse(await readFile(join(folder, name), 'utf8')) as Json;
  if (isObject(value)) return value;
  throw new TaskFailure('ValidationException', `baseline: ${name} holds no object.`);
}
