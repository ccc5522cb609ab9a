/**
 * `ml:evaluate-ab`: what an A/B test says. Successes are correct predictions by the labels that came
 * back, or answered requests. The number of samples is fixed by the power asked for; before both arms
 * have them the answer is `collecting`, whatever the difference looks like.
 */
import type { Json, JsonObject } from '../../../lib/json.js';
import { type Arm, compareShares, samplesPerArm } from '../../../ml/monitor/ab-test.js';
import { EMPTY_WINDOW, labelledRows, readMetrics } from '../../../serving/index.js';
import type { Handler, HandlerContext } from '../../handler.js';
import {
  plain,
  recordOf,
  refuseOther,
  ROLLOUT,
  type Rollout,
  type RolloutOptions,
} from './parts.js';

interface Parameters {
  readonly rollout: Rollout;
  readonly since: number;
  readonly metric?: 'accuracy' | 'success';
  readonly minimumEffect?: number;
  readonly alpha?: number;
  readonly power?: number;
  readonly baselineRate?: number;
  /** After this many seconds the test ends without a winner. */
  readonly maxSeconds?: number;
}

const share: Json = { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 };
const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['rollout', 'since'],
  additionalProperties: false,
  properties: {
    rollout: ROLLOUT,
    since: { type: 'number' },
    metric: { enum: ['accuracy', 'success'] },
    minimumEffect: share,
    alpha: share,
    power: share,
    baselineRate: share,
    maxSeconds: { type: 'number', minimum: 0 },
  },
};

export function evaluateAbHandler(options: RolloutOptions): Handler {
  return {
    resource: 'ml:evaluate-ab',
    description: 'Says whether an A/B test has enough samples, and which variant is better.',
    onWorkerLost: 'rerun',
    parameters: PARAMETERS,
    run: (parameters, context) => evaluate(parameters as unknown as Parameters, context, options),
  };
}

async function evaluate(
  parameters: Parameters,
  context: HandlerContext,
  options: RolloutOptions,
): Promise<Json> {
  const { rollout, since, alpha = 0.05, power = 0.8, minimumEffect = 0.05 } = parameters;
  await options.live.settle();
  refuseOther(await recordOf(options, rollout.endpoint), rollout);
  const now = (options.now ?? Date.now)();
  const baseline = await arm(parameters, options, now, 'baseline');
  const candidate = await arm(parameters, options, now, 'candidate');
  const rate =
    parameters.baselineRate ??
    (baseline.samples === 0
      ? 0.5
      : Math.min(0.99, Math.max(0.01, baseline.successes / baseline.samples)));
  const needed = samplesPerArm({
    baselineRate: rate,
    minimumEffect: effect(rate, minimumEffect),
    alpha,
    power,
  });
  const have = Math.min(baseline.samples, candidate.samples);
  const base = { baseline, candidate, neededPerArm: needed, alpha, power, minimumEffect };
  context.progress(Math.min(have, needed), needed, `${have} of ${needed} samples in each arm`);
  const over = now - since > (parameters.maxSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  if (have < needed) {
    return plain({ ...base, decision: over ? 'no-difference' : 'collecting', enough: false });
  }
  const result = compareShares(baseline, candidate, alpha);
  const better = result.difference > 0 ? 'candidate' : 'baseline';
  const decision = result.pValue < alpha ? better : 'no-difference';
  return plain({ ...base, ...result, decision, enough: true });
}

/** The difference looked for stays a share: near 1 it is looked for downwards. */
function effect(rate: number, minimumEffect: number): number {
  return rate + minimumEffect < 1 ? minimumEffect : -minimumEffect;
}

async function arm(
  { rollout, since, metric = 'accuracy' }: Parameters,
  { home }: RolloutOptions,
  now: number,
  side: 'baseline' | 'candidate',
): Promise<Arm> {
  const { variant, version } = rollout[side];
  const window = { from: since, to: now + 1000 };
  if (metric === 'accuracy') {
    const { rows } = await labelledRows(home, rollout.endpoint, { ...window, variant });
    const correct = rows.filter((row) => row.label === row.predicted);
    return { successes: correct.length, samples: rows.length };
  }
  const query = { ...window, ...(version === null ? {} : { version }) };
  const counts = (await readMetrics(home, rollout.endpoint, query)).get(variant) ?? EMPTY_WINDOW;
  return { successes: counts.ok, samples: counts.invocations };
}
