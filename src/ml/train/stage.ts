/**
 * One stage of a run: a set of trained parts, a number of epochs, its own optimiser, schedule, early
 * stopping and checkpoints. Every strategy but gradual unfreezing is a single stage. Every random
 * choice follows from the seed and the step number, so a stage that continues from a checkpoint ends
 * with the same weights as one that was never interrupted.
 */
import { canonicalJson, type Json } from '../../lib/json.js';
import { sha256 } from '../../lib/digest.js';
import { gradientSums, optimiserState, type StepSettings } from '../encoder/training-graph.js';
import type { OptimiserSettings } from '../onnx/optimisers.js';
import { type Feeds, TrainingState } from '../onnx/session.js';
import { type FloatTensor, type FloatTensors, floatTensor } from '../onnx/tensor.js';
import type { BaseModel } from './base-model.js';
import { type Batch, epochRandom, grouped, planEpoch } from './batches.js';
import { CheckpointFolder, type EpochMetrics, FRESH, type Progress } from './checkpoint.js';
import type { Examples } from './examples.js';
import { featureLearner, fullLearner, type Learner } from './learner.js';
import { countParameters, hashOf } from './parameter-sets.js';
import { classWeights } from './rows.js';
import { rateFactor, type RateGroups, rateGroups, type RateRow, rateTable } from './schedule.js';
import { type Scores, scoreLogits } from './scores.js';
import { FineTuneError, IDENTITY_EXCLUDES, type MetricName, type Settings } from './settings.js';

export interface ProgressEvent {
  /** From 1. */
  readonly epoch: number;
  readonly step: number;
  readonly totalSteps: number;
  /** Loss of the step, or mean training loss of the epoch where validation is given. */
  readonly loss: number;
  readonly validation?: Scores;
}

export interface StageResult {
  /** Trained parts, the head first. */
  readonly trainable: readonly string[];
  readonly trainableParameters: number;
  /** The table of learning rates, the head first. */
  readonly rates: readonly RateRow[];
  readonly epochs: number;
  /** Epoch of the stage whose weights it hands on, from 1. */
  readonly bestEpoch: number;
  readonly stoppedEarly: boolean;
  readonly steps: number;
  /** sha256 of the tensors that were not trained; checked to be the same afterwards. */
  readonly frozenHash: string;
  readonly seconds: number;
}

export interface StageInputs {
  /** Of this stage: epochs, learningRate and trainableLayers are its own. */
  readonly settings: Settings;
  readonly base: BaseModel;
  /** Weights to start from: the base's, or the stage's before. */
  readonly parameters: FloatTensors;
  readonly train: Examples;
  /** null: no validation rows. */
  readonly validation: Examples | null;
  /** Hashes of the rows, for the identity of checkpoints. */
  readonly data: Json;
  readonly onProgress: (event: ProgressEvent) => void;
  readonly onRows: (done: number, total: number) => void;
}

export interface StageOutcome {
  readonly parameters: FloatTensors;
  readonly metrics: readonly EpochMetrics[];
  readonly result: StageResult;
  /** Step from which it went on; 0 for a fresh stage. */
  readonly resumedFromStep: number;
  /** Steps that the plan had, should it have ended early. */
  readonly totalSteps: number;
}

interface Run {
  readonly settings: Settings;
  readonly learner: Learner;
  readonly rates: RateGroups;
  readonly validation: Examples | null;
  readonly checkpoints: CheckpointFolder | null;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly onProgress: (event: ProgressEvent) => void;
}

/** Throws FineTuneError when the settings would train other parts than expected. */
export async function runStage(inputs: StageInputs): Promise<StageOutcome> {
  const began = performance.now();
  const { settings, base, parameters } = inputs;
  const rates = rateGroups([...parameters.keys()], base.config.layerCount, settings);
  const table = rateTable(rates, parameters);
  const trainable = table.map((row) => row.group);
  checkExpected(trainable, settings.expectTrainable);
  const split = (wanted: boolean): Map<string, FloatTensor> =>
    new Map([...parameters].filter(([name]) => rates.groupOf.has(name) === wanted));
  const [trained, frozen] = [split(true), split(false)];
  const frozenHash = hashOf(frozen);
  const stepSettings = stepSettingsOf(settings, rates, inputs.train);
  const run = await prepare(inputs, rates, stepSettings, frozen);
  const saved = run.checkpoints?.load() ?? null;
  const state = new TrainingState(saved?.tensors ?? startingState(stepSettings, trained));
  const { progress, best } = await loop(run, state, saved?.progress ?? FRESH, [...trained.keys()]);
  if (hashOf(frozen) !== frozenHash) {
    throw new Error('A frozen tensor has changed while others were trained');
  }
  return {
    parameters: new Map([...parameters, ...best]),
    metrics: progress.metrics,
    resumedFromStep: saved?.progress.step ?? 0,
    totalSteps: run.totalSteps,
    result: {
      trainable,
      trainableParameters: countParameters(trained),
      rates: table,
      epochs: progress.metrics.length,
      bestEpoch: progress.bestEpoch ?? progress.metrics.length,
      stoppedEarly: progress.stopped,
      steps: progress.step,
      frozenHash,
      seconds: Math.round(performance.now() - began) / 1000,
    },
  };
}

function checkExpected(trainable: readonly string[], expected: readonly string[] | null): void {
  if (expected === null) return;
  const same = expected.length === trainable.length && trainable.every((n) => expected.includes(n));
  if (same) return;
  throw new FineTuneError(
    `expectTrainable names ${expected.join(', ')}, but these settings train ${trainable.join(', ')}; ` +
      'change trainableLayers or expectTrainable',
  );
}

function stepSettingsOf(settings: Settings, rates: RateGroups, train: Examples): StepSettings {
  const weights = classWeights(
    train.labels.map((label) => ({ label })),
    settings,
  );
  const { labelSmoothing: share } = settings;
  return {
    optimiser: optimiserOf(settings),
    groups: rates.groupOf,
    weightDecay: settings.weightDecay,
    clipNorm: settings.clipNorm,
    smoothing: share === 0 ? null : { share, classWeights: weights },
    accumulate: settings.gradientAccumulationSteps > 1,
  };
}

function optimiserOf(settings: Settings): OptimiserSettings {
  const { adamBeta1: beta1, adamBeta2: beta2, adamEpsilon: epsilon } = settings;
  if (settings.optimizer === 'adamw') return { kind: 'adamw', beta1, beta2, epsilon };
  return { kind: 'sgd', momentum: settings.momentum, nesterov: settings.nesterov };
}

function startingState(settings: StepSettings, trained: FloatTensors): Map<string, FloatTensor> {
  const sums = settings.accumulate === true ? gradientSums(trained) : [];
  return new Map([...trained, ...optimiserState(settings.optimiser, trained), ...sums]);
}

async function prepare(
  inputs: StageInputs,
  rates: RateGroups,
  stepSettings: StepSettings,
  frozen: FloatTensors,
): Promise<Run> {
  const { settings, base, train, validation } = inputs;
  const labels = train.labels.map((label) => ({ label }));
  const learnerInputs = {
    config: base.config,
    settings,
    stepSettings,
    bucketLengths: base.reader.bucketLengths,
    maskTokenId: base.maskTokenId,
    frozenModel: base.frozenModel,
    onRows: inputs.onRows,
    train,
    validation: validation ?? NO_EXAMPLES,
    classWeights: classWeights(labels, settings),
    frozen,
  };
  const headAlone = [...rates.rateOf.keys()].join() === 'head';
  const learner = headAlone ? await featureLearner(learnerInputs) : fullLearner(learnerInputs);
  const stepsPerEpoch = planFor(learner, settings, 0).length;
  return {
    settings,
    learner,
    rates,
    validation,
    checkpoints: openCheckpoints(inputs),
    stepsPerEpoch,
    totalSteps: stepsPerEpoch * settings.epochs,
    onProgress: inputs.onProgress,
  };
}

const NO_EXAMPLES: Examples = { labels: [], lengths: [], feeds: async () => ({}) };

/** The steps of an epoch (from 0), each a list of batches; their number is always the same. */
function planFor(learner: Learner, settings: Settings, epoch: number): Batch[][] {
  const random = epochRandom(settings.seed, epoch);
  const { trainLengths, bucketLengths } = learner;
  const batches = planEpoch(trainLengths, bucketLengths, settings.batchSize, random);
  return grouped(batches, settings.gradientAccumulationSteps);
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
    const steps = planFor(run.learner, settings, epoch);
    for (let at = progress.step % run.stepsPerEpoch; at < steps.length; at++) {
      const { step } = progress;
      const loss = await run.learner.step(state, steps[at]!, step, scalarFeeds(run, step));
      if (!Number.isFinite(loss)) {
        throw new RangeError(`The loss became ${loss} at step ${step + 1}; lower learningRate`);
      }
      progress = { ...progress, step: step + 1, epochLoss: progress.epochLoss + loss };
      run.onProgress({ epoch: epoch + 1, step: step + 1, totalSteps: run.totalSteps, loss });
      const due = progress.step % settings.checkpointEverySteps === 0;
      if (due && at + 1 < steps.length) checkpoints?.save({ progress, tensors: state.tensors() });
    }
    const current = copied(state, trainedNames);
    progress = await endEpoch(run, progress, epoch + 1, current);
    if (progress.bestEpoch === epoch + 1 || run.validation === null) {
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
  const { settings } = run;
  const trainLoss = progress.epochLoss / run.stepsPerEpoch;
  let validation: Scores | null = null;
  if (run.validation !== null) {
    const logits = await run.learner.validationLogits(parameters);
    validation = scoreLogits(logits, run.validation.labels, settings.labels.length);
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
    bias_correction_1: scalar(1 - settings.adamBeta1 ** (step + 1)),
    bias_correction_2: scalar(1 - settings.adamBeta2 ** (step + 1)),
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

/** The identity of a stage: what decides its weights, and nothing else. */
function openCheckpoints({ settings, base, parameters, data }: StageInputs) {
  if (settings.checkpointDir === null) return null;
  const deciding = Object.entries(settings).filter(
    ([name]) => !IDENTITY_EXCLUDES.has(name as keyof Settings),
  );
  const identity = canonicalJson({
    settings: Object.fromEntries(deciding) as Json,
    base: hashOf(parameters),
    frozenModel: base.frozenModel === null ? null : sha256(base.frozenModel),
    reader: base.readerHash,
    data,
  });
  return new CheckpointFolder(settings.checkpointDir, sha256(identity));
}
