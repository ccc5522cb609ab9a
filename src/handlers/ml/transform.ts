/**
 * `ml:transform`: fits declarative preprocessing on a dataset, or applies what was fitted before. The
 * fitted transform is an artifact; `ml:fine-tune` saves it with the model, so serving does the same.
 */
import { readFile } from 'node:fs/promises';
import type { Json, JsonObject } from '../../lib/json.js';
import { DataFailure, reasonOf } from '../../ml/data/data-failure.js';
import { datasetRows } from '../../ml/data/dataset.js';
import type { Row } from '../../ml/data/record.js';
import { readTransform } from '../../ml/transform/saved.js';
import {
  applyTransform,
  fitTransform,
  type Step,
  type Transform,
} from '../../ml/transform/steps.js';
import type { Handler, HandlerContext } from '../handler.js';
import { ADDRESS, type Address, asTask, locate, uriOf } from './ingest-support.js';

interface Parameters {
  readonly dataset: Address;
  readonly steps?: readonly Step[];
  readonly transform?: Address;
}

const text: Json = { type: 'string', minLength: 1 };
const flag: Json = { type: 'boolean' };

function step(name: string, properties: JsonObject, required: readonly string[]): JsonObject {
  return {
    type: 'object',
    required: ['step', ...required],
    additionalProperties: false,
    properties: { step: { const: name }, ...properties },
  };
}

const STEPS: readonly JsonObject[] = [
  step('select', { columns: { type: 'array', items: text, minItems: 1 } }, ['columns']),
  step('cast', { column: text, to: { enum: ['number', 'text', 'boolean'] } }, ['column', 'to']),
  step(
    'impute',
    {
      column: text,
      strategy: { enum: ['mean', 'median', 'mostFrequent', 'constant'] },
      value: { type: ['string', 'number', 'boolean'] },
    },
    ['column', 'strategy'],
  ),
  step('scale', { column: text, method: { enum: ['standard', 'minMax', 'robust'] } }, ['column']),
  step(
    'oneHot',
    {
      column: text,
      onUnknown: { enum: ['zeros', 'fail'] },
      maxCategories: { type: 'integer', minimum: 1, maximum: 1_000 },
    },
    ['column'],
  ),
  step('ordinal', { column: text, onUnknown: { enum: ['minusOne', 'fail'] } }, ['column']),
  step(
    'normaliseText',
    {
      column: text,
      trim: flag,
      collapseWhitespace: flag,
      lowercase: flag,
      unicode: { enum: ['NFC', 'NFKC', false] },
    },
    ['column'],
  ),
];

export const transformHandler: Handler = {
  resource: 'ml:transform',
  description: 'Fits declarative preprocessing on a dataset, or applies what was fitted before.',
  onWorkerLost: 'rerun',
  parameters: {
    type: 'object',
    required: ['dataset'],
    additionalProperties: false,
    properties: {
      dataset: ADDRESS,
      steps: { type: 'array', minItems: 1, maxItems: 200, items: { anyOf: [...STEPS] } },
      transform: { ...ADDRESS, description: 'One fitted before; then "steps" is left out.' },
    },
    oneOf: [{ required: ['steps'] }, { required: ['transform'] }],
  },
  run: (parameters, context) => asTask(() => run(parameters as unknown as Parameters, context)),
};

const ROWS_MAX = 500_000;

async function run(parameters: Parameters, context: HandlerContext): Promise<JsonObject> {
  const rows = await rowsOf(parameters.dataset, context);
  const { transform, rows: made } =
    parameters.transform === undefined
      ? fitTransform(parameters.steps ?? [], rows)
      : await applied(parameters.transform, rows, context);
  const lines = made.map((row) => `${JSON.stringify(row)}\n`).join('');
  const dataset = await context.artifacts.put(Buffer.from(lines), { name: 'transformed.jsonl' });
  const saved = Buffer.from(`${JSON.stringify(transform, null, 2)}\n`);
  const { uri } = await context.artifacts.put(saved, { name: 'transform.json' });
  return {
    uri: dataset.uri,
    sha256: dataset.sha256,
    rows: made.length,
    columns: Object.keys(made[0] ?? {}).map((name) => ({ name })),
    transform: { uri },
  };
}

async function rowsOf(dataset: Address, context: HandlerContext): Promise<readonly Row[]> {
  const path = await locate(dataset, context);
  const rows: Row[] = [];
  for await (const batch of datasetRows({ path, address: uriOf(dataset) }, context.signal)) {
    rows.push(...batch);
    if (rows.length > ROWS_MAX) {
      throw new DataFailure(
        'Transform.TooManyRows',
        `more than ${ROWS_MAX} rows: set limit in ml:ingest.`,
      );
    }
    context.progress(rows.length, 0, `${rows.length} rows read`);
  }
  return rows;
}

async function applied(
  address: Address,
  rows: readonly Row[],
  context: HandlerContext,
): Promise<{ readonly transform: Transform; readonly rows: readonly Row[] }> {
  const transform = await loadTransform(address, context);
  return { transform, rows: rows.map((row) => applyTransform(transform, row)) };
}

export async function loadTransform(address: Address, context: HandlerContext): Promise<Transform> {
  const path = await locate(address, context);
  try {
    return readTransform(await readFile(path, 'utf8'), uriOf(address));
  } catch (error) {
    throw new DataFailure('Transform.BadTransform', reasonOf(error));
  }
}
