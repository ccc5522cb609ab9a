/** `ml:validate`: a Great Expectations suite over a dataset; a failed suite fails the task by default. */
import { readFile } from 'node:fs/promises';
import { isObject, type Json, type JsonObject, jsonBytes } from '../../lib/json.js';
import { datasetColumns, datasetRows } from '../../ml/data/dataset.js';
import { DataFailure } from '../../ml/data/data-failure.js';
import {
  RESULT_FORMATS,
  type ResultFormat,
  type ResultFormatName,
} from '../../ml/expectations/evaluator.js';
import { badSuite, parseSuite } from '../../ml/expectations/suite.js';
import {
  KNOWN_KWARGS,
  shortened,
  type Validation,
  validate,
} from '../../ml/expectations/validate.js';
import type { Handler, HandlerContext } from '../handler.js';
import { ADDRESS, type Address, asTask, locate, uriOf } from './ingest-support.js';

interface Parameters {
  readonly dataset: Address;
  readonly suite: string | JsonObject;
  readonly suiteParameters?: JsonObject;
  readonly resultFormat?: ResultFormatName | GxResultFormat;
  readonly onFailure?: 'fail' | 'report';
}

interface GxResultFormat {
  readonly result_format: ResultFormatName;
  readonly partial_unexpected_count?: number;
  readonly unexpected_index_column_names?: readonly string[];
}

/** A state's output holds 262,144 bytes; the report shares it with the rest of the state. */
const REPORT_BYTES_MAX = 128 * 1024;
/** AWS allows 32,768 characters of cause; a person reads far fewer. */
const CAUSE_ROWS_MAX = 5;
const CAUSE_EXPECTATIONS_MAX = 20;

export const validateHandler: Handler = {
  resource: 'ml:validate',
  description: 'Checks a dataset against a Great Expectations suite and reports as GX 1.x does.',
  onWorkerLost: 'rerun',
  parameters: {
    type: 'object',
    required: ['dataset', 'suite'],
    additionalProperties: false,
    properties: {
      dataset: ADDRESS,
      suite: { anyOf: [{ type: 'string', minLength: 1 }, { type: 'object' }] },
      suiteParameters: { type: 'object' },
      resultFormat: {
        anyOf: [
          { enum: [...RESULT_FORMATS] },
          {
            type: 'object',
            required: ['result_format'],
            additionalProperties: false,
            properties: {
              result_format: { enum: [...RESULT_FORMATS] },
              partial_unexpected_count: { type: 'integer', minimum: 0 },
              unexpected_index_column_names: { type: 'array', items: { type: 'string' } },
            },
          },
        ],
      },
      onFailure: { enum: ['fail', 'report'] },
    },
  },
  run: (parameters, context) => asTask(() => run(parameters as unknown as Parameters, context)),
};

async function run(parameters: Parameters, context: HandlerContext): Promise<JsonObject> {
  const suite = parseSuite(
    await suiteOf(parameters.suite, context),
    KNOWN_KWARGS,
    parameters.suiteParameters,
  );
  const stored = {
    path: await locate(parameters.dataset, context),
    address: uriOf(parameters.dataset),
  };
  const columns = [...columnsOf(parameters.dataset), ...(await datasetColumns(stored))];
  const dataset = { columns, rows: () => datasetRows(stored, context.signal) };
  const meta: JsonObject = { dataset: stored.address, execution: context.task.executionArn };
  const validation = await validate(suite, dataset, formatOf(parameters.resultFormat), meta);
  const report = Buffer.from(`${JSON.stringify(validation.report, null, 2)}\n`);
  const { uri } = await context.artifacts.put(report, { name: 'validation.json' });
  if (!validation.success && parameters.onFailure !== 'report') {
    throw new DataFailure(
      'DataQuality.ExpectationsFailed',
      causeOf(validation, suite.name, stored.address, uri),
    );
  }
  const { report: whole } = validation;
  const fits = jsonBytes(whole) <= REPORT_BYTES_MAX;
  return { ...(fits ? whole : shortened(whole)), rows: validation.rows, reportUri: uri };
}

async function suiteOf(suite: string | JsonObject, context: HandlerContext): Promise<Json> {
  if (typeof suite !== 'string') return suite;
  const path = await locate(suite, context);
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Json;
  } catch (error) {
    throw badSuite(`${suite}: ${(error as Error).message}.`);
  }
}

/** The result of `ml:ingest` knows its columns even when it has no rows. */
function columnsOf(dataset: Address): readonly string[] {
  const { columns } = dataset as { readonly columns?: unknown };
  if (!Array.isArray(columns)) return [];
  return (columns as readonly Json[]).flatMap((column) =>
    isObject(column) && typeof column.name === 'string' ? [column.name] : [],
  );
}

function formatOf(format: Parameters['resultFormat']): ResultFormat {
  const given = typeof format === 'object' ? format : { result_format: format ?? 'SUMMARY' };
  return {
    name: given.result_format,
    partial: given.partial_unexpected_count ?? 20,
    indexColumns: given.unexpected_index_column_names ?? null,
  };
}

/** JSON, so that a Catch can take it apart with States.StringToJson; `message` is for a person. */
function causeOf(
  validation: Validation,
  suite: string,
  dataset: string,
  reportUri: string,
): string {
  const { failed, rows } = validation;
  const shown = failed
    .slice(0, CAUSE_EXPECTATIONS_MAX)
    .map(({ type, kwargs, reason, offences }) => ({
      expectation: type,
      ...(kwargs.column === undefined ? {} : { column: kwargs.column }),
      reason,
      rows: offences.slice(0, CAUSE_ROWS_MAX).map(({ index, value }) => ({
        row: index + 1,
        value: short(value),
      })),
    }));
  const total = ((validation.report.statistics as JsonObject).evaluated_expectations ??
    0) as number;
  const message =
    `${failed.length} of ${total} expectations of suite "${suite}" failed on ${rows} rows of ${dataset}: ` +
    `${shown
      .map((item) => `${item.expectation}(${String(item.column ?? '')}): ${item.reason}`)
      .join('; ')
      .slice(0, 2_000)}`;
  return JSON.stringify({ message, failed: shown, rows, reportUri });
}

function short(value: Json): Json {
  const text = JSON.stringify(value);
  return text.length <= 200 ? value : `${text.slice(0, 200)}…`;
}
