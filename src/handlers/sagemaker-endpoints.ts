/**
 * `sagemaker:createModel`, `createEndpointConfig`, `createEndpoint` and `updateEndpoint` done here:
 * SageMaker's records around the work of `ml:deploy`. A createEndpoint whose input names no endpoint
 * (a state without Parameters) registers the execution's last model and deploys that.
 */
import { isArray, isObject, type Json, type JsonObject } from '../lib/json.js';
import { DEFAULT_VARIANT, MAX_INSTANCES, type PartialSettings } from '../serving/index.js';
import type { Handler, HandlerContext, TaskFailure } from './handler.js';
import { type DeployRequest, endpointArn, runDeploy } from './ml/deploy.js';
import type { HealthCheck } from './ml/deploy-health.js';
import { asRegistryTask, authorOf } from './ml/register.js';
import { Findings, sagemakerError } from './sagemaker-errors.js';
import { nameFrom, type SageMakerOptions, sagemakerArn } from './sagemaker-options.js';

const RESOURCE = 'arn:aws:states:::sagemaker:';

type Variants = DeployRequest['variants'];

export function endpointHandlers(options: SageMakerOptions): Handler[] {
  const handler = (
    action: string,
    description: string,
    run: (parameters: JsonObject, context: HandlerContext) => Promise<JsonObject>,
  ): Handler => ({
    resource: RESOURCE + action,
    description,
    parameters: { type: 'object' },
    onWorkerLost: 'rerun',
    run: (parameters, context) => run(isObject(parameters) ? parameters : {}, context),
  });
  return [
    handler('createModel', 'Records a model for SageMaker endpoints served here.', (p, c) =>
      createModel(p, c, options),
    ),
    handler('createEndpointConfig', 'Records which models an endpoint serves.', (p, c) =>
      createEndpointConfig(p, c, options),
    ),
    handler('createEndpoint', 'Serves models behind an endpoint here (ml:deploy).', (p, c) =>
      createEndpoint(p, c, options),
    ),
    handler(
      'updateEndpoint',
      'Switches an endpoint served here to another configuration.',
      (p, c) => updateEndpoint(p, c, options),
    ),
  ];
}

async function createModel(
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

async function createEndpointConfig(
  parameters: JsonObject,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const findings = new Findings(context);
  findings.name('EndpointConfigName', parameters.EndpointConfigName);
  const variants = isArray(parameters.ProductionVariants) ? parameters.ProductionVariants : [];
  if (variants.length === 0) findings.missing('ProductionVariants');
  for (const [index, variant] of variants.entries()) checkVariant(findings, index, variant);
  refuseUnserved(findings, parameters);
  findings.raise();
  for (const variant of variants as JsonObject[]) {
    await modelRecord(String(variant.ModelName), context, options);
  }
  const name = parameters.EndpointConfigName as string;
  const where = { context, options };
  return {
    EndpointConfigArn: await recorded('endpoint-configs', name, { request: parameters }, where),
  };
}

function checkVariant(findings: Findings, index: number, variant: Json): void {
  const at = `ProductionVariants.${index + 1}.member`;
  if (!isObject(variant)) return findings.missing(at);
  findings.name(`${at}.variantName`, variant.VariantName);
  findings.name(`${at}.modelName`, variant.ModelName);
  const count = variant.InitialInstanceCount ?? 1;
  if (typeof count !== 'number' || !(count >= 1 && count <= MAX_INSTANCES)) {
    findings.constraint(
      `${at}.initialInstanceCount`,
      count,
      `Member must be between 1 and ${MAX_INSTANCES} on this host`,
    );
  }
  const weight = variant.InitialVariantWeight ?? 1;
  if (typeof weight !== 'number' || !(weight >= 0)) {
    findings.constraint(
      `${at}.initialVariantWeight`,
      weight,
      'Member must be greater than or equal to 0',
    );
  }
}

/** What is not done here is refused: a promise that nothing keeps would be found out too late. */
function refuseUnserved(findings: Findings, parameters: JsonObject): void {
  const shadows = parameters.ShadowProductionVariants;
  if (isArray(shadows) && shadows.length > 0) {
    findings.add(
      "Value at 'shadowProductionVariants': shadows are started by a rollout here (state-machines/ml-rollout-shadow.asl.json)",
    );
  }
  const capture = parameters.DataCaptureConfig;
  const sampling = isObject(capture) ? (capture.InitialSamplingPercentage ?? 100) : 100;
  if (typeof sampling !== 'number' || !(sampling >= 0 && sampling <= 100)) {
    findings.constraint(
      'dataCaptureConfig.initialSamplingPercentage',
      sampling,
      'Member must be between 0 and 100',
    );
  }
}

/** What SageMaker's DataCaptureConfig means here; captured data stays below `.stepwell`, not in S3. */
function captureOf(config: JsonObject): PartialSettings {
  const capture = config.DataCaptureConfig;
  if (!isObject(capture) || capture.EnableCapture !== true) return { capture: null };
  const { InitialSamplingPercentage: sampling, CaptureOptions: options } = capture;
  const modes = (isArray(options) ? options : []).flatMap((option) => {
    const mode = isObject(option) ? option.CaptureMode : null;
    return mode === 'InputAndOutput' ? ['Input', 'Output'] : [String(mode)];
  });
  const known = (['Input', 'Output'] as const).filter((mode) => modes.includes(mode));
  return {
    capture: {
      samplingPercentage: typeof sampling === 'number' ? sampling : 100,
      modes: known.length === 0 ? ['Input', 'Output'] : known,
    },
  };
}

async function createEndpoint(
  parameters: JsonObject,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const named = parameters.EndpointName !== undefined;
  const request = named ? parameters : { ...options.defaults?.endpointDefaults };
  const name = request.EndpointName ?? nameFrom(context.task.stateMachineName);
  const findings = new Findings(context);
  findings.name('EndpointName', name);
  if (request.EndpointConfigName !== undefined) {
    findings.name('EndpointConfigName', request.EndpointConfigName);
  }
  refuseRollout(findings, request);
  findings.raise();
  const endpoint = name as string;
  if (named) await refuseExisting(endpoint, context, options);
  if (typeof request.EndpointConfigName === 'string') {
    return deploy(endpoint, request.EndpointConfigName, context, options);
  }
  return deployLastModel(endpoint, context, options);
}

async function updateEndpoint(
  parameters: JsonObject,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const findings = new Findings(context);
  findings.name('EndpointName', parameters.EndpointName);
  findings.name('EndpointConfigName', parameters.EndpointConfigName);
  refuseRollout(findings, parameters);
  findings.raise();
  const name = parameters.EndpointName as string;
  if ((await options.deploy.endpoints.get(name)) === null) {
    throw notFound('endpoint', endpointArn(context, name), context);
  }
  return deploy(name, parameters.EndpointConfigName as string, context, options);
}

/** SageMaker: a name once created is updated, not created again. A re-run of this very task may. */
async function refuseExisting(
  name: string,
  context: HandlerContext,
  { deploy: { endpoints } }: SageMakerOptions,
): Promise<void> {
  const existing = await endpoints.get(name);
  const mine = existing?.history.some((step) => step.key === context.idempotencyKey);
  if (existing === null || mine === true) return;
  throw sagemakerError(
    'ValidationException',
    `Cannot create already existing endpoint "${existing.arn}".`,
    context,
  );
}

function refuseRollout(findings: Findings, request: JsonObject): void {
  const config = isObject(request.DeploymentConfig) ? request.DeploymentConfig : {};
  const policy = isObject(config.BlueGreenUpdatePolicy) ? config.BlueGreenUpdatePolicy : {};
  const routing = isObject(policy.TrafficRoutingConfiguration)
    ? policy.TrafficRoutingConfiguration
    : {};
  const gradual = routing.Type !== undefined && routing.Type !== 'ALL_AT_ONCE';
  if (!gradual && config.RollingUpdatePolicy === undefined) return;
  findings.add(
    "Value at 'deploymentConfig': only ALL_AT_ONCE is done by this task; canary and linear are a rollout of their own here (state-machines/ml-rollout.asl.json)",
  );
}

async function deploy(
  endpoint: string,
  configName: string,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const config = await options.records.get('endpoint-configs', configName);
  if (config === null) {
    const arn = sagemakerArn(context, `endpoint-config/${configName.toLowerCase()}`);
    throw notFound('endpoint configuration', arn, context);
  }
  const listed = (config.request as JsonObject).ProductionVariants as readonly JsonObject[];
  const variants: Variants[number][] = [];
  for (const variant of listed) {
    const model = await modelRecord(String(variant.ModelName), context, options);
    variants.push({
      name: String(variant.VariantName),
      weight: Number(variant.InitialVariantWeight ?? 1),
      instanceCount: Number(variant.InitialInstanceCount ?? 1),
      model: { uri: model.uri as string },
    });
  }
  const settings = captureOf(config.request as JsonObject);
  return deployed({ endpoint, variants, configName, settings }, context, options);
}

/** Registers what this execution has trained and puts it into service as Production. */
async function deployLastModel(
  endpoint: string,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const defaults = options.defaults?.endpointDefaults ?? {};
  const workspace = await options.workspaces.recall(context.task);
  const model = isObject(workspace.model) ? workspace.model : {};
  if (typeof model.uri !== 'string') {
    throw sagemakerError(
      'ValidationException',
      "1 validation error detected: Value null at 'endpointConfigName' failed to satisfy constraint: Member must not be null, and this execution has trained no model",
      context,
    );
  }
  const uri = model.uri;
  const training = isObject(workspace.training) ? workspace.training : {};
  const metrics = isObject(workspace.metrics) ? workspace.metrics : training.metrics;
  const why = `State ${context.task.stateName}`;
  const version = await asRegistryTask(() =>
    options.deploy.registry.register({
      name: typeof defaults.ModelName === 'string' ? defaults.ModelName : endpoint,
      uri,
      metrics: isObject(metrics) ? metrics : {},
      parameters: isObject(training.parameters) ? training.parameters : {},
      lineage: {
        executionArn: context.task.executionArn,
        baseModel: model.baseModel ?? null,
        dataVersion: training.dataVersion ?? null,
        runId: training.runId ?? null,
        trainingJobName: training.trainingJobName ?? null,
      },
      who: authorOf(context),
      why,
      // One visit registers once, also when its state is retried.
      idempotencyKey: `${context.visitKey}:${uri}`,
    }),
  );
  const count = defaults.InstanceCount;
  const health = defaults.HealthCheck;
  return deployed(
    {
      endpoint,
      variants: [
        {
          name: DEFAULT_VARIANT,
          weight: 1,
          instanceCount: typeof count === 'number' ? count : 1,
          model: { name: version.name, version: version.version },
        },
      ],
      promote: true,
      ...(isObject(health) ? { healthCheck: health as HealthCheck } : {}),
    },
    context,
    options,
  );
}

async function deployed(
  request: DeployRequest,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const result = await runDeploy(request, context, options.deploy);
  await options.workspaces.remember(context.task, { endpoint: result });
  const version = `${String(result.model ?? '')} ${String(result.version ?? '')}`.trim();
  context.progress(2, 2, `${request.endpoint} serves ${version || 'its models'}`, result);
  return { EndpointArn: result.endpointArn as string };
}

async function lastModel(
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject | null> {
  const { model } = await options.workspaces.recall(context.task);
  return isObject(model) ? model : null;
}

async function modelRecord(
  name: string,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const record = await options.records.get('models', name);
  if (record !== null) return record;
  throw notFound('model', sagemakerArn(context, `model/${name.toLowerCase()}`), context);
}

async function recorded(
  kind: 'models' | 'endpoint-configs',
  name: string,
  record: JsonObject,
  { context, options }: { context: HandlerContext; options: SageMakerOptions },
): Promise<string> {
  const noun = kind === 'models' ? 'model' : 'endpoint-config';
  const arn = sagemakerArn(context, `${noun}/${name.toLowerCase()}`);
  const kept = await options.records.claim(kind, name, context.idempotencyKey, { ...record, arn });
  if (kept !== null) return arn;
  const words = noun.replace('-config', ' configuration');
  throw sagemakerError(
    'ValidationException',
    `Cannot create already existing ${words} "${arn}".`,
    context,
  );
}

/** SageMaker answers a missing model, configuration or endpoint with a ValidationException. */
function notFound(noun: string, arn: string, context: HandlerContext): TaskFailure {
  return sagemakerError('ValidationException', `Could not find ${noun} "${arn}".`, context);
}
