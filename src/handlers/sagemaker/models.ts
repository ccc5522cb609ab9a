/** `sagemaker:createModel` done here: a name for the files of a model, or for what the execution trained. */
import { isArray, isObject, type JsonObject } from '../../lib/json.js';
import type { HandlerContext } from '../handler.js';
import { Findings, notFound } from './errors.js';
import { recorded } from './named.js';
import { type SageMakerOptions, sagemakerArn } from './options.js';

export async function createModel(
  parameters: JsonObject,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const findings = new Findings(context);
  findings.name('ModelName', parameters.ModelName);
  if (parameters.ExecutionRoleArn !== undefined) {
    findings.roleArn('ExecutionRoleArn', parameters.ExecutionRoleArn);
  }
  findings.raise();
  const name = parameters.ModelName as string;
  const uri = modelUri(parameters) ?? (await lastModel(context, options))?.uri;
  if (typeof uri !== 'string') {
    findings.missing('PrimaryContainer.ModelDataUrl');
    findings.raise();
  }
  const record = { request: parameters, uri: uri as string };
  return { ModelArn: await recorded('models', name, record, { context, options }) };
}

function modelUri(parameters: JsonObject): string | null {
  const containers = isArray(parameters.Containers) ? parameters.Containers : [];
  const container = isObject(parameters.PrimaryContainer)
    ? parameters.PrimaryContainer
    : containers[0];
  const url = isObject(container) ? container.ModelDataUrl : undefined;
  return typeof url === 'string' ? url : null;
}

async function lastModel(
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject | null> {
  const { model } = await options.workspaces.recall(context.task);
  return isObject(model) ? model : null;
}

/** Of a model that `createModel` made. */
export async function modelRecord(
  name: string,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const record = await options.records.get('models', name);
  if (record !== null) return record;
  throw notFound('model', sagemakerArn(context, `model/${name.toLowerCase()}`), context);
}
