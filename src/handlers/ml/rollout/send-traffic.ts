/**
 * `ml:send-traffic`: rows of a dataset as real requests to an endpoint, at a steady pace, and later the
 * labels of a part of them as feedback. For rehearsals and load tests: it is how the closed loop is
 * tried out without users. What it sends is measured and captured like anything else.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { getOwn, type Json, type JsonObject } from '../../../lib/json.js';
import { datasetRows } from '../../../ml/data/dataset.js';
import type { LiveAnswer } from '../../../serving/index.js';
import { type Handler, type HandlerContext, TaskFailure } from '../../handler.js';
import { ADDRESS, type Address, locate, uriOf } from '../ingest-support.js';
import { NAME, plain, type RolloutOptions, text } from './parts.js';

interface Parameters {
  readonly endpoint: string;
  readonly dataset: Address;
  readonly textColumn?: string;
  readonly labelColumn?: string;
  readonly requests?: number;
  readonly offset?: number;
  /** Requests a second; 0 sends them as fast as `concurrency` allows. */
  readonly perSecond?: number;
  readonly concurrency?: number;
  /** Share of the requests whose label is reported back. */
  readonly labelledShare?: number;
  /** Labels as the model says them, where the column holds others (numbers). */
  readonly labelNames?: { readonly [value: string]: string };
}

const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['endpoint', 'dataset'],
  additionalProperties: false,
  properties: {
    endpoint: NAME,
    dataset: ADDRESS,
    textColumn: text,
    labelColumn: text,
    requests: { type: 'integer', minimum: 1, maximum: 100_000 },
    offset: { type: 'integer', minimum: 0 },
    perSecond: { type: 'number', minimum: 0, maximum: 10_000 },
    concurrency: { type: 'integer', minimum: 1, maximum: 256 },
    labelledShare: { type: 'number', minimum: 0, maximum: 1 },
    labelNames: { type: 'object', additionalProperties: { type: 'string' } },
  },
};

export function sendTrafficHandler(options: RolloutOptions): Handler {
  return {
    resource: 'ml:send-traffic',
    description:
      'Sends rows of a dataset to an endpoint as real requests, with labels as feedback.',
    onWorkerLost: 'rerun',
    parameters: PARAMETERS,
    run: (parameters, context) => send(parameters as unknown as Parameters, context, options),
  };
}

async function send(
  parameters: Parameters,
  context: HandlerContext,
  options: RolloutOptions,
): Promise<Json> {
  const rows = await rowsOf(parameters, context);
  const total = parameters.requests ?? rows.length;
  const tally = new Tally();
  const startedAt = performance.now();
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < total) {
      const number = next++;
      context.signal.throwIfAborted();
      await pace(parameters.perSecond ?? 0, number, startedAt, context.signal);
      const row = rows[(number + (parameters.offset ?? 0)) % rows.length] as Row;
      await request({ parameters, options, context, row, number, tally });
      if (number % 50 === 0) context.progress(number, total, `${number} of ${total} requests`);
    }
  };
  await Promise.all(Array.from({ length: parameters.concurrency ?? 4 }, client));
  await options.live.settle();
  const durationMs = performance.now() - startedAt;
  context.progress(total, total, `${total} requests sent`);
  return plain({ ...tally.result(), requests: total, durationMs: Math.round(durationMs) });
}

async function pace(
  perSecond: number,
  number: number,
  startedAt: number,
  signal: AbortSignal,
): Promise<void> {
  if (perSecond === 0) return;
  // Open loop: a slow answer does not make the next request late.
  const waitMs = startedAt + (number * 1000) / perSecond - performance.now();
  if (waitMs > 0) await sleep(waitMs, undefined, { signal });
}

async function request(job: {
  readonly parameters: Parameters;
  readonly options: RolloutOptions;
  readonly context: HandlerContext;
  readonly row: Row;
  readonly number: number;
  readonly tally: Tally;
}): Promise<void> {
  const { parameters, options, context, row, number, tally } = job;
  const { live } = options;
  const { signal } = context;
  // The same for a re-run, so that a label is never counted for two predictions.
  const inferenceId = `${context.idempotencyKey.slice(-24)}-${number}`.replaceAll(/[^\w-]/g, '-');
  const answer = await live.invoke(parameters.endpoint, [row.text], { inferenceId, signal });
  tally.add(answer);
  const share = parameters.labelledShare ?? 0;
  const isLabelled = Math.floor((number + 1) * share) > Math.floor(number * share);
  if (row.label === null || !isLabelled || answer.status !== 200) return;
  const body = { inferenceId, label: row.label, source: 'replay' };
  const status = await live.feedback(parameters.endpoint, body, signal);
  if (status === 202) tally.labelled++;
  else tally.refusedLabels++;
}

class Tally {
  labelled = 0;
  refusedLabels = 0;
  private readonly byVariant = new Map<string, number>();
  private readonly byStatus = new Map<string, number>();
  private readonly latencies: number[] = [];

  add(answer: LiveAnswer): void {
    const variant = answer.variant ?? 'none';
    this.byVariant.set(variant, (this.byVariant.get(variant) ?? 0) + 1);
    const status = String(answer.status);
    this.byStatus.set(status, (this.byStatus.get(status) ?? 0) + 1);
    this.latencies.push(answer.latencyMs);
  }

  result(): JsonObject {
    const sorted = this.latencies.sort((a, b) => a - b);
    const at = (share: number): number =>
      Math.round((sorted[Math.ceil(share * sorted.length) - 1] ?? 0) * 10) / 10;
    return {
      answered: this.byStatus.get('200') ?? 0,
      byStatus: Object.fromEntries(this.byStatus),
      byVariant: Object.fromEntries(this.byVariant),
      labelled: this.labelled,
      refusedLabels: this.refusedLabels,
      latencyMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99) },
    };
  }
}

interface Row {
  readonly text: string;
  readonly label: string | null;
}

/** Rows with a text, and their labels where the column is there. */
export async function rowsOf(
  parameters: Pick<Parameters, 'dataset' | 'textColumn' | 'labelColumn' | 'labelNames'>,
  context: HandlerContext,
): Promise<readonly Row[]> {
  const { textColumn = 'text', labelColumn = 'label', labelNames = {} } = parameters;
  const path = await locate(parameters.dataset, context);
  const address = uriOf(parameters.dataset);
  const rows: Row[] = [];
  for await (const batch of datasetRows({ path, address }, context.signal)) {
    for (const row of batch) {
      const words = getOwn(row as JsonObject, textColumn);
      const label = getOwn(row as JsonObject, labelColumn);
      if (typeof words !== 'string') continue;
      const name = label === undefined || label === null ? null : String(label);
      const mapped = name === null ? null : (getOwn(labelNames, name) ?? name);
      rows.push({ text: words, label: mapped === null ? null : String(mapped) });
    }
  }
  if (rows.length > 0) return rows;
  throw new TaskFailure(
    'ValidationException',
    `dataset: no row has a text in the column "${textColumn}".`,
  );
}
