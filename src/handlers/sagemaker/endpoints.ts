/**
 * `sagemaker:createModel`, `createEndpointConfig`, `createEndpoint` and `updateEndpoint` done here:
 * SageMaker's records around the work of `ml:deploy`. A createEndpoint whose input names no endpoint
 * (a state without Parameters) registers the execution's last model and deploys that.
 */
import { isObject, type JsonObject } from '../../lib/json.js';
import { DEFAULT_VARIANT } from '../../serving/index.js';
import type { Handler, HandlerContext } from '../handler.js';
import { type DeployRequest, endpointArn, runDeploy } from '../ml/deploy.js';
import type { HealthCheck } from '../ml/deploy-health.js';
import { asRegistryTask, authorOf } from '../ml/register.js';
import { captureOf, createEndpointConfig } from './endpoint-config.js';
import { Findings, notFound, sagemakerError } from './errors.js';
import { createModel, modelRecord } from './models.js';
import { nameFrom, type SageMakerOptions, sagemakerArn } from './options.js';

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
