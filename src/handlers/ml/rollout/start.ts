/**
 * `ml:start-rollout`: checks the candidate, starts its children beside those in service and holds the
 * endpoint for this rollout. No client request goes to the candidate yet. A canary's clients never see
 * its errors: the baseline answers what it fails at.
 */
import type { Json, JsonObject } from '../../../lib/json.js';
import {
  type AlarmDefinition,
  DEFAULT_ALARMS,
  type EndpointRecord,
  MAX_INSTANCES,
  type PartialSettings,
  type ShadowVariant,
  type Variant,
} from '../../../serving/index.js';
import { type Handler, type HandlerContext, TaskFailure } from '../../handler.js';
import { candidateModel, type ModelChoice, MODEL_CHOICE } from '../deploy.js';
import { checkModel, type HealthCheck } from '../deploy-health.js';
import {
  author,
  CANDIDATE,
  NAME,
  plain,
  recordOf,
  type Rollout,
  type RolloutKind,
  type RolloutOptions,
  seconds,
  switched,
  text,
} from './parts.js';

interface Parameters {
  readonly endpoint: string;
  readonly model: ModelChoice;
  readonly kind: RolloutKind;
  readonly canaryPercent?: number;
  readonly linearStepPercent?: number;
  readonly stepsPercent?: readonly number[];
  readonly samplingPercentage?: number;
  readonly bakeSeconds?: number;
  readonly maxBakeSeconds?: number;
  readonly checkIntervalSeconds?: number;
  readonly terminationWaitSeconds?: number;
  readonly alarms?: readonly AlarmDefinition[];
  readonly fallback?: boolean;
  readonly instanceCount?: number;
  readonly healthCheck?: HealthCheck;
  readonly takeOver?: boolean;
  readonly reason?: string;
}

const percent: Json = { type: 'number', exclusiveMinimum: 0, maximum: 100 };
const ALARM: Json = {
  type: 'object',
  required: ['metric'],
  additionalProperties: false,
  properties: {
    name: text,
    metric: {
      enum: ['errorRate', 'latencyP50Ms', 'latencyP95Ms', 'latencyP99Ms', 'agreement', 'accuracy'],
    },
    comparison: { enum: ['>', '>=', '<', '<='] },
    threshold: { type: 'number' },
    baselineRatio: { type: 'number', exclusiveMinimum: 0 },
    baselineDifference: { type: 'number' },
    minSamples: { type: 'integer', minimum: 1 },
    treatMissingData: { enum: ['missing', 'notBreaching', 'breaching'] },
  },
};

const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['endpoint', 'model', 'kind'],
  additionalProperties: false,
  properties: {
    endpoint: NAME,
    model: MODEL_CHOICE,
    kind: { enum: ['canary', 'linear', 'blue-green', 'shadow', 'ab'] },
    canaryPercent: percent,
    linearStepPercent: percent,
    stepsPercent: { type: 'array', items: percent, minItems: 1, maxItems: 20 },
    samplingPercentage: percent,
    // SageMaker's own bounds of a deployment.
    bakeSeconds: seconds(3600),
    maxBakeSeconds: seconds(28_800),
    checkIntervalSeconds: seconds(3600),
    terminationWaitSeconds: seconds(3600),
    alarms: { type: 'array', items: ALARM, maxItems: 10 },
    fallback: { type: 'boolean' },
    instanceCount: { type: 'integer', minimum: 1, maximum: MAX_INSTANCES },
    healthCheck: { type: 'object' },
    takeOver: { type: 'boolean' },
    reason: { type: 'string', maxLength: 1000 },
    // What AWS tells people to pass to nested executions; the whole input comes here.
    AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: text,
  },
};

export function startRolloutHandler(options: RolloutOptions): Handler {
  return {
    resource: 'ml:start-rollout',
    description: 'Starts a candidate beside the model in service and holds the endpoint for it.',
    onWorkerLost: 'rerun',
    parameters: PARAMETERS,
    run: (parameters, context) => start(parameters as unknown as Parameters, context, options),
  };
}

async function start(
  parameters: Parameters,
  context: HandlerContext,
  options: RolloutOptions,
): Promise<Json> {
  const { endpoint } = parameters;
  const id = context.visitKey;
  const before = await options.endpoints.get(endpoint);
  if (before === null) {
    throw new TaskFailure(
      'Rollout.NoBaseline',
      `Endpoint ${endpoint} serves nothing yet: put its first model there with ml:deploy.`,
    );
  }
  const model = await candidateModel(parameters.model, context, options.registry);
  await checkModel(model, parameters.healthCheck ?? {}, before, context, options);
  const request = requested(parameters, before, model);
  const now = options.now ?? Date.now;
  const startedAt = new Date(now()).toISOString();
  await switched(() =>
    options.endpoints.switchTo(endpoint, {
      ...author(context, parameters.reason ?? `${parameters.kind} of ${describe(model)} begins`),
      ...request,
      rollout: { id, startedAt, baseline: baselineRevision(before, id) },
      // Not the visit's: without a durable store another execution may have the same name.
      key: `${context.idempotencyKey}:start`,
      check: (current) => refuseBusy(current, id, parameters.takeOver === true),
    }),
  );
  await options.live.settle();
  const record = await recordOf(options, endpoint);
  const rollout = rolloutOf(parameters, record, model, record.rollout?.startedAt ?? startedAt);
  context.log.info(`Rollout ${parameters.kind} of ${describe(model)} at ${endpoint} begins`, {
    steps: [...rollout.steps],
    baseline: rollout.baseline.version,
  });
  return plain(rollout);
}

/** A start that runs again after a crash finds its own rollout open. */
function baselineRevision(before: EndpointRecord, id: string): number {
  return before.rollout?.id === id ? before.rollout.baseline : before.revision;
}

function refuseBusy(current: EndpointRecord | null, id: string, takeOver: boolean): void {
  const open = current?.rollout ?? null;
  if (open === null || open.id === id || takeOver) return;
  throw new TaskFailure(
    'Rollout.InProgress',
    `Rollout ${open.id} has held the endpoint since ${open.startedAt}. Let it end, stop it with ml:rollback, or give "takeOver": true.`,
  );
}

function requested(
  parameters: Parameters,
  before: EndpointRecord,
  model: Variant['model'],
): {
  readonly variants: readonly Variant[];
  readonly shadows: readonly ShadowVariant[];
  readonly settings: PartialSettings;
} {
  const baselines = before.variants.filter((variant) => variant.name !== CANDIDATE);
  const first = baselines[0] as Variant;
  const instanceCount = parameters.instanceCount ?? first.instanceCount;
  const settings = before.settings ?? {};
  if (parameters.kind === 'shadow') {
    const samplingPercentage = parameters.samplingPercentage ?? 100;
    const shadow = { name: CANDIDATE, samplingPercentage, instanceCount, model };
    return { variants: baselines, shadows: [shadow], settings };
  }
  const watched = (parameters.alarms ?? []).some((alarm) => alarm.metric === 'agreement');
  const { scaling } = first;
  return {
    variants: [
      ...baselines,
      {
        name: CANDIDATE,
        weight: 0,
        instanceCount,
        model,
        ...(scaling === undefined ? {} : { scaling }),
      },
    ],
    shadows: [],
    settings: {
      ...settings,
      fallback: parameters.fallback === false ? null : first.name,
      compare: watched
        ? { with: first.name, samplingPercentage: parameters.samplingPercentage ?? 100 }
        : null,
    },
  };
}

function rolloutOf(
  parameters: Parameters,
  record: EndpointRecord,
  model: Variant['model'],
  startedAt: string,
): Rollout {
  const first = record.variants[0] as Variant;
  const bakeSeconds = parameters.bakeSeconds ?? 300;
  const steps = stepsOf(parameters);
  return {
    id: record.rollout?.id ?? '',
    endpoint: record.name,
    kind: parameters.kind,
    baseline: {
      revision: record.rollout?.baseline ?? record.revision,
      variant: first.name,
      name: first.model.name,
      version: first.model.version,
    },
    candidate: { variant: CANDIDATE, name: model.name, version: model.version, model },
    steps,
    stepCount: steps.length,
    bakeSeconds,
    maxBakeSeconds: Math.max(bakeSeconds, parameters.maxBakeSeconds ?? 4 * bakeSeconds),
    checkIntervalSeconds: parameters.checkIntervalSeconds ?? Math.min(30, bakeSeconds),
    terminationWaitSeconds: parameters.terminationWaitSeconds ?? 0,
    alarms: parameters.alarms ?? DEFAULT_ALARMS,
    startedAt,
  };
}

/** The shares of the candidate, in percent: canary 5 then all, linear by equal steps, blue-green at once. */
export function stepsOf({
  kind,
  stepsPercent,
  canaryPercent = 5,
  linearStepPercent = 20,
}: Pick<Parameters, 'kind' | 'stepsPercent' | 'canaryPercent' | 'linearStepPercent'>): number[] {
  if (kind === 'shadow') return [0];
  if (stepsPercent !== undefined) return checkedSteps(stepsPercent);
  if (kind === 'ab') return [canaryPercent === 5 ? 50 : canaryPercent];
  if (kind === 'blue-green') return [100];
  if (kind === 'canary') return canaryPercent === 100 ? [100] : [canaryPercent, 100];
  const count = Math.ceil(100 / linearStepPercent);
  return Array.from({ length: count }, (_, step) => Math.min(100, (step + 1) * linearStepPercent));
}

function checkedSteps(steps: readonly number[]): number[] {
  const growing = steps.every((step, index) => index === 0 || step > (steps[index - 1] as number));
  if (growing && steps.at(-1) === 100) return [...steps];
  throw new TaskFailure('ValidationException', 'stepsPercent: shares must grow and end with 100.');
}

function describe({ name, version, uri }: Variant['model']): string {
  return name === null ? uri : `${name} ${version ?? ''}`.trim();
}
