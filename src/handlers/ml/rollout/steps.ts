/**
 * The steps of a rollout after its start: `ml:shift-traffic`, `ml:check-alarms`, `ml:rollback` and
 * `ml:finish-rollout`. Each may run again after a crash and does its work once.
 */
import type { Json, JsonObject } from '../../../lib/json.js';
import {
  DEFAULT_VARIANT,
  EMPTY_WINDOW,
  type EndpointRecord,
  evaluateAlarm,
  type Evidence,
  judge,
  labelledRows,
  readMetrics,
  type Variant,
} from '../../../serving/index.js';
import { type Handler, type HandlerContext, TaskFailure } from '../../handler.js';
import {
  author,
  plain,
  recordOf,
  refuseOther,
  ROLLOUT,
  type Rollout,
  type RolloutOptions,
  stateAt,
  switched,
} from './parts.js';

type Run = (
  parameters: JsonObject & { readonly rollout: Rollout & JsonObject },
  context: HandlerContext,
  options: RolloutOptions,
) => Promise<Json>;

export function stepHandlers(options: RolloutOptions): Handler[] {
  const handler = (
    resource: string,
    description: string,
    properties: JsonObject,
    run: Run,
    required: readonly string[] = ['rollout'],
  ): Handler => ({
    resource,
    description,
    onWorkerLost: 'rerun',
    parameters: {
      type: 'object',
      required,
      additionalProperties: false,
      properties: { rollout: ROLLOUT, ...properties },
    },
    run: (parameters, context) => run(parameters as Parameters<Run>[0], context, options),
  });
  const reason: Json = { type: 'string' };
  return [
    handler(
      'ml:shift-traffic',
      'Sends a share of the requests to the candidate of a rollout.',
      {
        percent: { type: 'number', minimum: 0, maximum: 100 },
        step: { type: 'integer', minimum: 0 },
      },
      shift,
    ),
    handler(
      'ml:check-alarms',
      'Judges a rollout by its alarms since the last shift: continue, advance or roll back.',
      {
        since: { type: 'number' },
        bakeUntil: { type: 'number' },
        maxBakeUntil: { type: 'number' },
      },
      check,
      ['rollout', 'since'],
    ),
    handler(
      'ml:rollback',
      'Restores what the endpoint served before the rollout began.',
      { reason },
      rollback,
    ),
    handler(
      'ml:finish-rollout',
      'Makes the candidate the only model of the endpoint, or drops it, and ends the rollout.',
      { outcome: { enum: ['promote', 'drop'] }, reason },
      finish,
    ),
  ];
}

/** A step is done once in a rollout, whichever attempt did it. */
function keyOf({ id, startedAt }: Rollout, step: string): string {
  return `${id} ${startedAt} ${step}`;
}

const shift: Run = async ({ rollout, percent, step }, context, options) => {
  const index = typeof step === 'number' ? step : 0;
  const share = typeof percent === 'number' ? percent : rollout.steps[index];
  if (share === undefined) {
    throw new TaskFailure(
      'ValidationException',
      `step: ${index} of ${rollout.steps.length} steps.`,
    );
  }
  const before = await recordOf(options, rollout.endpoint);
  if (rollout.kind !== 'shadow') {
    await switched(() =>
      options.endpoints.switchTo(rollout.endpoint, {
        ...author(context, `${rollout.kind}: ${share} % to ${String(rollout.candidate.version)}`),
        variants: weighted(before.variants, rollout, share),
        key: keyOf(rollout, `shift ${context.visitKey}`),
        check: (current) => refuseOther(current, rollout),
      }),
    );
  }
  await options.live.settle();
  const record = await recordOf(options, rollout.endpoint);
  const at = Math.max(Date.parse(record.updatedAt), (options.now ?? Date.now)());
  const { bakeSeconds, maxBakeSeconds } = rollout;
  context.progress(index + 1, rollout.stepCount, `${share} % of the requests to the candidate`);
  return {
    percent: share,
    step: index,
    revision: record.revision,
    since: at,
    bakeUntil: at + bakeSeconds * 1000,
    maxBakeUntil: at + maxBakeSeconds * 1000,
    last: index + 1 >= rollout.stepCount,
  };
};

/** The baselines share what is left in the proportions that they have among themselves. */
function weighted(
  variants: readonly Variant[],
  rollout: Rollout,
  share: number,
): readonly Variant[] {
  const name = rollout.candidate.variant;
  const others = variants.filter((variant) => variant.name !== name);
  const total = others.reduce((sum, variant) => sum + variant.weight, 0);
  return variants.map((variant) => {
    if (variant.name === name) return { ...variant, weight: share };
    const part = total > 0 ? variant.weight / total : 1 / others.length;
    // Nothing is left at 100 %: a proportion to come back to is kept by the rollback's own record.
    return { ...variant, weight: (100 - share) * part };
  });
}

const check: Run = async (parameters, context, options) => {
  const { rollout } = parameters;
  const since = Number(parameters.since);
  const now = (options.now ?? Date.now)();
  await options.live.settle();
  refuseOther(await recordOf(options, rollout.endpoint), rollout);
  const candidate = await evidence(options, rollout, since, now, 'candidate');
  const baseline = await evidence(options, rollout, since, now, 'baseline');
  const alarms = rollout.alarms.map((alarm) => evaluateAlarm(alarm, candidate, baseline));
  const bakeUntil = Number(parameters.bakeUntil ?? now);
  const judgement = judge(alarms, {
    now,
    bakeUntil,
    maxBakeUntil: Number(parameters.maxBakeUntil ?? bakeUntil),
  });
  const bakedMs = Math.min(now, bakeUntil) - since;
  context.progress(Math.max(0, bakedMs), Math.max(1, bakeUntil - since), judgement.reason);
  if (judgement.decision === 'rollback') {
    context.log.warn(`Rollout at ${rollout.endpoint}: ${judgement.reason}`);
  }
  return plain({
    ...judgement,
    alarms,
    candidate: { ...candidate.window, labelled: candidate.labelled },
    baseline: { ...baseline.window, labelled: baseline.labelled },
    checkedAt: new Date(now).toISOString(),
  });
};

async function evidence(
  options: RolloutOptions,
  rollout: Rollout,
  from: number,
  now: number,
  side: 'candidate' | 'baseline',
): Promise<Evidence> {
  const { endpoint, alarms } = rollout;
  const { variant, version } = rollout[side];
  const query = { from, to: now + 1000, ...(version === null ? {} : { version }) };
  const windows = await readMetrics(options.home, endpoint, query);
  const watchesLabels = alarms.some((alarm) => alarm.metric === 'accuracy');
  const rows = watchesLabels
    ? (await labelledRows(options.home, endpoint, { from, to: now + 1000, variant })).rows
    : [];
  return {
    window: windows.get(variant) ?? EMPTY_WINDOW,
    shadow: rollout.kind === 'shadow' && side === 'candidate',
    labelled: rows.length,
    correct: rows.filter((row) => row.label === row.predicted).length,
  };
}

const rollback: Run = async ({ rollout, reason }, context, options) => {
  const before = await recordOf(options, rollout.endpoint);
  const key = keyOf(rollout, 'rollback');
  const done = before.history.some((step) => step.key === key);
  if (!done) refuseOther(before, rollout);
  const target = stateAt(before, rollout.baseline.revision);
  const why = typeof reason === 'string' && reason !== '' ? reason : 'rolled back';
  const record = await switched(() =>
    options.endpoints.switchTo(rollout.endpoint, {
      ...author(context, `Rollback: ${why}`),
      variants: target.variants,
      shadows: target.shadows ?? [],
      settings: target.settings ?? {},
      rollout: null,
      key,
      check: (current) => refuseOther(current, rollout),
    }),
  );
  await options.live.settle();
  context.log.warn(
    `Endpoint ${rollout.endpoint} goes back to ${String(rollout.baseline.version)}`,
    {
      reason: why,
    },
  );
  return {
    endpoint: rollout.endpoint,
    revision: record.revision,
    version: rollout.baseline.version,
    variant: rollout.baseline.variant,
    reason: why,
    at: record.updatedAt,
  };
};

const finish: Run = async ({ rollout, outcome, reason }, context, options) => {
  const before = await recordOf(options, rollout.endpoint);
  const key = keyOf(rollout, 'finish');
  const done = before.history.some((step) => step.key === key);
  if (!done) refuseOther(before, rollout);
  const baseline = stateAt(before, rollout.baseline.revision);
  const promote = outcome !== 'drop';
  const record = await switched(() =>
    options.endpoints.switchTo(rollout.endpoint, {
      ...author(context, typeof reason === 'string' ? reason : `${rollout.kind} ends`),
      variants: promote ? [winner(before, rollout, baseline.variants)] : baseline.variants,
      shadows: baseline.shadows ?? [],
      settings: baseline.settings ?? {},
      rollout: null,
      key,
      check: (current) => refuseOther(current, rollout),
    }),
  );
  await options.live.settle();
  const side = promote ? rollout.candidate : rollout.baseline;
  context.progress(1, 1, `${rollout.endpoint} serves ${String(side.version)}`);
  return {
    endpoint: rollout.endpoint,
    revision: record.revision,
    name: side.name,
    version: side.version,
    outcome: promote ? 'promote' : 'drop',
    at: record.updatedAt,
  };
};

/** The candidate under the name of the variant that it replaces: its children go on serving. */
function winner(record: EndpointRecord, rollout: Rollout, baseline: readonly Variant[]): Variant {
  const served = record.variants.find((variant) => variant.name === rollout.candidate.variant);
  const first = baseline[0];
  return {
    name: first?.name ?? DEFAULT_VARIANT,
    weight: 1,
    instanceCount: served?.instanceCount ?? first?.instanceCount ?? 1,
    model: rollout.candidate.model,
    ...(first?.scaling === undefined ? {} : { scaling: first.scaling }),
  };
}
