/**
 * `ml:deploy`: a model version behind an endpoint. A serving child loads the model and must pass the
 * health check; only then is the endpoint's record switched, in one step. The child ends with the
 * task; the serving process, if one runs, follows the record and takes the new version up by itself.
 */
import type { Json, JsonObject } from '../../lib/json.js';
import { type ModelVersion, type Registry, type Stage, STAGES } from '../../ml/registry/index.js';
import {
  DEFAULT_VARIANT,
  type EndpointRecord,
  type Endpoints,
  type EndpointSwitch,
  MAX_INSTANCES,
  type PartialSettings,
  type ServedModel,
  type Variant,
} from '../../serving/index.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import { asRegistryTask, authorOf } from './register.js';
import { type Checked, type CheckOptions, checkModel, type HealthCheck } from './deploy-health.js';
import { locate } from './ingest-support.js';

export interface DeployOptions extends CheckOptions {
  readonly registry: Registry;
  readonly endpoints: Endpoints;
}

/** A model by its registry name, or by its address alone. */
export interface ModelChoice {
  readonly name?: string;
  readonly version?: string;
  readonly stage?: Stage;
  readonly alias?: string;
  readonly uri?: string;
}

export interface DeployRequest {
  readonly endpoint: string;
  readonly variants: readonly {
    readonly name: string;
    readonly weight: number;
    readonly instanceCount: number;
    readonly model: ModelChoice;
  }[];
  readonly healthCheck?: HealthCheck;
  /** Records the first variant's version as Production in the registry once it serves. */
  readonly promote?: boolean;
  readonly reason?: string;
  readonly configName?: string;
  /** Data capture, limits, batching; absent: as they are. */
  readonly settings?: PartialSettings;
}

interface Parameters {
  readonly endpoint: string;
  readonly model: ModelChoice;
  readonly instanceCount?: number;
  readonly variantName?: string;
  readonly healthCheck?: HealthCheck;
  readonly stage?: 'Production';
  readonly promote?: boolean;
  readonly reason?: string;
  readonly settings?: PartialSettings;
}

export function deployHandler(options: DeployOptions): Handler {
  return {
    resource: 'ml:deploy',
    description: 'Checks a model with real predictions, then switches an endpoint to it.',
    onWorkerLost: 'rerun',
    parameters: PARAMETERS,
    run: (parameters, context) =>
      runDeploy(requestOf(parameters as unknown as Parameters), context, options),
  };
}

const text: Json = { type: 'string', minLength: 1 };
/** A model by its registry name, or by its address alone. */
export const MODEL_CHOICE: Json = {
  type: 'object',
  properties: {
    name: text,
    version: text,
    stage: { enum: [...STAGES] },
    alias: text,
    uri: text,
  },
};
const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['endpoint', 'model'],
  additionalProperties: false,
  properties: {
    endpoint: { type: 'string', pattern: '^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$' },
    model: MODEL_CHOICE,
    instanceCount: { type: 'integer', minimum: 1, maximum: MAX_INSTANCES },
    variantName: { type: 'string', pattern: '^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$' },
    healthCheck: {
      type: 'object',
      additionalProperties: false,
      properties: {
        texts: { type: 'array', items: text, minItems: 1, maxItems: 1000 },
        labels: { type: 'array', items: text, minItems: 1, maxItems: 1000 },
        minAgreement: { type: 'number', minimum: 0, maximum: 1 },
        maxLatencyMs: { type: 'number', exclusiveMinimum: 0 },
      },
    },
    stage: { const: 'Production' },
    promote: { type: 'boolean' },
    reason: { type: 'string', maxLength: 1000 },
    settings: { type: 'object' },
  },
};

function requestOf(parameters: Parameters): DeployRequest {
  const { endpoint, model, healthCheck, reason, settings } = parameters;
  const variant = {
    name: parameters.variantName ?? DEFAULT_VARIANT,
    weight: 1,
    instanceCount: parameters.instanceCount ?? 1,
    model,
  };
  return {
    endpoint,
    variants: [variant],
    promote: parameters.promote === true || parameters.stage === 'Production',
    ...(healthCheck === undefined ? {} : { healthCheck }),
    ...(reason === undefined ? {} : { reason }),
    ...(settings === undefined ? {} : { settings }),
  };
}

/** The work itself, which SageMaker's createEndpoint does too. */
export async function runDeploy(
  request: DeployRequest,
  context: HandlerContext,
  options: DeployOptions,
): Promise<JsonObject> {
  const { registry, endpoints } = options;
  const chosen = [];
  for (const variant of request.variants) {
    chosen.push({
      ...variant,
      served: await candidateModel(variant.model, context, registry),
    });
  }
  if (chosen.length === 0) throw new TaskFailure('ValidationException', 'variants: none is given.');
  const before = await endpoints.get(request.endpoint);
  const checks: Checked[] = [];
  for (const { served } of chosen) {
    checks.push(await checkModel(served, request.healthCheck ?? {}, before, context, options));
  }
  context.signal.throwIfAborted();
  const author = {
    who: authorOf(context),
    why: request.reason ?? `State ${context.task.stateName}`,
  };
  const record = await endpoints.switchTo(request.endpoint, {
    ...author,
    variants: chosen.map(
      ({ name, weight, instanceCount, served }): Variant => ({
        name,
        weight,
        instanceCount,
        model: served,
      }),
    ),
    key: context.idempotencyKey,
    check: refuseDuringRollout,
    ...(request.configName === undefined ? {} : { configName: request.configName }),
    ...(request.settings === undefined ? {} : { settings: request.settings }),
    arn: endpointArn(context, request.endpoint),
  });
  // A re-run may have resolved another version than the attempt that switched: the record decides.
  const { model } = stepOf(record, context.idempotencyKey).variants[0] as Variant;
  const stage = await promoted(model, request, registry, author);
  context.log.info(`Endpoint ${record.name} serves ${model.name ?? model.uri}`, {
    version: model.version,
    revision: record.revision,
  });
  return {
    endpoint: record.name,
    endpointArn: record.arn,
    model: model.name,
    version: model.version,
    uri: model.uri,
    stage,
    status: record.status,
    revision: record.revision,
    previousVersion: previousVersion(record, context.idempotencyKey),
    predictions: checks[0]?.predictions ?? [],
    health: checks[0]?.health ?? {},
  };
}

/** A switch in the middle of a rollout would leave it watching models that no longer serve. */
function refuseDuringRollout(current: EndpointRecord | null): void {
  const open = current?.rollout ?? null;
  if (open === null) return;
  throw new TaskFailure(
    'Rollout.InProgress',
    `Rollout ${open.id} has held the endpoint since ${open.startedAt}: let it end or roll it back (stepwell endpoints rollback).`,
  );
}

function stepOf(record: EndpointRecord, key: string): EndpointSwitch {
  return (
    record.history.find((step) => step.key === key) ?? (record.history.at(-1) as EndpointSwitch)
  );
}

/** From the record's own history, so that a re-run after the switch answers the same. */
function previousVersion(record: EndpointRecord, key: string): string | null {
  const at = record.history.findIndex((step) => step.key === key);
  return record.history[at - 1]?.variants[0]?.model.version ?? null;
}

async function chosenVersion(
  { name, version, stage, alias, uri }: ModelChoice,
  registry: Registry,
): Promise<ModelVersion | null> {
  if (name === undefined) {
    if (uri !== undefined) return null;
    throw new TaskFailure('ValidationException', 'model: give {"name", "version"} or {"uri"}.');
  }
  const found = await registry.get(name, {
    ...(version === undefined ? {} : { version }),
    ...(stage === undefined ? {} : { stage }),
    ...(alias === undefined ? {} : { alias }),
  });
  if (uri === undefined || uri === found.uri) return found;
  throw new TaskFailure(
    'ValidationException',
    `model.uri: ${uri} is not that of ${found.name} ${found.version}, ${found.uri}.`,
  );
}

/** The model as an endpoint serves it, with where it lies on this machine. */
export async function candidateModel(
  choice: ModelChoice,
  context: HandlerContext,
  registry: Registry,
): Promise<ServedModel> {
  const version = await asRegistryTask(() => chosenVersion(choice, registry));
  return servedModel(choice, version, context);
}

async function servedModel(
  model: ModelChoice,
  version: ModelVersion | null,
  context: HandlerContext,
): Promise<ServedModel> {
  const uri = version?.uri ?? (model.uri as string);
  const path = await locate(uri, context);
  return { name: version?.name ?? null, version: version?.version ?? null, uri, path };
}

async function promoted(
  { name, version }: ServedModel,
  request: DeployRequest,
  registry: Registry,
  author: { readonly who: string; readonly why: string },
): Promise<Stage | null> {
  if (name === null || version === null) return null;
  if (request.promote !== true) return (await registry.get(name, { version })).stage;
  return (await registry.setStage(name, version, 'Production', author)).stage;
}

/** Region and account are those of the execution, so that an ARN looks at home beside its own. */
export function endpointArn(context: HandlerContext, name: string): string {
  const [, , , region = 'us-east-1', account = '000000000000'] =
    context.task.executionArn.split(':');
  return `arn:aws:sagemaker:${region}:${account}:endpoint/${name.toLowerCase()}`;
}
