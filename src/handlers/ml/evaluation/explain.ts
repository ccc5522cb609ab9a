/** `ml:explain`: which words made a model or an endpoint say what it says, by KernelSHAP or LIME. */
import { fromEntries, isArray, type Json, type JsonObject } from '../../../lib/json.js';
import { defaultClassifierModule, runChildJob } from '../../../ml/child-job.js';
import {
  type ExplainOptions,
  explain,
  type Predict,
  type Scored,
} from '../../../ml/explain/explain.js';
import type { LiveEndpoints } from '../../../serving/index.js';
import { type Handler, type HandlerContext, TaskFailure } from '../../handler.js';
import { ADDRESS, type Address, asTask, locate, uriOf } from '../ingest-support.js';
import { rowsOf } from '../rollout/send-traffic.js';
import { invalid } from './predictions.js';

export interface ExplainHandlerOptions {
  readonly live: LiveEndpoints;
  readonly loader?: string;
}

interface Parameters {
  readonly model?: Address;
  readonly endpoint?: string;
  readonly texts?: readonly string[];
  readonly dataset?: Address;
  readonly textColumn?: string;
  readonly rows?: number;
  readonly method?: 'shap' | 'lime';
  readonly label?: string;
  readonly samples?: number;
  readonly seed?: number;
  readonly replacement?: string | null;
  readonly kernelWidth?: number;
  readonly ridge?: number;
  readonly top?: number;
}

const TEXTS_MAX = 100;
const DEFAULT_TOP = 10;

export function explainHandler(options: ExplainHandlerOptions): Handler {
  return {
    resource: 'ml:explain',
    description: 'Explains predictions word by word: KernelSHAP (exact up to 12 words) or LIME.',
    onWorkerLost: 'rerun',
    parameters: {
      type: 'object',
      additionalProperties: false,
      properties: {
        model: ADDRESS,
        endpoint: { type: 'string', minLength: 1 },
        texts: { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: TEXTS_MAX },
        dataset: ADDRESS,
        textColumn: { type: 'string', minLength: 1 },
        rows: { type: 'integer', minimum: 1, maximum: TEXTS_MAX },
        method: { enum: ['shap', 'lime'] },
        label: { type: 'string' },
        samples: { type: 'integer', minimum: 20, maximum: 20_000 },
        seed: { type: 'integer' },
        replacement: {
          type: ['string', 'null'],
          description: 'Stands for a word left out, such as [MASK].',
        },
        kernelWidth: { type: 'number', exclusiveMinimum: 0 },
        ridge: { type: 'number', minimum: 0 },
        top: { type: 'integer', minimum: 1, maximum: 200 },
      },
    },
    run: (parameters, context) =>
      asTask(() => run(parameters as unknown as Parameters, context, options)),
  };
}

async function run(
  parameters: Parameters,
  context: HandlerContext,
  options: ExplainHandlerOptions,
): Promise<JsonObject> {
  const { model, endpoint } = parameters;
  if ((model === undefined) === (endpoint === undefined)) {
    throw invalid('Give either "model" or "endpoint".');
  }
  const texts = await textsOf(parameters, context);
  const asked = settingsOf(parameters);
  const explanations =
    model === undefined
      ? await byEndpoint(String(endpoint), texts, asked, context, options.live)
      : await byModel(model, texts, asked, context, options.loader);
  const report = Buffer.from(`${JSON.stringify({ explanations }, null, 2)}\n`);
  const { uri } = await context.artifacts.put(report, { name: 'explanations.json' });
  const top = parameters.top ?? DEFAULT_TOP;
  return {
    explanations: explanations.map((one) => shortened(one, top)),
    maximumAdditivityError: Math.max(
      0,
      ...explanations.map((one) => Number(one.additivityError ?? 0)),
    ),
    reportUri: uri,
  };
}

function settingsOf(parameters: Parameters): ExplainOptions {
  return {
    method: parameters.method ?? 'shap',
    label: parameters.label ?? null,
    samples: parameters.samples ?? 500,
    seed: parameters.seed ?? 42,
    replacement: parameters.replacement ?? null,
    kernelWidth: parameters.kernelWidth ?? 25,
    ridge: parameters.ridge ?? 1,
  };
}

async function textsOf(
  parameters: Parameters,
  context: HandlerContext,
): Promise<readonly string[]> {
  if (parameters.texts !== undefined) return parameters.texts;
  const { dataset, textColumn } = parameters;
  if (dataset === undefined)
    throw invalid('Give "texts", or a "dataset" whose first rows are explained.');
  const rows = await rowsOf(
    textColumn === undefined ? { dataset } : { dataset, textColumn },
    context,
  );
  return rows.slice(0, parameters.rows ?? 3).map((row) => row.text);
}

async function byModel(
  model: Address,
  texts: readonly string[],
  options: ExplainOptions,
  context: HandlerContext,
  loader: string | undefined,
): Promise<readonly JsonObject[]> {
  const job = {
    classifierModule: loader ?? defaultClassifierModule(),
    modelPath: await locate(model, context),
    model: uriOf(model),
    texts,
    options,
  };
  const kind = { script: './explain/explain-child', noun: 'explaining', prefix: 'Explain' };
  const result = await runChildJob(kind, job, {
    signal: context.signal,
    onProgress: (done, total) =>
      context.progress(done, total, `${done} of ${total} texts explained`),
  });
  return result.explanations as readonly JsonObject[];
}

/** What one request to an endpoint may carry. */
const TEXTS_PER_REQUEST = 32;
const LABELS_MAX = 1_000;

async function byEndpoint(
  endpoint: string,
  texts: readonly string[],
  options: ExplainOptions,
  context: HandlerContext,
  live: LiveEndpoints,
): Promise<readonly JsonObject[]> {
  const predict: Predict = async (asked) => {
    const found: Scored[] = [];
    for (let from = 0; from < asked.length; from += TEXTS_PER_REQUEST) {
      const part = asked.slice(from, from + TEXTS_PER_REQUEST);
      // A probe: masked texts are no traffic, so they are not captured and move no metric.
      const answer = await live.invoke(endpoint, part, {
        signal: context.signal,
        probe: true,
        topK: LABELS_MAX,
      });
      found.push(...predictionsIn(answer.body, answer.status, endpoint));
    }
    return found;
  };
  const explanations: JsonObject[] = [];
  for (const text of texts) {
    context.progress(explanations.length, texts.length, `${explanations.length} texts explained`);
    explanations.push((await explain(text, predict, options)) as unknown as JsonObject);
  }
  return explanations;
}

function predictionsIn(body: Json, status: number, endpoint: string): readonly Scored[] {
  if (status === 200 && isArray(body)) return body.map((ranked) => scoredOf(ranked as Ranked));
  const said = JSON.stringify(body).slice(0, 200);
  throw new TaskFailure('Explain.EndpointFailed', `${endpoint} answered ${status}: ${said}`);
}

type Ranked = readonly { readonly label: string; readonly score: number }[];

/** With `top_k` an endpoint lists every label, best first. */
function scoredOf(ranked: Ranked): Scored {
  const scores = fromEntries(ranked.map(({ label, score }) => [label, score] as const));
  return { label: ranked[0]?.label ?? '', scores: scores as Scored['scores'] };
}

/** The strongest words first; all of them are in the report's file. */
function shortened(explanation: JsonObject, top: number): JsonObject {
  const words = explanation.words as readonly { readonly word: string; readonly value: number }[];
  const strongest = [...words].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, top);
  return { ...explanation, words: strongest };
}
