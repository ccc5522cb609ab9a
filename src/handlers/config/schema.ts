/** The shape of `stepwell.config.json`. What a schema says badly (one of several keys) is in function-target.ts and load.ts. */
import { CONNECTION_SCHEMA } from '../http-invoke-connections.js';
import type { JsonObject } from '../../lib/json.js';

const text = { type: 'string', minLength: 1 };
const textMap = { type: 'object', additionalProperties: { type: 'string' } };

function closed(properties: JsonObject, required: readonly string[] = []): JsonObject {
  return { type: 'object', properties, required, additionalProperties: false };
}

/** Options of a function written as an object; a plain string is short for one of them. */
export const FUNCTION_SCHEMA: JsonObject = closed({
  handler: text,
  module: text,
  url: text,
  process: { type: 'array', items: { type: 'string' }, minItems: 1 },
  parameters: { type: 'object' },
  headers: textMap,
  environment: textMap,
  inherit: { type: 'array', items: text },
  cwd: text,
  contract: { enum: ['json', 'sagemaker'] },
  image: text,
  engine: text,
  graceSeconds: { type: 'number', minimum: 0, maximum: 600 },
  onWorkerLost: { enum: ['rerun', 'fail'] },
  description: { type: 'string' },
});

const SUBSCRIPTION_SCHEMA = closed(
  {
    protocol: { enum: ['log', 'file', 'http', 'https', 'email'] },
    path: text,
    endpoint: text,
    raw: { type: 'boolean' },
  },
  ['protocol'],
);

/** As `--resources` and `--concurrency` (workers/resource-globs.ts, cli/work.ts). */
const WORK_SCHEMA = closed({
  resources: {
    type: 'array',
    maxItems: 64,
    items: { type: 'string', maxLength: 512, pattern: '^!?[^\\s!]\\S*$' },
  },
  concurrency: { type: 'integer', minimum: 0, maximum: 10_000 },
});

const bound = { type: 'integer', minimum: 1 };
const LIMITS_CHOICE = {
  anyOf: [
    { enum: ['aws', 'extended'] },
    closed({
      payloadBytes: { ...bound, minimum: 262_144 },
      historyEvents: { ...bound, minimum: 25_000 },
    }),
  ],
};

export const CONFIG_SCHEMA: JsonObject = closed({
  retention: closed({
    days: { type: ['number', 'null'], exclusiveMinimum: 0 },
    count: { type: ['integer', 'null'], minimum: 0 },
    bytes: { type: ['integer', 'null'], minimum: 1 },
  }),
  limits: {
    anyOf: [
      { enum: ['aws', 'extended'] },
      closed({
        payloadBytes: { ...bound, minimum: 262_144 },
        historyEvents: { ...bound, minimum: 25_000 },
        machines: { type: 'object', additionalProperties: LIMITS_CHOICE },
        payloads: text,
      }),
    ],
  },
  $schema: { type: 'string' },
  functions: { type: 'object', additionalProperties: { type: ['string', 'object'] } },
  topics: {
    type: 'object',
    additionalProperties: closed({
      subscriptions: { type: 'array', items: SUBSCRIPTION_SCHEMA },
      signatureVersion: { enum: ['1', '2'] },
    }),
  },
  smtp: closed(
    {
      host: text,
      port: { type: 'integer', minimum: 1, maximum: 65_535 },
      secure: { type: 'boolean' },
      user: text,
      password: text,
      from: text,
    },
    ['host'],
  ),
  sns: closed({ signingCertUrl: text, unsubscribeUrl: text }),
  secrets: {
    type: 'object',
    additionalProperties: { ...closed({ env: text, file: text }), minProperties: 1 },
  },
  s3: closed({
    endpoint: text,
    region: text,
    forcePathStyle: { type: 'boolean' },
    accessKeyId: text,
    secretAccessKey: text,
  }),
  egress: closed({
    allow: { type: 'array', items: text },
    maxResponseBytes: { type: 'integer', minimum: 1 },
    timeoutMs: { type: 'integer', minimum: 1 },
  }),
  files: closed({ roots: { type: 'array', items: text, minItems: 1 } }),
  artifacts: text,
  aws: closed({ region: text, endpoint: text, accountId: text }),
  kubernetes: closed({
    kubeconfig: text,
    context: text,
    namespace: text,
    clusters: textMap,
    tasks: { type: 'object', additionalProperties: { type: 'object', required: ['spec'] } },
  }),
  connections: { type: 'object', additionalProperties: CONNECTION_SCHEMA },
  cache: closed({ handlers: { type: 'array', items: text } }),
  serve: WORK_SCHEMA,
  worker: WORK_SCHEMA,
  lineage: closed({ openLineageUrl: text, namespace: text }),
  sagemaker: closed({
    trainingDefaults: { type: 'object' },
    endpointDefaults: { type: 'object' },
    trainingImages: { type: 'object', additionalProperties: text },
  }),
});
