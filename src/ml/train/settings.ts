/**
 * What a fine-tuning run can be told, its defaults, and the one place where it is checked. Every
 * complaint names the option and says what to write instead.
 */
export { FineTuneError } from './fine-tune-error.js';
import { checkSettings } from './settings-check.js';

/**
 * `feature-extraction` trains the head on features of the frozen base, computed once; `full` trains
 * everything; `discriminative` trains everything with rates that fall layer by layer downwards
 * (ULMFiT, Howard and Ruder 2018); `gradual-unfreezing` goes through stages, the head first.
 */
export const STRATEGIES = [
  'feature-extraction',
  'full',
  'gradual-unfreezing',
  'discriminative',
] as const;
export type Strategy = (typeof STRATEGIES)[number];
export type Schedule = 'linear' | 'cosine' | 'constant';
export type MetricName = 'loss' | 'accuracy' | 'macroF1';

export interface EarlyStop {
  /** Epochs without improvement after which training ends. */
  readonly patience: number;
  readonly metric: MetricName;
}

/** One stage of gradual unfreezing; what is null is taken from the run's own settings. */
export interface Stage {
  /** Top layers trained beside the head: 0 the head alone, null everything. */
  readonly trainableLayers: number | null;
  readonly epochs: number;
  readonly learningRate: number | null;
}

/** ULMFiT: the rate of a layer is that of the layer above it divided by 2.6. */
export const ULMFIT_DECAY = 1 / 2.6;

export interface FineTuneOptions {
  /** Local model folder, or a hub id such as `distilbert-base-uncased`. */
  readonly model: string;
  /** JSON Lines of `{"text": …, "label": …}`. */
  readonly trainPath: string;
  readonly validationPath?: string | undefined;
  /** Label names; their order is their id. */
  readonly labels: readonly string[];
  readonly outputDir: string;
  readonly strategy?: Strategy | undefined;
  readonly epochs?: number | undefined;
  readonly batchSize?: number | undefined;
  readonly learningRate?: number | undefined;
  /** Learning rate of the classification head; default: learningRate. */
  readonly headLearningRate?: number | undefined;
  /** Factor per layer downwards; default 1, for the discriminative strategy ULMFiT's 1/2.6. */
  readonly layerDecay?: number | undefined;
  /** Only this many top layers (and the head) are trained; default: all, embeddings included. */
  readonly trainableLayers?: number | undefined;
  /** Stages of gradual unfreezing; default: head (2 epochs), upper half (1), everything (epochs). */
  readonly stages?: readonly StageOptions[] | undefined;
  /**
   * Parts that must be the trained ones, such as `["head", "encoder.layer.3"]`: the run refuses to
   * start when the settings would train others (an off-by-one in unfreezing is silent otherwise).
   */
  readonly expectTrainable?: readonly string[] | undefined;
  readonly warmupRatio?: number | undefined;
  readonly schedule?: Schedule | undefined;
  readonly weightDecay?: number | undefined;
  readonly optimizer?: 'adamw' | 'sgd' | undefined;
  /** Of sgd; default 0.9. */
  readonly momentum?: number | undefined;
  /** Of sgd: step along the gradient at the place that the momentum leads to. */
  readonly nesterov?: boolean | undefined;
  /** Of adamw; torch's defaults 0.9, 0.999 and 1e-8. */
  readonly adamBeta1?: number | undefined;
  readonly adamBeta2?: number | undefined;
  readonly adamEpsilon?: number | undefined;
  /** Share of the target spread over all labels (Szegedy et al. 2016); default 0. */
  readonly labelSmoothing?: number | undefined;
  /** Batches whose mean gradient makes one optimiser step; default 1. */
  readonly gradientAccumulationSteps?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly dropout?: number | undefined;
  /** Share of tokens shown as [MASK] while training (full strategy); default 0. */
  readonly tokenDropout?: number | undefined;
  /** Largest global gradient norm. */
  readonly clipNorm?: number | undefined;
  readonly seed?: number | undefined;
  readonly earlyStop?: EarlyStop | undefined;
  /** One weight per label, or 'balanced' for n / (classes * count). */
  readonly classWeights?: readonly number[] | 'balanced' | undefined;
  /** 'random' discards the pre-trained weights: the control of an experiment. */
  readonly initialisation?: 'pretrained' | 'random' | undefined;
  /** Absent: no checkpoints, a killed run starts over. */
  readonly checkpointDir?: string | undefined;
  /** A checkpoint is also written at the end of every epoch. */
  readonly checkpointEverySteps?: number | undefined;
  /** Of one run of a graph; default 2, for the work shares its machine. */
  readonly threads?: number | undefined;
  /** Where files of hub models are kept. */
  readonly cacheDir?: string | undefined;
}

export interface StageOptions {
  readonly trainableLayers?: number | null | undefined;
  readonly epochs?: number | undefined;
  readonly learningRate?: number | undefined;
}

export interface Settings {
  readonly model: string;
  readonly trainPath: string;
  readonly validationPath: string | null;
  readonly labels: readonly string[];
  readonly outputDir: string;
  readonly strategy: Strategy;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly headLearningRate: number;
  readonly layerDecay: number;
  readonly trainableLayers: number | null;
  /** null: the default stages, which depend on the model's layers. */
  readonly stages: readonly Stage[] | null;
  readonly expectTrainable: readonly string[] | null;
  readonly warmupRatio: number;
  readonly schedule: Schedule;
  readonly weightDecay: number;
  readonly optimizer: 'adamw' | 'sgd';
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly adamBeta1: number;
  readonly adamBeta2: number;
  readonly adamEpsilon: number;
  readonly labelSmoothing: number;
  readonly gradientAccumulationSteps: number;
  readonly maxLength: number;
  readonly dropout: number;
  readonly tokenDropout: number;
  readonly clipNorm: number;
  readonly seed: number;
  readonly earlyStop: EarlyStop | null;
  readonly classWeights: readonly number[] | 'balanced' | null;
  readonly initialisation: 'pretrained' | 'random';
  readonly checkpointDir: string | null;
  readonly checkpointEverySteps: number;
  readonly threads: number;
  readonly cacheDir: string;
}

/** Settings that decide the weights: a checkpoint of other values is not continued. */
export const IDENTITY_EXCLUDES: ReadonlySet<keyof Settings> = new Set([
  'model',
  'trainPath',
  'validationPath',
  'outputDir',
  'checkpointDir',
  'checkpointEverySteps',
  'threads',
  'cacheDir',
  'expectTrainable',
  'stages',
]);

/** Fills in defaults and checks every option. Throws FineTuneError. */
export function settle(options: FineTuneOptions): Settings {
  const learningRate = options.learningRate ?? 2e-5;
  const strategy = options.strategy ?? 'full';
  const epochs = options.epochs ?? 3;
  const settings: Settings = {
    model: options.model,
    trainPath: options.trainPath,
    validationPath: options.validationPath ?? null,
    labels: options.labels,
    outputDir: options.outputDir,
    strategy,
    epochs,
    batchSize: options.batchSize ?? 16,
    learningRate,
    headLearningRate: options.headLearningRate ?? learningRate,
    layerDecay: options.layerDecay ?? (strategy === 'discriminative' ? ULMFIT_DECAY : 1),
    trainableLayers: options.trainableLayers ?? null,
    stages: options.stages?.map((stage) => settledStage(stage, epochs)) ?? null,
    expectTrainable: options.expectTrainable ?? null,
    warmupRatio: options.warmupRatio ?? 0.1,
    schedule: options.schedule ?? 'linear',
    weightDecay: options.weightDecay ?? 0.01,
    optimizer: options.optimizer ?? 'adamw',
    momentum: options.momentum ?? 0.9,
    nesterov: options.nesterov ?? false,
    adamBeta1: options.adamBeta1 ?? 0.9,
    adamBeta2: options.adamBeta2 ?? 0.999,
    adamEpsilon: options.adamEpsilon ?? 1e-8,
    labelSmoothing: options.labelSmoothing ?? 0,
    gradientAccumulationSteps: options.gradientAccumulationSteps ?? 1,
    maxLength: options.maxLength ?? 128,
    dropout: options.dropout ?? 0.1,
    tokenDropout: options.tokenDropout ?? 0,
    clipNorm: options.clipNorm ?? 1,
    seed: options.seed ?? 42,
    earlyStop: options.earlyStop ?? null,
    classWeights: options.classWeights ?? null,
    initialisation: options.initialisation ?? 'pretrained',
    checkpointDir: options.checkpointDir ?? null,
    checkpointEverySteps: options.checkpointEverySteps ?? 200,
    threads: options.threads ?? 2,
    cacheDir: options.cacheDir ?? '.cache/models',
  };
  checkSettings(settings);
  return settings;
}

function settledStage(stage: StageOptions, epochs: number): Stage {
  return {
    trainableLayers: stage.trainableLayers ?? null,
    epochs: stage.epochs ?? epochs,
    learningRate: stage.learningRate ?? null,
  };
}
