/**
 * `ml:load-test`: the latency of an endpoint under a steady load. Open loop: requests leave by the clock
 * whether or not earlier ones have been answered, and a latency counts from the instant its request was
 * due. A client that waits for a slow answer would leave out just the requests that suffered.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json, JsonObject } from '../../../lib/json.js';
import { latencyOf } from '../../../ml/metrics/latency.js';
import type { LiveEndpoints } from '../../../serving/index.js';
import type { Handler, HandlerContext } from '../../handler.js';
import { ADDRESS, type Address, asTask } from '../ingest-support.js';
import { rowsOf } from '../rollout/send-traffic.js';
import { invalid } from './predictions.js';

interface Parameters {
  readonly endpoint: string;
  readonly texts?: readonly string[];
  readonly dataset?: Address;
  readonly textColumn?: string;
  readonly perSecond: number;
  readonly seconds?: number;
  readonly warmupRequests?: number;
}

/** More unanswered requests than this mean that the endpoint cannot keep up; the test ends there. */
const IN_FLIGHT_MAX = 1_000;
const REQUESTS_MAX = 200_000;

export type Invoke = (text: string) => Promise<{ readonly status: number }>;

export interface LoadPlan {
  readonly perSecond: number;
  readonly requests: number;
  readonly texts: readonly string[];
}

export interface LoadResult {
  readonly sent: number;
  readonly answered: number;
  readonly errors: number;
  readonly overloaded: boolean;
  /** From the due instant to the answer, ms. */
  readonly latenciesMs: readonly number[];
  /** From leaving to the answer, ms: what a closed loop would have shown. */
  readonly serviceMs: readonly number[];
  readonly durationMs: number;
}

export function loadTestHandler(options: { readonly live: LiveEndpoints }): Handler {
  return {
    resource: 'ml:load-test',
    description: 'Measures an endpoint under a steady open-loop load: p50, p95, p99, errors.',
    onWorkerLost: 'rerun',
    parameters: {
      type: 'object',
      required: ['endpoint', 'perSecond'],
      additionalProperties: false,
      properties: {
        endpoint: { type: 'string', minLength: 1 },
        texts: { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 10_000 },
        dataset: ADDRESS,
        textColumn: { type: 'string', minLength: 1 },
        perSecond: { type: 'number', exclusiveMinimum: 0, maximum: 10_000 },
        seconds: { type: 'number', exclusiveMinimum: 0, maximum: 3_600 },
        warmupRequests: { type: 'integer', minimum: 0, maximum: 1_000 },
      },
    },
    run: (parameters, context) =>
      asTask(() => run(parameters as unknown as Parameters, context, options.live)),
  };
}

async function run(
  parameters: Parameters,
  context: HandlerContext,
  live: LiveEndpoints,
): Promise<JsonObject> {
  const { endpoint, perSecond, seconds = 10 } = parameters;
  const texts = await textsOf(parameters, context);
  const { signal } = context;
  const requests = Math.ceil(perSecond * seconds);
  if (requests > REQUESTS_MAX)
    throw invalid(`perSecond x seconds: at most ${REQUESTS_MAX} requests.`);
  const invoke: Invoke = (text) => live.invoke(endpoint, [text], { signal });
  for (let i = 0; i < (parameters.warmupRequests ?? 5); i++) {
    await invoke(texts[i % texts.length] as string);
  }
  const result = await openLoop({ perSecond, requests, texts }, invoke, signal, (sent) =>
    context.progress(sent, requests, `${sent} of ${requests} requests sent`),
  );
  return reportOf(endpoint, perSecond, requests, result);
}

async function textsOf(
  parameters: Parameters,
  context: HandlerContext,
): Promise<readonly string[]> {
  if (parameters.texts !== undefined) return parameters.texts;
  const { dataset, textColumn } = parameters;
  if (dataset === undefined) throw invalid('Give "texts" or a "dataset" to send.');
  const given = textColumn === undefined ? { dataset } : { dataset, textColumn };
  return (await rowsOf(given, context)).map((row) => row.text);
}

/** The clock decides when a request leaves, never an answer. */
export async function openLoop(
  { perSecond, requests, texts }: LoadPlan,
  invoke: Invoke,
  signal: AbortSignal,
  onSent: (sent: number) => void = () => {},
): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  const serviceMs: number[] = [];
  const open = new Set<Promise<void>>();
  let errors = 0;
  let sent = 0;
  const started = performance.now();
  const one = async (text: string, due: number): Promise<void> => {
    const left = performance.now();
    const ok = await invoke(text).then(
      (answer) => answer.status === 200,
      () => false,
    );
    if (!ok) errors++;
    const now = performance.now();
    latenciesMs.push(now - due);
    serviceMs.push(now - left);
  };
  while (sent < requests && open.size < IN_FLIGHT_MAX) {
    signal.throwIfAborted();
    const due = started + (sent * 1000) / perSecond;
    const waitMs = due - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal });
    const request = one(texts[sent % texts.length] as string, due).finally(() =>
      open.delete(request),
    );
    open.add(request);
    sent++;
    if (sent % 100 === 0) onSent(sent);
  }
  const overloaded = sent < requests;
  await Promise.all(open);
  signal.throwIfAborted();
  const durationMs = performance.now() - started;
  return {
    sent,
    answered: latenciesMs.length - errors,
    errors,
    overloaded,
    latenciesMs,
    serviceMs,
    durationMs,
  };
}

function reportOf(
  endpoint: string,
  perSecond: number,
  requests: number,
  result: LoadResult,
): JsonObject {
  const latency = latencyOf(result.latenciesMs);
  const achieved = (result.answered / result.durationMs) * 1000;
  const metrics: JsonObject = {
    latencyP50Ms: latency.p50,
    latencyP95Ms: latency.p95,
    latencyP99Ms: latency.p99,
    latencyMaxMs: latency.max,
    errorRate: result.errors / result.sent,
    rowsPerSecond: achieved,
    // Requests that never left because the endpoint could not keep up.
    droppedRequests: requests - result.sent,
  };
  return {
    endpoint,
    offeredPerSecond: perSecond,
    achievedPerSecond: achieved,
    sent: result.sent,
    answered: result.answered,
    errors: result.errors,
    overloaded: result.overloaded,
    latency: {
      ...latency,
      unit: 'ms',
      from: 'the instant each request was due',
    } as unknown as Json,
    service: { ...latencyOf(result.serviceMs), unit: 'ms' } as unknown as Json,
    metrics,
  };
}
