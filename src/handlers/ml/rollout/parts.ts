/** What the handlers of a rollout share: their world, the rollout as it travels through a machine. */
import type { Json, JsonObject } from '../../../lib/json.js';
import type { Registry } from '../../../ml/registry/index.js';
import type {
  AlarmDefinition,
  EndpointRecord,
  Endpoints,
  LiveEndpoints,
  ServedModel,
} from '../../../serving/index.js';
import { type HandlerContext, TaskFailure } from '../../handler.js';
import type { CheckOptions } from '../deploy-health.js';

export interface RolloutOptions extends CheckOptions {
  readonly home: string;
  readonly registry: Registry;
  readonly endpoints: Endpoints;
  readonly live: LiveEndpoints;
  readonly now?: () => number;
  /** Between two probes of live traffic. */
  readonly probeEveryMs?: number;
}

export const CANDIDATE = 'Candidate';

export type RolloutKind = 'canary' | 'linear' | 'blue-green' | 'shadow' | 'ab';

/** Goes through the machine as `$.rollout`: everything that its later steps need. */
export interface Rollout {
  readonly id: string;
  readonly endpoint: string;
  readonly kind: RolloutKind;
  readonly baseline: {
    readonly revision: number;
    readonly variant: string;
    readonly name: string | null;
    readonly version: string | null;
  };
  readonly candidate: {
    readonly variant: string;
    readonly name: string | null;
    readonly version: string | null;
    readonly model: ServedModel;
  };
  /** Shares of the candidate in percent, one a step. */
  readonly steps: readonly number[];
  readonly stepCount: number;
  readonly bakeSeconds: number;
  readonly maxBakeSeconds: number;
  readonly checkIntervalSeconds: number;
  readonly terminationWaitSeconds: number;
  readonly alarms: readonly AlarmDefinition[];
  readonly startedAt: string;
}

export const text: Json = { type: 'string', minLength: 1 };
export const NAME: Json = { type: 'string', pattern: '^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$' };
export const seconds = (most: number): Json => ({ type: 'number', minimum: 0, maximum: most });
export const ROLLOUT: Json = {
  type: 'object',
  required: ['id', 'endpoint', 'kind', 'baseline', 'candidate', 'steps', 'alarms'],
};

export async function recordOf(
  { endpoints }: RolloutOptions,
  endpoint: string,
): Promise<EndpointRecord> {
  const record = await endpoints.get(endpoint);
  if (record !== null) return record;
  throw new TaskFailure('ResourceNotFound', `There is no endpoint "${endpoint}".`);
}

/** Throws when another rollout, or none, holds the endpoint. */
export function refuseOther(record: EndpointRecord | null, rollout: Rollout): void {
  const open = record?.rollout ?? null;
  if (open?.id === rollout.id) return;
  const holder = open === null ? 'no rollout is open' : `rollout ${open.id} holds it`;
  throw new TaskFailure(
    'Rollout.Superseded',
    `Endpoint ${rollout.endpoint} is not held by rollout ${rollout.id}: ${holder}.`,
  );
}

/** The record's state at a revision, from its history. */
export function stateAt(
  record: EndpointRecord,
  revision: number,
): EndpointRecord['history'][number] {
  const found = record.history.find((step) => step.revision === revision);
  if (found !== undefined) return found;
  throw new TaskFailure(
    'Rollout.BaselineLost',
    `Revision ${revision} of endpoint ${record.name} is no longer in its history.`,
  );
}

export function author(
  context: HandlerContext,
  why: string,
): { readonly who: string; readonly why: string } {
  return { who: context.task.executionArn, why: why.slice(0, 1000) };
}

export function plain(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

/** A switch that the endpoint refuses (weights, settings) is the task's failure. */
export async function switched<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TaskFailure || (error as { code?: unknown }).code !== undefined)
      throw error;
    throw new TaskFailure('ValidationException', (error as Error).message);
  }
}
