/**
 * `bedrock:invokeModel`: a model's answer as JSON. Request and answer may lie in S3 (`Input.S3Uri`,
 * `Output.S3Uri`), for those that are larger than a state may hold.
 */
import { isObject, type Json, type JsonObject } from '../../lib/json.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import { object, text } from './jobs.js';
import { call } from './call.js';
import { callOptimised, type OptimisedOptions } from './optimised.js';
import { sdkFailure } from './sdk-integration.js';

export function createBedrockHandler(options: OptimisedOptions): Handler {
  return {
    resource: 'bedrock:invokeModel',
    description: 'Asks a model of Amazon Bedrock.',
    parameters: {},
    onWorkerLost: 'rerun',
    run: (parameters, context) => invoke(options, object(parameters), context),
  };
}

async function invoke(
  options: OptimisedOptions,
  parameters: JsonObject,
  context: HandlerContext,
): Promise<Json> {
  const { Input, Output, Body, ...rest } = parameters;
  const source = text(object(Input).S3Uri);
  const target = text(object(Output).S3Uri);
  const body = source === '' ? Body : (await s3(options, 'getObject', source, {}, context)).Body;
  const { output } = await callOptimised(
    options,
    'bedrock-runtime',
    'invokeModel',
    { ...rest, ...(body === undefined ? {} : { Body: asText(body) }) },
    context,
  );
  const ContentType = output.ContentType ?? 'application/json';
  if (target === '') return { Body: parsed(output.Body ?? ''), ContentType };
  await s3(options, 'putObject', target, { Body: output.Body ?? '', ContentType }, context);
  return { Output: { S3Uri: target }, ContentType };
}

function asText(body: Json): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}

function parsed(body: Json): Json {
  if (typeof body !== 'string') return body;
  try {
    return JSON.parse(body) as Json;
  } catch {
    return body;
  }
}

async function s3(
  { sdk, keysOf }: OptimisedOptions,
  action: string,
  uri: string,
  more: JsonObject,
  context: HandlerContext,
): Promise<JsonObject> {
  const match = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri);
  if (match === null) {
    throw new TaskFailure('States.Runtime', `"${uri}" is not of the form s3://bucket/key.`);
  }
  const parameters = { Bucket: match[1] as string, Key: match[2] as string, ...more };
  try {
    const keys = await keysOf(context);
    const order = { service: 's3', action, parameters, keys, form: { time: 'iso' } } as const;
    const { output } = await call(sdk, order, context);
    return isObject(output) ? output : {};
  } catch (error) {
    throw sdkFailure(error);
  }
}
