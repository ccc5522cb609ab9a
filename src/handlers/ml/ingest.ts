/** `ml:ingest`: rows of a file, an HTTP API, S3 or Postgres as one content-addressed dataset. */
import type { Json, JsonObject } from '../../lib/json.js';
import { CASTS } from '../../ml/data/columns.js';
import { accessDenied, notFound } from '../../ml/data/data-failure.js';
import { FORMATS } from '../../ml/data/formats.js';
import { type IngestParameters, type IngestResult, ingest } from '../../ml/data/ingest.js';
import type { S3Settings } from '../../ml/data/source-s3.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import { asTask } from './ingest-support.js';

export interface IngestOptions {
  /** Endpoints, region and credentials the operator allows; parameters cannot widen them. */
  readonly s3?: S3Settings;
}

export function ingestHandler(options: IngestOptions = {}): Handler {
  return {
    resource: 'ml:ingest',
    description:
      'Reads rows from a file, HTTP, S3 or Postgres into a content-addressed JSON Lines dataset.',
    parameters: PARAMETERS,
    onWorkerLost: 'rerun',
    run: (parameters, context) =>
      asTask(async () => {
        const world = worldOf(context, options);
        const result = await ingest(parameters as unknown as IngestParameters, world);
        warnOfBadRows(result, context);
        return result;
      }),
  };
}

/** Rows that `onBadRow: "skip"` left out are said aloud: nobody should train on less than he thinks. */
function warnOfBadRows({ badRows }: IngestResult, context: HandlerContext): void {
  const first = badRows?.first[0];
  if (badRows === undefined || first === undefined) return;
  const rows = badRows.count === 1 ? '1 broken row was' : `${badRows.count} broken rows were`;
  context.log.warn(`${rows} skipped; the first is line ${first.line}: ${first.problem}`);
}

function worldOf(context: HandlerContext, options: IngestOptions) {
  return {
    signal: context.signal,
    fetch: context.fetch,
    s3: options.s3 ?? {},
    secret: (name: string) => context.secret(name),
    readable: (path: string) => readable(path, context),
    scratch: () => context.scratch(),
    put: (bytes: AsyncIterable<Uint8Array>) =>
      context.artifacts.put(bytes, { name: 'dataset.jsonl' }),
    progress: (rows: number) => context.progress(rows, 0, `${rows} rows read`),
  };
}

/** A missing or closed file is a data source like another: one name to catch, the guard's own words. */
async function readable(path: string, context: HandlerContext): Promise<string> {
  try {
    return await context.files.resolveReadable(path);
  } catch (error) {
    if (!(error instanceof TaskFailure)) throw error;
    if (error.error.endsWith('.NotFound')) throw notFound(error.reason);
    if (error.error.endsWith('.Refused')) throw accessDenied(error.reason);
    throw error;
  }
}

const text: Json = { type: 'string', minLength: 1 };
const strings: Json = { type: 'array', items: { type: 'string' } };
const stringMap: Json = { type: 'object', additionalProperties: { type: 'string' } };

const FORMAT_PROPERTIES: JsonObject = {
  format: { enum: [...FORMATS] },
  rowsAt: text,
  csv: {
    type: 'object',
    additionalProperties: false,
    properties: {
      delimiter: text,
      quote: { type: 'string', maxLength: 1 },
      header: { type: 'boolean' },
      columns: { ...strings, minItems: 1, uniqueItems: true },
      nullValues: strings,
      encoding: text,
    },
  },
};

/** `if`/`then`, not `oneOf`: the message then speaks of the source that was meant. */
function source(type: string, required: readonly string[], properties: JsonObject): JsonObject {
  return {
    if: { type: 'object', required: ['type'], properties: { type: { const: type } } },
    // biome-ignore lint/suspicious/noThenProperty: a JSON Schema keyword
    then: {
      type: 'object',
      required: [...required],
      additionalProperties: false,
      properties: { type: { const: type }, ...properties },
    },
  };
}

const S3_CREDENTIALS: Json = {
  anyOf: [
    { const: 'anonymous' },
    {
      type: 'object',
      required: ['accessKeyId', 'secretAccessKey'],
      additionalProperties: false,
      properties: { accessKeyId: text, secretAccessKey: text, sessionToken: text },
    },
  ],
};

const SOURCES: readonly JsonObject[] = [
  source('file', ['path'], { path: text, ...FORMAT_PROPERTIES }),
  source('http', ['url'], {
    url: text,
    method: { enum: ['GET', 'POST'] },
    headers: stringMap,
    body: { type: ['string', 'object'] },
    ...FORMAT_PROPERTIES,
  }),
  source('s3', ['uri'], {
    uri: { type: 'string', pattern: '^s3://[^/]+/.+' },
    endpoint: text,
    region: text,
    forcePathStyle: { type: 'boolean' },
    versionId: text,
    credentials: S3_CREDENTIALS,
    ...FORMAT_PROPERTIES,
  }),
  source('postgres', ['connection', 'query'], {
    connection: text,
    query: text,
    parameters: { type: 'array' },
    statementTimeoutSeconds: { type: 'number', exclusiveMinimum: 0 },
  }),
];

const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['source'],
  additionalProperties: false,
  properties: {
    source: {
      type: 'object',
      required: ['type'],
      properties: { type: { enum: ['file', 'http', 's3', 'postgres'] } },
      allOf: SOURCES,
    },
    columns: { anyOf: [{ ...(strings as JsonObject), minItems: 1, uniqueItems: true }, stringMap] },
    types: {
      anyOf: [
        { enum: ['infer', 'strings'] },
        { type: 'object', additionalProperties: { enum: [...CASTS] } },
      ],
    },
    limit: { type: 'integer', minimum: 1 },
    onBadRow: { enum: ['fail', 'skip'] },
    maxBadRows: { type: 'integer', minimum: 0 },
    idleTimeoutSeconds: { type: 'number', exclusiveMinimum: 0 },
  },
};
