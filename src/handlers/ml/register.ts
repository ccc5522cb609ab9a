/** `ml:register`: a trained model as the next version in the registry, with all that led to it. */
import { isObject, type Json, type JsonObject } from '../../lib/json.js';
import {
  type Bump,
  type ModelVersion,
  type Registration,
  type Registry,
  RegistryError,
  type Stage,
  STAGES,
} from '../../ml/registry/index.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import { ADDRESS, type Address, uriOf } from './ingest-support.js';

export interface RegisterOptions {
  readonly registry: Registry;
}

interface Parameters {
  readonly name: string;
  readonly model: Address;
  readonly metrics?: JsonObject;
  readonly parameters?: JsonObject;
  readonly lineage?: JsonObject;
  readonly tags?: JsonObject;
  readonly stage?: Stage;
  readonly aliases?: readonly string[];
  readonly bump?: Bump;
  readonly reason?: string;
  readonly dataVersion?: string;
  readonly baseModel?: string;
  readonly runId?: string;
}

export function registerHandler({ registry }: RegisterOptions): Handler {
  return {
    resource: 'ml:register',
    description: 'Registers a model as the next version (v1.0.0, v1.1.0, …) with its lineage.',
    onWorkerLost: 'rerun',
    parameters: {
      type: 'object',
      required: ['name', 'model'],
      additionalProperties: false,
      properties: {
        name: { type: 'string', pattern: '^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$' },
        model: ADDRESS,
        metrics: { type: 'object' },
        parameters: { type: 'object' },
        lineage: { type: 'object' },
        tags: { type: 'object' },
        stage: { enum: [...STAGES] },
        aliases: { type: 'array', items: { type: 'string' }, maxItems: 20 },
        bump: { enum: ['major', 'minor', 'patch'] },
        reason: { type: 'string', maxLength: 1000 },
        dataVersion: { type: ['string', 'null'] },
        baseModel: { type: 'string' },
        runId: { type: 'string' },
      },
    },
    run: (parameters, context) =>
      asRegistryTask(() => run(parameters as unknown as Parameters, context, registry)),
  };
}

async function run(
  parameters: Parameters,
  context: HandlerContext,
  registry: Registry,
): Promise<Json> {
  const uri = uriOf(parameters.model);
  if (uri.startsWith('artifact://')) await context.artifacts.path(uri);
  const who = authorOf(context);
  const why = parameters.reason ?? `State ${context.task.stateName}`;
  let version = await registry.register(registrationOf(parameters, context, { who, why }));
  for (const alias of parameters.aliases ?? []) {
    version = await registry.setAlias(version.name, version.version, alias, { who, why });
  }
  return shown(version);
}

function registrationOf(
  parameters: Parameters,
  context: HandlerContext,
  author: { readonly who: string; readonly why: string },
): Registration {
  const { model, dataVersion, baseModel, runId } = parameters;
  const inside = isObject(model as unknown as Json) ? (model as unknown as JsonObject) : {};
  const lineage: JsonObject = {
    executionArn: context.task.executionArn,
    stateName: context.task.stateName,
    ...given({
      dataVersion,
      runId,
      baseModel: baseModel ?? inside.baseModel,
      sha256: inside.sha256,
    }),
    ...parameters.lineage,
  };
  return {
    ...author,
    name: parameters.name,
    uri: uriOf(model),
    metrics: parameters.metrics ?? {},
    parameters: parameters.parameters ?? {},
    lineage,
    tags: parameters.tags ?? {},
    ...(parameters.stage === undefined ? {} : { stage: parameters.stage }),
    ...(parameters.bump === undefined ? {} : { bump: parameters.bump }),
    // One visit registers once: a retry after a lost answer must not make a second version.
    idempotencyKey: context.visitKey,
  };
}

function shown(version: ModelVersion): JsonObject {
  return {
    name: version.name,
    version: version.version,
    stage: version.stage,
    uri: version.uri,
    aliases: [...version.aliases],
    metrics: version.metrics,
    parameters: version.parameters,
    lineage: version.lineage,
    tags: version.tags,
    registeredAt: version.registeredAt,
  };
}

/** Who changed the registry: the execution, which names machine and run. */
export function authorOf(context: HandlerContext): string {
  return context.task.executionArn;
}

export async function asRegistryTask<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof RegistryError) throw new TaskFailure(error.code, error.message);
    throw error;
  }
}

function given(values: Readonly<Record<string, Json | undefined>>): JsonObject {
  return JSON.parse(JSON.stringify(values)) as JsonObject;
}
