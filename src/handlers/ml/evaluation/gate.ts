/** `ml:gate`: judges an evaluation by a versioned policy; a Choice reads `$.gate.passed`. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { isObject, type Json, type JsonObject, withKey } from '../../../lib/json.js';
import { DataFailure } from '../../../ml/data/data-failure.js';
import {
  type ComparisonEvidence,
  type Evidence,
  judge,
  type SliceEvidence,
} from '../../../ml/gates/judge.js';
import type { Policy } from '../../../ml/gates/policy.js';
import type { PolicyStore } from '../../../ml/gates/policy-store.js';
import { pairedBootstrap, requirePairs } from '../../../ml/metrics/comparison.js';
import { groupsBy, type PredictionTable, sampleOf } from '../../../ml/metrics/predictions.js';
import { isQualityMetric, qualityOf } from '../../../ml/metrics/quality.js';
import type { Handler, HandlerContext } from '../../handler.js';
import { ADDRESS, type Address, asTask, locate } from '../ingest-support.js';
import { DEFAULT_RESAMPLES, DEFAULT_SEED } from './compare.js';
import { invalid, loadPredictions, metricsOf, type PredictionsAddress } from './predictions.js';

interface Parameters {
  readonly policy: string | JsonObject;
  readonly evaluation: JsonObject;
  readonly champion?: JsonObject | null;
  readonly reports?: readonly JsonObject[];
  readonly model?: Address;
  readonly onFailure?: 'report' | 'fail';
  readonly resamples?: number;
  readonly seed?: number;
}

export function gateHandler(options: { readonly policies: PolicyStore }): Handler {
  return {
    resource: 'ml:gate',
    description: 'Judges an evaluation by a versioned policy, every clause in the result.',
    onWorkerLost: 'rerun',
    parameters: {
      type: 'object',
      required: ['policy', 'evaluation'],
      additionalProperties: false,
      properties: {
        policy: {
          anyOf: [{ type: 'string', minLength: 1 }, { type: 'object' }],
          description:
            'The document, its address, or {name, version?} of one that was used before.',
        },
        evaluation: { type: 'object', description: 'The result of ml:evaluate.' },
        champion: {
          type: ['object', 'null'],
          description: 'The result of ml:evaluate for the version in production, on the same rows.',
        },
        reports: {
          type: 'array',
          items: { type: 'object' },
          maxItems: 20,
          description: 'Further results with "metrics": of ml:fairness, ml:load-test.',
        },
        model: { ...ADDRESS, description: 'Its size becomes the metric modelBytes.' },
        onFailure: { enum: ['report', 'fail'] },
        resamples: { type: 'integer', minimum: 100, maximum: 100_000 },
        seed: { type: 'integer' },
      },
    },
    run: (parameters, context) =>
      asTask(() => run(parameters as unknown as Parameters, context, options.policies)),
  };
}

async function run(
  parameters: Parameters,
  context: HandlerContext,
  policies: PolicyStore,
): Promise<JsonObject> {
  const policy = await policyOf(parameters.policy, context, policies);
  const metrics = await allMetrics(parameters, context);
  const champion = isObject(parameters.champion ?? undefined)
    ? (parameters.champion as JsonObject)
    : null;
  const evidence = await gather(policy, { parameters, metrics, champion, context });
  const verdict = judge(policy, evidence);
  if (!verdict.passed && parameters.onFailure === 'fail') {
    const missed = verdict.clauses.filter((clause) => !clause.passed);
    const told = missed.map((clause) => `${clause.clause}: ${clause.reason}`).join('; ');
    throw new DataFailure('Gate.NotPassed', `${policy.name} ${policy.version}: ${told}.`);
  }
  const document = { name: policy.name, version: policy.version, sha256: policy.sha256 };
  return { ...(verdict as unknown as JsonObject), policy: document };
}

async function policyOf(
  given: string | JsonObject,
  context: HandlerContext,
  policies: PolicyStore,
): Promise<Policy> {
  if (typeof given === 'string') {
    const text = await readFile(await locate(given, context), 'utf8');
    return await policies.keep(parsed(text, given));
  }
  if ('clauses' in given) return await policies.keep(given);
  const { name, version } = given;
  if (typeof name !== 'string' || (version !== undefined && typeof version !== 'string')) {
    throw invalid('policy: give {name, version?} or a whole document with clauses.');
  }
  return await policies.find(name, version);
}

function parsed(text: string, address: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new DataFailure('Gate.BadPolicy', `${address}: ${(error as Error).message}.`);
  }
}

/** Two reports that say different things about one metric would make the verdict a matter of order. */
async function allMetrics(parameters: Parameters, context: HandlerContext): Promise<JsonObject> {
  let metrics = metricsOf(parameters.evaluation);
  for (const report of parameters.reports ?? []) {
    for (const [name, value] of Object.entries(metricsOf(report))) {
      // What a load test measured under load stands for what an evaluation measured alone.
      metrics = withKey(metrics, name, value);
    }
  }
  if (parameters.model === undefined) return metrics;
  return { ...metrics, modelBytes: await bytesOf(await locate(parameters.model, context)) };
}

async function bytesOf(path: string): Promise<number> {
  const found = await stat(path);
  if (!found.isDirectory()) return found.size;
  const names = await readdir(path);
  const sizes = await Promise.all(names.map((name) => bytesOf(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

interface Case {
  readonly parameters: Parameters;
  readonly metrics: JsonObject;
  readonly champion: JsonObject | null;
  readonly context: HandlerContext;
}

/** Reads predictions and draws the bootstraps only where a clause asks for them. */
async function gather(policy: Policy, given: Case): Promise<Evidence> {
  const { parameters, champion, context } = given;
  const slices = policy.clauses.some((clause) => clause.kind === 'slice');
  const tested = policy.clauses.flatMap((clause) =>
    clause.kind === 'champion' && clause.significance !== null
      ? [{ metric: clause.metric, significance: clause.significance }]
      : [],
  );
  const asked = slices || (tested.length > 0 && champion !== null);
  const candidate = asked ? await predictionsOf(parameters.evaluation, context) : null;
  const before =
    tested.length > 0 && champion !== null ? await predictionsOf(champion, context) : null;
  const found = new Map<string, ComparisonEvidence>();
  for (const { metric, significance } of tested) {
    const options = {
      metric,
      significance,
      resamples: parameters.resamples ?? DEFAULT_RESAMPLES,
      seed: parameters.seed ?? DEFAULT_SEED,
    };
    found.set(`${metric} ${significance}`, await compared(before, candidate, options, context));
  }
  return {
    metrics: given.metrics,
    champion: champion === null ? null : { metrics: metricsOf(champion) },
    slice: (metric, columns) => sliced(candidate, metric, columns),
    compare: (metric, significance) =>
      found.get(`${metric} ${significance}`) ?? { missing: 'nothing was compared' },
  };
}

async function predictionsOf(report: JsonObject, context: HandlerContext) {
  const { predictionsUri } = report;
  if (typeof predictionsUri !== 'string') return null;
  return await loadPredictions({ predictionsUri } as PredictionsAddress, context);
}

function sliced(
  table: PredictionTable | null,
  metric: string,
  columns: readonly string[],
): SliceEvidence {
  if (table === null) return { missing: 'the evaluation has no predictionsUri' };
  if (!isQualityMetric(metric)) return { missing: `"${metric}" cannot be computed per slice` };
  try {
    const groups = [...groupsBy(table, columns)].map(([group, rows]) => ({
      group,
      rows: rows.length,
      value: qualityOf(metric, sampleOf(table, rows)),
    }));
    return { groups };
  } catch (error) {
    if (error instanceof DataFailure) return { missing: error.reason };
    throw error;
  }
}

async function compared(
  before: PredictionTable | null,
  now: PredictionTable | null,
  options: { metric: string; significance: number; resamples: number; seed: number },
  context: HandlerContext,
): Promise<ComparisonEvidence> {
  if (before === null || now === null) {
    return { missing: 'a significance needs the predictionsUri of candidate and champion' };
  }
  const { metric, resamples, seed } = options;
  if (!isQualityMetric(metric)) return { missing: `"${metric}" cannot be compared row by row` };
  try {
    requirePairs(before, now);
  } catch (error) {
    if (error instanceof DataFailure) return { missing: error.reason };
    throw error;
  }
  const confidence = 1 - 2 * options.significance;
  const asked = { metric, resamples, seed, confidence };
  const { interval, pValue } = await pairedBootstrap(before, now, asked, context.signal);
  if (interval === null) return { missing: `"${metric}" is undefined on these rows` };
  return { ...interval, pValue };
}
