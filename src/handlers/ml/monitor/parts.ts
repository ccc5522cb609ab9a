/** What the monitoring handlers share: their world, windows of time, and models asked in a child. */
import type { Json, JsonObject } from '../../../lib/json.js';
import type { Observation } from '../../../ml/monitor/drift.js';
import {
  type CapturedRow,
  type Endpoints,
  type LiveEndpoints,
  type ServedModel,
  startServingProcess,
} from '../../../serving/index.js';
import { type HandlerContext, TaskFailure } from '../../handler.js';
import type { CheckOptions } from '../deploy-health.js';

export interface MonitorOptions extends CheckOptions {
  readonly home: string;
  readonly endpoints: Endpoints;
  readonly live: LiveEndpoints;
  readonly now?: () => number;
}

export const text: Json = { type: 'string', minLength: 1 };
export const NAME: Json = { type: 'string', pattern: '^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$' };
export const WINDOW: JsonObject = {
  from: { type: ['string', 'number'] },
  to: { type: ['string', 'number'] },
  windowSeconds: { type: 'number', exclusiveMinimum: 0 },
};

export interface Window {
  readonly from?: string | number;
  readonly to?: string | number;
  readonly windowSeconds?: number;
}

/** Epoch milliseconds; by default the last hour. */
export function windowOf(
  { from, to, windowSeconds = 3600 }: Window,
  now: number,
): { readonly from: number; readonly to: number } {
  const end = to === undefined ? now + 1000 : instant('to', to);
  // Captured data knows whole seconds.
  const begin =
    from === undefined
      ? end - windowSeconds * 1000 - 1000
      : Math.floor(instant('from', from) / 1000) * 1000;
  if (begin >= end) throw new TaskFailure('ValidationException', 'from: must be before to.');
  return { from: begin, to: end };
}

function instant(name: string, value: string | number): number {
  const at = typeof value === 'number' ? value : Date.parse(value);
  if (Number.isFinite(at)) return at;
  throw new TaskFailure('ValidationException', `${name}: "${String(value)}" is no date.`);
}

/** The model that an endpoint serves most. */
export async function servedBy(
  { endpoints }: MonitorOptions,
  endpoint: string,
): Promise<ServedModel> {
  const record = await endpoints.get(endpoint);
  const [first] = [...(record?.variants ?? [])].sort((a, b) => b.weight - a.weight);
  if (first !== undefined) return first.model;
  throw new TaskFailure('ResourceNotFound', `There is no endpoint "${endpoint}".`);
}

export interface Asked {
  readonly predictions: readonly {
    readonly label: string;
    readonly score: number;
    readonly scores: readonly number[];
  }[];
  /** Null for a model that gives none. */
  readonly vectors: readonly (readonly number[])[] | null;
}

const CHUNK = 256;

/** Predictions, and vectors where the model has them, of a model in a child that ends afterwards. */
export async function askModel(
  modelDir: string,
  texts: readonly string[],
  context: HandlerContext,
  options: CheckOptions & { readonly vectors: boolean; readonly predictions: boolean },
): Promise<Asked> {
  const { loader, threads } = options;
  const child = await startServingProcess({
    modelDir,
    signal: context.signal,
    ...(loader === undefined ? {} : { loader }),
    ...(threads === undefined ? {} : { threads }),
  });
  try {
    const predictions: Asked['predictions'][number][] = [];
    let vectors: (readonly number[])[] | null = options.vectors ? [] : null;
    for (let at = 0; at < texts.length; at += CHUNK) {
      const part = texts.slice(at, at + CHUNK);
      const { signal } = context;
      if (options.predictions) predictions.push(...(await child.predict(part, { signal })));
      const embedded =
        vectors === null ? null : await child.embed(part, { signal }).catch(() => null);
      context.signal.throwIfAborted();
      vectors = embedded === null ? null : [...(vectors ?? []), ...embedded];
      context.progress(Math.min(texts.length, at + CHUNK), texts.length, 'texts read by the model');
    }
    return { predictions, vectors };
  } finally {
    child.kill();
    await child.ended;
  }
}

export function observationOf(row: CapturedRow, vector: readonly number[] | null): Observation {
  return { text: row.text, prediction: row.predicted, score: row.score, vector, columns: {} };
}

export function plain(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
