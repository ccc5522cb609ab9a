/**
 * A fine-tuning run from settings to a written model folder, stage by stage. Runs inside the child
 * process. A run that was killed goes on in the stage where it stood: finished stages are read from
 * their checkpoints.
 */
import { join } from 'node:path';
import { type BaseModel, encoderHash, loadBaseModel } from './base-model.js';
import type { EpochMetrics } from './checkpoint.js';
import { writeModelFolder } from './output.js';
import { readRows } from './rows.js';
import type { Settings, Stage } from './settings.js';
import { countParameters, hashOf } from './parameter-sets.js';
import { type ProgressEvent, runStage, type StageInputs, type StageResult } from './stage.js';

export type { ProgressEvent } from './stage.js';

export interface FineTuneResult {
  readonly modelDir: string;
  /** Of all stages; epochs are counted through. */
  readonly metrics: readonly EpochMetrics[];
  /** Epoch whose weights were written, from 1. */
  readonly bestEpoch: number;
  /** In the last stage. */
  readonly trainableParameters: number;
  readonly totalParameters: number;
  /** sha256 of the encoder's weights; equal before and after feature extraction. */
  readonly baseHashBefore: string;
  readonly baseHashAfter: string;
  /** sha256 over all written weights, the head included. */
  readonly weightsHash: string;
  readonly steps: number;
  readonly seconds: number;
  /** Of all threads: what the run costs, however busy the machine is with other work. */
  readonly cpuSeconds: number;
  /** Step from which this call went on; 0 for a fresh run. */
  readonly resumedFromStep: number;
  readonly headReused: boolean;
  readonly peakMegabytes: number;
  readonly stages: readonly StageResult[];
}

export async function runFineTune(
  settings: Settings,
  onProgress: (event: ProgressEvent) => void,
  onRows: (done: number, total: number) => void = () => undefined,
): Promise<FineTuneResult> {
  const began = performance.now();
  const base = await loadBaseModel(settings);
  const { field } = base.reader;
  const train = readRows(settings.trainPath, settings.labels, field);
  const validation =
    settings.validationPath === null
      ? null
      : readRows(settings.validationPath, settings.labels, field);
  const examples = {
    train: base.reader.read(train),
    validation: validation === null ? null : base.reader.read(validation),
    data: { train: train.sha256, validation: validation?.sha256 ?? null },
  };
  const done = await throughStages(settings, base, { ...examples, onRows }, onProgress);
  const result: FineTuneResult = {
    modelDir: settings.outputDir,
    metrics: done.metrics,
    bestEpoch: done.bestEpoch,
    trainableParameters: done.stages.at(-1)!.trainableParameters,
    totalParameters: countParameters(base.parameters),
    baseHashBefore: encoderHash(base, base.parameters),
    baseHashAfter: encoderHash(base, done.parameters),
    weightsHash: hashOf(done.parameters),
    steps: done.steps,
    seconds: Math.round(performance.now() - began) / 1000,
    cpuSeconds: Math.round(cpuMilliseconds()) / 1000,
    resumedFromStep: done.resumedFromStep,
    headReused: base.headReused,
    peakMegabytes: Math.round(process.resourceUsage().maxRSS / 1000),
    stages: done.stages,
  };
  writeModelFolder({
    settings,
    base,
    parameters: done.parameters,
    result,
    train,
    validation,
  });
  return result;
}

function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

type Examples = Pick<StageInputs, 'train' | 'validation' | 'data' | 'onRows'>;

async function throughStages(
  settings: Settings,
  base: BaseModel,
  examples: Examples,
  onProgress: (event: ProgressEvent) => void,
) {
  const plans = stagesOf(settings, base.config.layerCount);
  const epochsOf = (list: readonly Settings[]): number =>
    list.reduce((sum, { epochs }) => sum + epochs, 0);
  const stages: StageResult[] = [];
  const metrics: EpochMetrics[] = [];
  let parameters = base.parameters;
  let [steps, resumedFromStep, bestEpoch] = [0, 0, 0];
  for (const [index, plan] of plans.entries()) {
    const [stepsBefore, epochsBefore] = [steps, metrics.length];
    const stage = await runStage({
      settings: plan,
      base,
      parameters,
      ...examples,
      onProgress: (event) => {
        const perEpoch = event.totalSteps / plan.epochs;
        const rest = epochsOf(plans.slice(index + 1)) * perEpoch;
        onProgress({
          ...event,
          epoch: epochsBefore + event.epoch,
          step: stepsBefore + event.step,
          totalSteps: Math.round(stepsBefore + event.totalSteps + rest),
        });
      },
    });
    parameters = stage.parameters as typeof parameters;
    stages.push(stage.result);
    metrics.push(...stage.metrics.map((m) => ({ ...m, epoch: epochsBefore + m.epoch })));
    if (stage.resumedFromStep > 0) resumedFromStep = steps + stage.resumedFromStep;
    steps += stage.result.steps;
    bestEpoch = epochsBefore + stage.result.bestEpoch;
  }
  return { parameters, stages, metrics, steps, resumedFromStep, bestEpoch };
}

/** The settings of every stage; one for all strategies but gradual unfreezing. */
export function stagesOf(settings: Settings, layerCount: number): Settings[] {
  if (settings.strategy !== 'gradual-unfreezing') return [settings];
  const stages = settings.stages ?? defaultStages(settings.epochs, layerCount);
  return stages.map((stage, index) => {
    const learningRate = stage.learningRate ?? settings.learningRate;
    const share = settings.headLearningRate / settings.learningRate;
    return {
      ...settings,
      epochs: stage.epochs,
      trainableLayers: stage.trainableLayers,
      learningRate,
      headLearningRate: learningRate * share,
      checkpointDir:
        settings.checkpointDir === null ? null : join(settings.checkpointDir, `stage-${index + 1}`),
    };
  });
}

/** The head (2 epochs), then the upper half of the layers (1), then everything. */
function defaultStages(epochs: number, layerCount: number): Stage[] {
  return [
    { trainableLayers: 0, epochs: 2, learningRate: null },
    { trainableLayers: Math.ceil(layerCount / 2), epochs: 1, learningRate: null },
    { trainableLayers: null, epochs, learningRate: null },
  ];
}
