/**
 * `ml:fine-tune`: trains a text classifier from a pre-trained encoder on a prepared dataset. Its
 * checkpoints lie in the visit's scratch folder, so a lost worker or a retry goes on where it stopped.
 */
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../lib/digest.js';
import { canonicalJson, fromEntries, type Json, type JsonObject } from '../../lib/json.js';
import {
  type EpochMetrics,
  FineTuneError,
  type FineTuneOptions,
  type FineTuneResult,
  fineTune as fineTuneInChild,
  type ProgressEvent,
} from '../../ml/fine-tune.js';
import { TRANSFORM_FILE } from '../../ml/transform/saved.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import { askedFor, PARAMETERS } from './fine-tune-request.js';
import type { Address } from './ingest-support.js';
import { loadTransform } from './transform.js';

export type FineTune = (
  options: FineTuneOptions,
  hooks: {
    readonly signal: AbortSignal;
    readonly onProgress: (event: ProgressEvent) => void;
    readonly onRows: (done: number, total: number) => void;
  },
) => Promise<FineTuneResult>;

export interface FineTuneHandlerOptions {
  /** The training itself; the default runs it in a child process. */
  readonly fineTune?: FineTune;
  /** Parameters that a task does not give, `model` for one. */
  readonly defaults?: JsonObject;
  /** Turns a model's name into what `fineTune` takes; the default knows artifacts and local folders. */
  readonly resolveModel?: (model: string, context: HandlerContext) => Promise<string>;
}

/** A kill costs at most this much training; for the shipped model a checkpoint costs about two percent. */
const CHECKPOINT_EVERY_STEPS = 50;
export function fineTuneHandler(options: FineTuneHandlerOptions = {}): Handler {
  return {
    resource: 'ml:fine-tune',
    description:
      'Fine-tunes a pre-trained text or image encoder into a classifier, with checkpoints.',
    parameters: PARAMETERS,
    onWorkerLost: 'rerun',
    run: (parameters, context) => runFineTune(parameters as JsonObject, context, options),
  };
}

/** The work itself, which SageMaker's createTrainingJob does too. */
export async function runFineTune(
  parameters: JsonObject,
  context: HandlerContext,
  options: FineTuneHandlerOptions,
): Promise<JsonObject> {
  const { transform, ...given } = parameters;
  const saved =
    transform === undefined ? null : await loadTransform(transform as unknown as Address, context);
  const asked = await askedFor(given, context, options);
  const scratch = await context.scratch();
  const request = sha256(canonicalJson(asked.identity));
  await keepOnlySameWork(scratch, request);
  const fineTune = options.fineTune ?? fineTuneInChild;
  const folders = {
    outputDir: join(scratch, 'model'),
    checkpointDir: join(scratch, 'checkpoints'),
  };
  await mkdir(folders.checkpointDir, { recursive: true });
  const work = { ...asked.settings, ...asked.paths, ...folders };
  const curve = join(scratch, 'curve.jsonl');
  let writing: Promise<void> = Promise.resolve();
  let lastStep = 0;
  context.signal.throwIfAborted();
  const outcome = await trained(context.signal, () =>
    fineTune({ checkpointEverySteps: CHECKPOINT_EVERY_STEPS, ...work } as FineTuneOptions, {
      signal: context.signal,
      onRows: (done, total) => context.progress(done, total, `read ${done} of ${total} rows`),
      onProgress: (progress) => {
        // At the end of an epoch its last step comes a second time, with the epoch's mean loss.
        show(progress, progress.step === lastStep, context);
        lastStep = progress.step;
        const line = `${JSON.stringify({ at: Date.now(), ...progress })}\n`;
        writing = writing.then(() => appendFile(curve, line)).catch(() => undefined);
      },
    }),
  );
  await writing;
  context.signal.throwIfAborted();
  showRates(outcome, context);
  if (saved !== null) {
    const text = `${JSON.stringify(saved, null, 2)}\n`;
    await writeFile(join(outcome.modelDir, TRANSFORM_FILE), text);
  }
  const model = await context.artifacts.putFolder(outcome.modelDir, { name: 'model' });
  const history = await storedCurve(curve, context);
  return plain({
    model: { ...model, baseModel: asked.baseModel },
    metrics: bestMetrics(outcome),
    epochs: outcome.metrics,
    parameters: asked.settings,
    labels: asked.paths.labels,
    dataVersion: asked.dataVersion,
    bestEpoch: outcome.bestEpoch,
    steps: outcome.steps,
    stages: outcome.stages,
    trainableParameters: outcome.trainableParameters,
    totalParameters: outcome.totalParameters,
    baseHashBefore: outcome.baseHashBefore,
    baseHashAfter: outcome.baseHashAfter,
    seconds: outcome.seconds,
    cpuSeconds: outcome.cpuSeconds,
    resumedFromStep: outcome.resumedFromStep,
    runId: `run-${sha256(`${context.visitKey}\n${request}`).slice(0, 16)}`,
    ...(history === null ? {} : { history }),
  });
}

/** A retry may bring other parameters than the attempt whose checkpoints lie here. */
async function keepOnlySameWork(scratch: string, request: string): Promise<void> {
  const mark = join(scratch, 'request');
  const before = await readFile(mark, 'utf8').catch(() => null);
  if (before === request) return;
  for (const name of ['model', 'checkpoints', 'curve.jsonl']) {
    await rm(join(scratch, name), { recursive: true, force: true });
  }
  await writeFile(mark, request);
}

/** The metrics of the epoch whose weights were kept, as one flat object for gates and registry. */
function bestMetrics({ metrics, bestEpoch }: FineTuneResult): JsonObject {
  const best: EpochMetrics | undefined =
    metrics.find((item) => item.epoch === bestEpoch) ?? metrics.at(-1);
  if (best === undefined) return {};
  const validation = Object.entries(plain(best.validation ?? {})).map(
    ([name, value]) =>
      [`validation${name.slice(0, 1).toUpperCase()}${name.slice(1)}`, value] as const,
  );
  return { trainLoss: best.trainLoss, ...fromEntries(validation) };
}

function show(progress: ProgressEvent, epochEnded: boolean, context: HandlerContext): void {
  const { epoch, step, totalSteps, loss, validation } = progress;
  const accuracy =
    validation === undefined ? '' : `, validation accuracy ${validation.accuracy.toFixed(3)}`;
  const note = epochEnded
    ? `epoch ${epoch} ended, mean loss ${loss.toFixed(4)}${accuracy}`
    : `epoch ${epoch}, step ${step} of ${totalSteps}, loss ${loss.toFixed(4)}`;
  context.progress(step, totalSteps, note, plain({ ...progress }));
}

/** The table of learning rates, a line a part, so that the log shows what was trained how fast. */
function showRates({ stages }: FineTuneResult, context: HandlerContext): void {
  stages.forEach(({ rates }, index) => {
    for (const { group, learningRate, parameters } of rates) {
      const line = `stage ${index + 1}  ${group.padEnd(18)} ${learningRate.toPrecision(4).padStart(10)}`;
      context.log.info(`${line}  ${parameters} parameters`, {
        stage: index + 1,
        group,
        learningRate,
        parameters,
      });
    }
  });
}

async function storedCurve(path: string, context: HandlerContext): Promise<Json> {
  const bytes = await readFile(path).catch(() => null);
  if (bytes === null) return null;
  const { uri } = await context.artifacts.put(bytes, { name: 'training-curve.jsonl' });
  return { uri };
}

/** Failures of training keep their own name when they have one. */
async function trained<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TaskFailure || !(error instanceof Error)) throw error;
    if (error.name === 'AbortError' || error.name === 'InvariantError') throw error;
    if (error instanceof FineTuneError) {
      throw new TaskFailure('Training.InvalidOptions', error.message);
    }
    const named = error as Error & { readonly error?: unknown; readonly reason?: unknown };
    if (typeof named.error === 'string' && typeof named.reason === 'string') {
      throw new TaskFailure(named.error, named.reason);
    }
    throw new TaskFailure('Training.Failed', error.message);
  }
}

function plain(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
