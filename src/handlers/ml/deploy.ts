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
  HEALTH_TEXTS,
  MAX_INSTANCES,
  ProcessEnded,
  type ServedModel,
  type ServingProcess,
  startServingProcess,
  type Variant,
} from '../../serving/index.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import { asRegistryTask, authorOf } from './register.js';
import { locate } from './ingest-support.js';

export interface DeployOptions {
  readonly registry: Registry;
  readonly endpoints: Endpoints;
  /** Module that loads a classifier; see `ProcessOptions.loader`. */
  readonly loader?: string;
  readonly threads?: number;
  /** Sentences for health checks that name none. */
  readonly healthTexts?: readonly string[];
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
}

export interface HealthCheck {
  readonly texts?: readonly string[];
  /** The labels expected for the texts; without them the version served until now is asked. */
  readonly labels?: readonly string[];
  /** Share of texts on which the labels must agree, 0 to 1. */
  readonly minAgreement?: number;
  readonly maxLatencyMs?: number;
}

const LIVE_PREDICTIONS = 3;

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
const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['endpoint', 'model'],
  additionalProperties: false,
  properties: {
    endpoint: { type: 'string', pattern: '^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$' },
    model: {
      type: 'object',
      properties: {
        name: text,
        version: text,
        stage: { enum: [...STAGES] },
        alias: text,
        uri: text,
      },
    },
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
  },
};

function requestOf(parameters: Parameters): DeployRequest {
  const { endpoint, model, healthCheck, reason } = parameters;
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
    const version = await asRegistryTask(() => chosenVersion(variant.model, registry));
    chosen.push({
      ...variant,
      version,
      served: await servedModel(variant.model, version, context),
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
    ...(request.configName === undefined ? {} : { configName: request.configName }),
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

async function servedModel(
  model: ModelChoice,
  version: ModelVersion | null,
  context: HandlerContext,
): Promise<ServedModel> {
  const uri = version?.uri ?? (model.uri as string);
  const path = await locate(uri, context);
  return { name: version?.name ?? null, version: version?.version ?? null, uri, path };
}

interface Checked {
  readonly predictions: JsonObject[];
  readonly health: JsonObject;
}

/** Loads the model in a child, lets it predict, and ends the child whatever comes out. */
async function checkModel(
  model: ServedModel,
  check: HealthCheck,
  before: EndpointRecord | null,
  context: HandlerContext,
  options: DeployOptions,
): Promise<Checked> {
  const texts = check.texts ?? options.healthTexts ?? HEALTH_TEXTS;
  if (check.labels !== undefined && check.labels.length !== texts.length) {
    throw new TaskFailure(
      'ValidationException',
      'healthCheck.labels: give one label for each text.',
    );
  }
  context.progress(0, 2, `Loading ${model.name ?? model.uri} ${model.version ?? ''}`.trim());
  const child = await startedOrFailed(model, context, options);
  try {
    const startedAt = performance.now();
    const answers = await predicted(child, texts, context);
    const latencyMs = Math.round((performance.now() - startedAt) * 10) / 10;
    const expected =
      check.labels ?? (await labelsOfPredecessor(before, model, texts, context, options, check));
    const agreeing = answers.filter((answer, index) => answer.label === expected?.[index]).length;
    const agreement = expected === null ? null : agreeing / texts.length;
    const health: JsonObject = {
      healthy: true,
      checked: texts.length,
      loadMs: child.loadMs,
      latencyMs,
      labels: [...child.labels],
      agreement,
      agreedWith:
        expected === null ? null : check.labels === undefined ? 'previous version' : 'labels',
    };
    refuseUnhealthy(check, health);
    context.progress(2, 2, 'Health check passed', health);
    const predictions = answers.slice(0, LIVE_PREDICTIONS).map((answer, index) => ({
      text: texts[index] ?? '',
      label: answer.label,
      score: answer.score,
    }));
    return { predictions, health };
  } finally {
    await ended(child);
  }
}

async function startedOrFailed(
  model: ServedModel,
  context: HandlerContext,
  { loader, threads }: DeployOptions,
): Promise<ServingProcess> {
  try {
    return await startServingProcess({
      modelDir: model.path,
      signal: context.signal,
      ...(loader === undefined ? {} : { loader }),
      ...(threads === undefined ? {} : { threads }),
    });
  } catch (error) {
    if (!(error instanceof ProcessEnded)) throw error;
    throw new TaskFailure('Deployment.Unhealthy', `${model.uri}: ${error.message}`);
  }
}

async function predicted(child: ServingProcess, texts: readonly string[], context: HandlerContext) {
  try {
    return await child.predict(texts, { signal: context.signal });
  } catch (error) {
    context.signal.throwIfAborted();
    throw new TaskFailure('Deployment.Unhealthy', (error as Error).message);
  }
}

/** Labels that the version in service gives, when agreement with it is asked for and there is one. */
async function labelsOfPredecessor(
  before: EndpointRecord | null,
  model: ServedModel,
  texts: readonly string[],
  context: HandlerContext,
  options: DeployOptions,
  check: HealthCheck,
): Promise<readonly string[] | null> {
  const previous = before?.variants[0]?.model;
  if (check.minAgreement === undefined || previous === undefined || previous.uri === model.uri) {
    return null;
  }
  let child: ServingProcess;
  try {
    child = await startedOrFailed(previous, context, options);
  } catch (error) {
    context.signal.throwIfAborted();
    context.log.warn('The version in service cannot be asked', { reason: String(error) });
    return null;
  }
  try {
    return (await predicted(child, texts, context)).map((answer) => answer.label);
  } finally {
    await ended(child);
  }
}

function refuseUnhealthy(check: HealthCheck, health: JsonObject): void {
  const { minAgreement, maxLatencyMs } = check;
  if (minAgreement !== undefined && health.agreement !== null) {
    const agreement = health.agreement as number;
    if (agreement < minAgreement) {
      throw new TaskFailure(
        'Deployment.Unhealthy',
        `The labels agree with those of the ${String(health.agreedWith)} on ${agreement} of the texts; at least ${minAgreement} is required.`,
      );
    }
  }
  if (maxLatencyMs !== undefined && (health.latencyMs as number) > maxLatencyMs) {
    throw new TaskFailure(
      'Deployment.Unhealthy',
      `The predictions took ${String(health.latencyMs)} ms; at most ${maxLatencyMs} ms are allowed.`,
    );
  }
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

async function ended(child: ServingProcess): Promise<void> {
  child.kill();
  await child.ended;
}

/** Region and account are those of the execution, so that an ARN looks at home beside its own. */
export function endpointArn(context: HandlerContext, name: string): string {
  const [, , , region = 'us-east-1', account = '000000000000'] =
    context.task.executionArn.split(':');
  return `arn:aws:sagemaker:${region}:${account}:endpoint/${name.toLowerCase()}`;
}
