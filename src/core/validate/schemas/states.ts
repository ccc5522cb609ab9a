/**
 * One schema per state type, after the field matrix of the Amazon States Language and AWS's own
 * answers (8 types by 50 fields, measured). `schemas/<type>.json` is written from these objects.
 */
import {
  anything,
  assign,
  atMostOne,
  catchers,
  exactlyOne,
  inputOutput,
  integer,
  leave,
  MAX_SECONDS,
  name,
  oneOfValues,
  parameters,
  path,
  retriers,
  type Schema,
  scope,
  stateSchema,
  text,
  transition,
} from './common.js';
import { choiceDefinitions } from './choice.js';
import { mapDefinitions } from './map.js';

const recovery = { Retry: retriers, Catch: catchers } as const;

export const task = stateSchema('Task', {
  properties: {
    ...leave,
    ...inputOutput,
    ...assign,
    ...parameters,
    ...recovery,
    ResultSelector: { type: 'object' },
    Arguments: anything,
    Resource: text,
    Credentials: { type: 'object' },
    TimeoutSeconds: integer(1, MAX_SECONDS),
    TimeoutSecondsPath: path,
    HeartbeatSeconds: integer(1, MAX_SECONDS),
    HeartbeatSecondsPath: path,
  },
  required: ['Resource'],
  rules: [
    ...transition,
    ...atMostOne('TimeoutSeconds', 'TimeoutSecondsPath'),
    ...atMostOne('HeartbeatSeconds', 'HeartbeatSecondsPath'),
  ],
});

export const pass = stateSchema('Pass', {
  properties: { ...leave, ...inputOutput, ...assign, ...parameters, Result: anything },
  rules: transition,
});

export const wait = stateSchema('Wait', {
  properties: {
    ...leave,
    ...inputOutput,
    ...assign,
    Seconds: integer(0, MAX_SECONDS),
    SecondsPath: path,
    Timestamp: text,
    TimestampPath: path,
  },
  rules: [...transition, ...exactlyOne('SecondsPath', 'Seconds', 'TimestampPath', 'Timestamp')],
});

export const choice = stateSchema('Choice', {
  properties: {
    ...inputOutput,
    ...assign,
    Choices: { type: 'array', minItems: 1, items: { $ref: '#/$defs/rule' } },
    Default: name,
  },
  required: ['Choices'],
  definitions: choiceDefinitions,
});

export const succeed = stateSchema('Succeed', { properties: inputOutput });

export const fail = stateSchema('Fail', {
  properties: { Error: text, ErrorPath: path, Cause: text, CausePath: path },
  rules: [...atMostOne('Error', 'ErrorPath'), ...atMostOne('Cause', 'CausePath')],
});

export const parallel = stateSchema('Parallel', {
  properties: {
    ...leave,
    ...inputOutput,
    ...assign,
    ...parameters,
    ...recovery,
    ResultSelector: { type: 'object' },
    Arguments: anything,
    Branches: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        properties: scope,
        required: ['States', 'StartAt'],
        additionalProperties: false,
      },
    },
  },
  required: ['Branches'],
  rules: transition,
});

export const map = stateSchema('Map', {
  properties: {
    ...leave,
    ...inputOutput,
    ...assign,
    ...parameters,
    ...recovery,
    ResultSelector: { type: 'object' },
    ItemProcessor: { $ref: '#/$defs/processor' },
    Iterator: { $ref: '#/$defs/processor' },
    Items: anything,
    ItemsPath: path,
    ItemSelector: anything,
    ItemReader: { $ref: '#/$defs/reader' },
    ItemBatcher: { $ref: '#/$defs/batcher' },
    ResultWriter: { $ref: '#/$defs/writer' },
    MaxConcurrency: integer(0),
    MaxConcurrencyPath: path,
    ToleratedFailureCount: integer(0),
    ToleratedFailureCountPath: path,
    ToleratedFailurePercentage: {
      type: ['number', 'string'],
      minimum: 0,
      maximum: 100,
      pattern: '^\\{%',
    },
    ToleratedFailurePercentagePath: path,
    Label: text,
  },
  rules: [
    ...transition,
    ...exactlyOne('ItemProcessor', 'Iterator'),
    ...atMostOne('ItemSelector', 'Parameters'),
    ...atMostOne('MaxConcurrency', 'MaxConcurrencyPath'),
    ...atMostOne('ToleratedFailureCount', 'ToleratedFailureCountPath'),
    ...atMostOne('ToleratedFailurePercentage', 'ToleratedFailurePercentagePath'),
  ],
  definitions: mapDefinitions,
});

export const machine: Schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'State machine',
  type: 'object',
  properties: {
    ...scope,
    Version: oneOfValues('1.0'),
    QueryLanguage: oneOfValues('JSONPath', 'JSONata'),
    // Measured on AWS: 0 is accepted here.
    TimeoutSeconds: { type: 'integer', minimum: 0, maximum: MAX_SECONDS },
  },
  required: ['States', 'StartAt'],
  additionalProperties: false,
};
