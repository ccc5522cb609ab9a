/** The objects inside a Map state: processor, reader, batcher and writer. */
import type { JsonObject } from '../../../lib/json.js';
import {
  anything,
  atMostOne,
  integer,
  oneOfValues,
  path,
  type Schema,
  scope,
  text,
} from './common.js';

/** AWS: the most items a reader takes from a data set. */
const MAX_ITEMS = 100_000_000;
/** AWS: the most input of one batch. */
const MAX_BATCH_BYTES = 262_144;
/** AWS: what reads and writes data sets. `${…}` stands for a partition or a whole ARN. */
const READER =
  '^(arn:[^:]*:states:[^:]*:[^:]*:s3:(getObject|listObjectsV2)$|file:(read|list)$|.*\\$\\{)';
const WRITER = '^(arn:[^:]*:states:[^:]*:[^:]*:s3:putObject$|file:write$|.*\\$\\{)';

function resource(pattern: string): Schema {
  return {
    type: 'string',
    pattern,
    'x-message': "The field 'Resource' does not match any of the allowed values",
  };
}

const BATCH_LIMITS = [
  'MaxItemsPerBatch',
  'MaxItemsPerBatchPath',
  'MaxInputBytesPerBatch',
  'MaxInputBytesPerBatchPath',
] as const;

export const mapDefinitions: JsonObject = {
  processor: {
    type: 'object',
    properties: {
      ...scope,
      ProcessorConfig: {
        type: 'object',
        properties: {
          Mode: oneOfValues('INLINE', 'DISTRIBUTED'),
          ExecutionType: oneOfValues('STANDARD', 'EXPRESS'),
        },
        additionalProperties: false,
      },
    },
    required: ['States', 'StartAt'],
    additionalProperties: false,
  },
  reader: {
    type: 'object',
    properties: {
      Resource: resource(READER),
      Parameters: { type: 'object' },
      Arguments: anything,
      ReaderConfig: {
        type: 'object',
        properties: {
          InputType: oneOfValues('CSV', 'JSON', 'JSONL', 'PARQUET', 'MANIFEST'),
          Transformation: oneOfValues('NONE', 'LOAD_AND_FLATTEN'),
          ManifestType: oneOfValues('ATHENA_DATA', 'S3_INVENTORY'),
          CSVDelimiter: oneOfValues('COMMA', 'PIPE', 'SEMICOLON', 'SPACE', 'TAB'),
          CSVHeaderLocation: oneOfValues('FIRST_ROW', 'GIVEN'),
          CSVHeaders: { type: 'array', items: text },
          ItemsPointer: text,
          MaxItems: integer(0, MAX_ITEMS),
          MaxItemsPath: path,
        },
        additionalProperties: false,
        allOf: [
          ...atMostOne('MaxItems', 'MaxItemsPath'),
          {
            if: {
              required: ['CSVHeaderLocation'],
              properties: { CSVHeaderLocation: { const: 'GIVEN' } },
            },
            // biome-ignore lint/suspicious/noThenProperty: the JSON Schema keyword
            then: { required: ['CSVHeaders'] },
          },
        ],
      },
    },
    required: ['Resource'],
    additionalProperties: false,
  },
  batcher: {
    type: 'object',
    properties: {
      MaxItemsPerBatch: integer(0),
      MaxItemsPerBatchPath: path,
      MaxInputBytesPerBatch: integer(0, MAX_BATCH_BYTES),
      MaxInputBytesPerBatchPath: path,
      BatchInput: anything,
    },
    additionalProperties: false,
    allOf: [
      {
        anyOf: BATCH_LIMITS.map((field) => ({ required: [field] })),
        'x-message': `This object should have at least one of the following fields: [${BATCH_LIMITS.join(', ')}]`,
      },
      ...atMostOne('MaxItemsPerBatch', 'MaxItemsPerBatchPath'),
      ...atMostOne('MaxInputBytesPerBatch', 'MaxInputBytesPerBatchPath'),
    ],
  },
  writer: {
    type: 'object',
    properties: {
      Resource: resource(WRITER),
      Parameters: { type: 'object' },
      Arguments: anything,
      WriterConfig: {
        type: 'object',
        properties: {
          Transformation: oneOfValues('NONE', 'COMPACT', 'FLATTEN'),
          OutputType: oneOfValues('JSON', 'JSONL'),
        },
        required: ['Transformation', 'OutputType'],
        additionalProperties: false,
      },
    },
    additionalProperties: false,
    minProperties: 1,
  },
};
