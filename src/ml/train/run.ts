/**
 * A fine-tuning run from settings to a written model folder. Runs inside the child process. Every
 * random choice follows from the seed and the step number, so a run that continues from a
 * checkpoint ends with the same weights as one that was never interrupted.
 */
import { readFileSync } from 'node:fs';
import { canonicalJson, type Json } from '../../lib/json.js';
import { sha256 } from '../../lib/digest.js';
import { maskTokenId } from '../encoder/tokenizer.js';
import { optimiserState, type StepSettings } from '../encoder/training-graph.js';
import { ADAMW, SGD } from '../onnx/optimisers.js';
import { type Feeds, TrainingState } from '../onnx/session.js';
import { elementCount, type FloatTensor, type FloatTensors, floatTensor } from '../onnx/tensor.js';
import { type BaseModel, encoderHash, loadBaseModel } from './base-model.js';
import { epochRandom, planEpoch, type TokenRow } from './batches.js';
import { CheckpointFolder, type EpochMetrics, FRESH, type Progress } from './checkpoint.js';
import { featureLearner, fullLearner, type Learner } from './learner.js';
import { writeModelFolder } from './output.js';
import { classWeights, type Row, type RowFile, readRows } from './rows.js';
import { rateFactor, type RateGroups, rateGroups } from './schedule.js';
import { type Scores, scoreLogits } from './scores.js';
import { IDENTITY_EXCLUDES, type MetricName, type Settings } from './settings.js';

export interface ProgressEvent {
  /** From 1. */
  readonly epoch: number;
  readonly step: number;
  readonly totalSteps: number;
  /** Loss of the step, or mean training loss of the epoch where validation is given. */
  readonly loss: number;
  readonly validation?: Scores;
}

export interface FineTuneResult {
  readonly modelDir: string;
  readonly metrics: readonly EpochMetrics[];
  /** Epoch whose weights were written, from 1. */
  readonly bestEpoch: number;
  readonly trainableParameters: number;
  readonly totalParameters: number;
  /** sha256 of the encoder's weights; equal before and after feature extraction. */
  readonly baseHashBefore: string;
  readonly baseHashAfter: string;
  /** sha256 over all written weights, the head included. */
  readonly weightsHash: string;
  readonly steps: number;
  readonly seconds: number;
  /** Step from which this call went on; 0 for a fresh run. */
  readonly resumedFromStep: number;
  readonly headReused: boolean;
  readonly peakMegabytes: number;
}

interface Run {
  readonly settings: Settings;
  readonly base: BaseModel;
  readonly learner: Learner;
  readonly rates: RateGroups;
  readonly validationRows: readonly Row[];
  readonly checkpoints: CheckpointFolder | null;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly onProgress: (event: ProgressEvent) => void;
}

export async function runFineTune(
  settings: Settings,
  onProgress: (event: ProgressEvent) => void,
): Promise<FineTuneResult> {
  const began = performance.now();
  const base = await loadBaseModel(settings);
  const train = readRows(settings.trainPath, settings.labels);
  const validation =
    settings.validationPath === null ? null : readRows(settings.validationPath, settings.labels);
  const { run, trained, stepSettings } = await prepare(
    settings,
    base,
    train,
    validation,
    onProgress,
  );
  const saved = run.checkpoints?.load() ?? null;
  const optimiser = optimiserState(stepSettings.optimiser, trained);
  const state = new TrainingState(saved?.tensors ?? new Map([...trained, ...optimiser]));
  const { progress, best } = await loop(run, state, saved?.progress ?? FRESH, [...trained.keys()]);
  const parameters = new Map([...base.parameters, ...best]);
  const result: FineTuneResult = {
    modelDir: settings.outputDir,
    metrics: progress.metrics,
    bestEpoch: progress.bestEpoch ?? progress.metrics.length,
    trainableParameters: countParameters(trained),
    totalParameters: countParameters(base.parameters),
    baseHashBefore: encoderHash(base.config, base.parameters),
    baseHashAfter: encoderHash(base.config, parameters),
    weightsHash: hashAll(parameters),
    steps: progress.step,
    seconds: Math.round(performance.now() - began) / 1000,
    resumedFromStep: saved?.progress.step ?? 0,
    headReused: base.headReused,
    peakMegabytes: Math.round(process.resourceUsage().maxRSS / 1000),
  };
  writeModelFolder({ settings, base, parameters, result, train, validation });
  return result;
}

async function prepare(
  settings: Settings,
  base: BaseModel,
  train: RowFile,
  validation: RowFile | null,
  onProgress: (event: ProgressEvent) => void,
): Promise<{ run: Run; trained: Map<string, FloatTensor>; stepSettings: StepSettings }> {
  const { config } = base;
  const rates = rateGroups([...base.parameters.keys()], config.layerCount, settings);
  const isTrained = ([name]: [string, FloatTensor]): boolean => rates.groupOf.has(name);
  const trained = new Map([...base.parameters].filter(isTrained));
  const stepSettings: StepSettings = {
    optimiser: settings.optimizer === 'adamw' ? ADAMW : SGD,
    groups: rates.groupOf,
    weightDecay: settings.weightDecay,
    clipNorm: settings.clipNorm,
  };
  const tokens = (rows: readonly Row[]): TokenRow[] =>
    rows.map(({ text, label }) => ({ ids: base.tokenize(text), label }));
  const inputs = {
    config,
    settings,
    stepSettings,
    maxLength: base.maxLength,
    maskTokenId: maskTokenId(base.folder),
    train: tokens(train.rows),
    validation: tokens(validation?.rows ?? []),
    classWeights: classWeights(train.rows, settings),
    frozen: new Map([...base.parameters].filter((entry) => !isTrained(entry))),
  };
  const learner = settings.strategy === 'full' ? fullLearner(inputs) : await featureLearner(inputs);
  const stepsPerEpoch = planFor(learner, settings, 0).length;
  const run: Run = {
    settings,
    base,
    learner,
    rates,
    validationRows: validation?.rows ?? [],
    checkpoints: openCheckpoints(settings, base, train, validation),
    stepsPerEpoch,
    totalSteps: stepsPerEpoch * settings.epochs,
    onProgress,
  };
  return { run, trained, stepSettings };
}

/** Batches of an epoch (from 0); their number is the same in every epoch. */
function planFor(learner: Learner, settings: Settings, epoch: number) {
  const random = epochRandom(settings.seed, epoch);
  return planEpoch(learner.trainLengths, learner.bucketLengths, settings.batchSize, random);
}

/** Steps until all epochs are done or early stopping ends them; returns the weights to keep. */
async function loop(
  run: Run,
  state: TrainingState,
  from: Progress,
  trainedNames: readonly string[],
): Promise<{ progress: Progress; best: FloatTensors }> {
  const { settings, checkpoints } = run;
  let progress = from;
  let best = progress.bestEpoch === null ? null : (checkpoints?.loadBest() ?? null);
  while (progress.step < run.totalSteps && !progress.stopped) {
    const epoch = Math.floor(progress.step / run.stepsPerEpoch);
    const batches = planFor(run.learner, settings, epoch);
    for (let at = progress.step % run.stepsPerEpoch; at < batches.length; at++) {
      const { step } = progress;
      const loss = await run.learner.step(state, batches[at]!, step, scalarFeeds(run, step));
      if (!Number.isFinite(loss)) {
        throw new RangeError(`The loss became ${loss} at step ${step + 1}; lower learningRate`);
      }
      progress = { ...progress, step: step + 1, epochLoss: progress.epochLoss + loss };
      run.onProgress({ epoch: epoch + 1, step: step + 1, totalSteps: run.totalSteps, loss });
      const due = progress.step % settings.checkpointEverySteps === 0;
      if (due && at + 1 < batches.length) checkpoints?.save({ progress, tensors: state.tensors() });
    }
    const current = copied(state, trainedNames);
    progress = await endEpoch(run, progress, epoch + 1, current);
    if (progress.bestEpoch === epoch + 1 || run.validationRows.length === 0) {
      best = current;
      checkpoints?.saveBest(current);
    }
    checkpoints?.save({ progress, tensors: state.tensors() });
  }
  return { progress, best: best ?? copied(state, trainedNames) };
}

/** Evaluates, reports and judges a finished epoch (from 1). */
async function endEpoch(
  run: Run,
  progress: Progress,
  epoch: number,
  parameters: FloatTensors,
): Promise<Progress> {
  const { settings, validationRows } = run;
  const trainLoss = progress.epochLoss / run.stepsPerEpoch;
  let validation: Scores | null = null;
  if (validationRows.length > 0) {
    const logits = await run.learner.validationLogits(parameters);
    const labels = validationRows.map((row) => row.label);
    validation = scoreLogits(logits, labels, settings.labels.length);
  }
  const metrics = [...progress.metrics, { epoch, trainLoss, validation }];
  run.onProgress({
    epoch,
    step: progress.step,
    totalSteps: run.totalSteps,
    loss: trainLoss,
    ...(validation === null ? {} : { validation }),
  });
  const bestEpoch = bestOf(metrics, settings.earlyStop?.metric ?? 'macroF1');
  const epochsWithoutGain = bestEpoch === null ? 0 : epoch - bestEpoch;
  const stopped = settings.earlyStop !== null && epochsWithoutGain >= settings.earlyStop.patience;
  return { ...progress, epochLoss: 0, metrics, bestEpoch, epochsWithoutGain, stopped };
}

/** The first epoch with the best validation score; null without validation. */
function bestOf(metrics: readonly EpochMetrics[], name: MetricName): number | null {
  let best: EpochMetrics | null = null;
  const score = (entry: EpochMetrics): number =>
    name === 'loss' ? -entry.validation!.loss : entry.validation![name];
  for (const entry of metrics) {
    if (entry.validation !== null && (best === null || score(entry) > score(best))) best = entry;
  }
  return best?.epoch ?? null;
}

function scalarFeeds({ settings, rates, totalSteps }: Run, step: number): Feeds {
  const factor = rateFactor(settings.schedule, step, totalSteps, settings.warmupRatio);
  const feeds: Record<string, FloatTensor> = {
    bias_correction_1: scalar(1 - ADAMW.beta1 ** (step + 1)),
    bias_correction_2: scalar(1 - ADAMW.beta2 ** (step + 1)),
  };
  for (const [group, rate] of rates.rateOf) feeds[`learning_rate.${group}`] = scalar(rate * factor);
  return feeds;
}

const scalar = (value: number): FloatTensor => floatTensor([], Float32Array.of(value));

function copied(state: TrainingState, names: readonly string[]): Map<string, FloatTensor> {
  const tensors = state.tensors();
  return new Map(
    names.map((name) => {
      const { shape, data } = tensors.get(name)!;
      return [name, floatTensor(shape, data.slice())];
    }),
  );
}

/** The identity of a run: what decides its weights, and nothing else. */
function openCheckpoints(
  settings: Settings,
  base: BaseModel,
  train: RowFile,
  validation: RowFile | null,
): CheckpointFolder | null {
  if (settings.checkpointDir === null) return null;
  const deciding = Object.entries(settings).filter(
    ([name]) => !IDENTITY_EXCLUDES.has(name as keyof Settings),
  );
  const identity = canonicalJson({
    settings: Object.fromEntries(deciding) as Json,
    base: hashAll(base.parameters),
    tokenizer: sha256(readFileSync(`${base.folder}/tokenizer.json`)),
    train: train.sha256,
    validation: validation?.sha256 ?? null,
  });
  return new CheckpointFolder(settings.checkpointDir, sha256(identity));
}

function hashAll(parameters: FloatTensors): string {
  const parts = [...parameters.keys()].sort().map((name) => {
    const { data } = parameters.get(name)!;
    return `${name} ${sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))}`;
  });
  return sha256(parts.join('\n'));
}

function countParameters(parameters: FloatTensors): number {
  return [...parameters.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0);
}
