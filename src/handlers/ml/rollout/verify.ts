/**
 * `ml:verify-traffic`: asks the live endpoint, over HTTP as clients do, which model answers. A rollback
 * or a promotion counts only when every one of the probes was answered by the expected version.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json, JsonObject } from '../../../lib/json.js';
import { errorText, HEALTH_TEXTS, type LiveAnswer } from '../../../serving/index.js';
import { type Handler, type HandlerContext, TaskFailure } from '../../handler.js';
import { NAME, type RolloutOptions, text } from './parts.js';

interface Parameters {
  readonly endpoint: string;
  readonly version?: string | null;
  readonly variant?: string;
  readonly targetVariant?: string;
  /** The record's revision that must be in force. */
  readonly revision?: number;
  readonly samples?: number;
  readonly timeoutSeconds?: number;
  readonly texts?: readonly string[];
}

const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['endpoint'],
  additionalProperties: false,
  properties: {
    endpoint: NAME,
    version: { type: ['string', 'null'] },
    variant: text,
    targetVariant: text,
    revision: { type: 'integer', minimum: 1 },
    samples: { type: 'integer', minimum: 1, maximum: 1000 },
    timeoutSeconds: { type: 'number', exclusiveMinimum: 0, maximum: 600 },
    texts: { type: 'array', items: text, minItems: 1, maxItems: 100 },
  },
};

const SAMPLES = 50;
const TIMEOUT_SECONDS = 60;
const PROBE_EVERY_MS = 200;

export function verifyTrafficHandler(options: RolloutOptions): Handler {
  return {
    resource: 'ml:verify-traffic',
    description: 'Probes a live endpoint until every answer comes from the expected model version.',
    onWorkerLost: 'rerun',
    parameters: PARAMETERS,
    run: (parameters, context) => verify(parameters as unknown as Parameters, context, options),
  };
}

async function verify(
  parameters: Parameters,
  context: HandlerContext,
  options: RolloutOptions,
): Promise<Json> {
  const deadline = performance.now() + (parameters.timeoutSeconds ?? TIMEOUT_SECONDS) * 1000;
  for (let round = 1; ; round++) {
    await options.live.settle();
    const found = await probed(parameters, context, options);
    if (found.unexpected === 0) {
      context.log.info(`Live traffic of ${parameters.endpoint} is as expected`, found.answers);
      return { verified: true, rounds: round, ...found };
    }
    context.progress(
      found.samples - found.unexpected,
      found.samples,
      `answered: ${JSON.stringify(found.answers)}`,
    );
    if (performance.now() > deadline) throw notVerified(parameters, found);
    await sleep(options.probeEveryMs ?? PROBE_EVERY_MS, undefined, { signal: context.signal });
  }
}

type Found = {
  readonly samples: number;
  readonly unexpected: number;
  /** How many probes each version, or each error, answered. */
  readonly answers: JsonObject;
};

async function probed(
  { endpoint, samples = SAMPLES, texts = HEALTH_TEXTS, targetVariant, ...expected }: Parameters,
  context: HandlerContext,
  { live }: RolloutOptions,
): Promise<Found> {
  const counts = new Map<string, number>();
  let unexpected = 0;
  for (let sample = 0; sample < samples; sample++) {
    context.signal.throwIfAborted();
    const asked = [texts[sample % texts.length] as string];
    const answer = await live.invoke(endpoint, asked, {
      signal: context.signal,
      probe: true,
      ...(targetVariant === undefined ? {} : { targetVariant }),
    });
    const name = nameOf(answer);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (!isExpected(answer, expected)) unexpected++;
  }
  return { samples, unexpected, answers: Object.fromEntries(counts) };
}

function isExpected(
  answer: LiveAnswer,
  { version, variant, revision }: Pick<Parameters, 'version' | 'variant' | 'revision'>,
): boolean {
  return (
    answer.status === 200 &&
    (version === undefined || answer.version === version) &&
    (variant === undefined || answer.variant === variant) &&
    (revision === undefined || (answer.revision ?? 0) >= revision)
  );
}

function nameOf(answer: LiveAnswer): string {
  if (answer.status !== 200) return `error ${errorText(answer)}`.slice(0, 200);
  return `${answer.variant ?? ''} ${answer.version ?? ''} (revision ${answer.revision ?? 0})`;
}

function notVerified({ endpoint, version, revision }: Parameters, found: Found): TaskFailure {
  const wanted = [
    version === undefined ? '' : `version ${String(version)}`,
    revision === undefined ? '' : `revision ${revision}`,
  ].filter((part) => part !== '');
  return new TaskFailure(
    'Rollout.TrafficNotVerified',
    `${found.unexpected} of ${found.samples} probes of endpoint ${endpoint} were not answered by ${wanted.join(', ')}: ${JSON.stringify(found.answers)}.`,
  );
}
