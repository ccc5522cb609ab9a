/**
 * Hyperparameters in every spelling that people bring: ours in camelCase with their own types, and
 * SageMaker's string map with the names of Hugging Face's and SageMaker's scripts. An unknown one is
 * refused: a typing error that silently trains with the default is worse than a failed state.
 */
import { fromEntries, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { didYouMean } from '../../lib/suggest.js';
import { STRATEGIES } from '../../ml/fine-tune.js';

type Kind = 'integer' | 'number' | 'text' | 'flag' | 'list' | 'early-stop' | 'class-weights';
interface Spec {
  readonly kind: Kind;
  readonly schema: JsonObject;
  /** Other spellings, lower case and without separators. */
  readonly aliases: readonly string[];
}

const integer = (minimum: number, maximum: number): Pick<Spec, 'kind' | 'schema'> => ({
  kind: 'integer',
  schema: { type: 'integer', minimum, maximum },
});
const share = (): Pick<Spec, 'kind' | 'schema'> => ({
  kind: 'number',
  schema: { type: 'number', minimum: 0, exclusiveMaximum: 1 },
});

export const HYPERPARAMETERS = {
  strategy: {
    kind: 'text',
    schema: { enum: [...STRATEGIES] },
    aliases: ['trainingstrategy'],
  },
  epochs: { ...integer(1, 1000), aliases: ['numtrainepochs', 'epoch', 'numepochs'] },
  batchSize: {
    ...integer(1, 1024),
    aliases: ['trainbatchsize', 'perdevicetrainbatchsize', 'minibatchsize'],
  },
  learningRate: {
    kind: 'number',
    schema: { type: 'number', exclusiveMinimum: 0, maximum: 10 },
    aliases: ['lr'],
  },
  warmupRatio: { ...share(), aliases: ['warmup'] },
  schedule: {
    kind: 'text',
    schema: { type: 'string', minLength: 1 },
    aliases: ['lrschedulertype', 'lrscheduler'],
  },
  weightDecay: {
    kind: 'number',
    schema: { type: 'number', minimum: 0, maximum: 10 },
    aliases: ['wd'],
  },
  maxLength: { ...integer(4, 512), aliases: ['maxseqlength', 'maxseqlen', 'maxsequencelength'] },
  dropout: { ...share(), aliases: ['dropoutrate'] },
  tokenDropout: { ...share(), aliases: [] },
  seed: { ...integer(0, 2 ** 32 - 1), aliases: ['randomseed', 'randomstate'] },
  headLearningRate: {
    kind: 'number',
    schema: { type: 'number', exclusiveMinimum: 0, maximum: 10 },
    aliases: ['headlr'],
  },
  layerDecay: {
    kind: 'number',
    schema: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
    aliases: ['layerwiselrdecay'],
  },
  /** 0 trains the head alone. */
  trainableLayers: { ...integer(0, 1000), aliases: ['unfrozenlayers'] },
  /** Of gradual unfreezing: `[{"trainableLayers": 0, "epochs": 2}, …]`, null layers for all. */
  stages: {
    kind: 'list',
    schema: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        additionalProperties: false,
        properties: {
          trainableLayers: { type: ['integer', 'null'], minimum: 0, maximum: 1000 },
          epochs: { type: 'integer', minimum: 1, maximum: 1000 },
          learningRate: { type: 'number', exclusiveMinimum: 0, maximum: 10 },
        },
      },
    },
    aliases: ['unfreezingstages'],
  },
  optimizer: { kind: 'text', schema: { enum: ['adamw', 'sgd'] }, aliases: ['optim', 'optimiser'] },
  momentum: { ...share(), aliases: ['sgdmomentum'] },
  nesterov: { kind: 'flag', schema: { type: 'boolean' }, aliases: ['usenesterov'] },
  adamBeta1: { ...share(), aliases: [] },
  adamBeta2: { ...share(), aliases: [] },
  adamEpsilon: {
    kind: 'number',
    schema: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
    aliases: [],
  },
  labelSmoothing: { ...share(), aliases: ['labelsmoothingfactor'] },
  gradientAccumulationSteps: { ...integer(1, 1024), aliases: ['gradientaccumulation'] },
  clipNorm: {
    kind: 'number',
    schema: { type: 'number', exclusiveMinimum: 0 },
    aliases: ['maxgradnorm', 'gradientclipping'],
  },
  initialisation: {
    kind: 'text',
    schema: { enum: ['pretrained', 'random'] },
    aliases: ['initialization'],
  },
  classWeights: {
    kind: 'class-weights',
    schema: {
      anyOf: [
        { const: 'balanced' },
        { type: 'array', items: { type: 'number', exclusiveMinimum: 0 }, minItems: 2 },
      ],
    },
    aliases: ['classweight'],
  },
  /** `{patience, metric}`, or the patience alone. */
  earlyStop: {
    kind: 'early-stop',
    schema: {
      type: 'object',
      required: ['patience', 'metric'],
      additionalProperties: false,
      properties: {
        patience: { type: 'integer', minimum: 1 },
        metric: { enum: ['loss', 'accuracy', 'macroF1'] },
      },
    },
    aliases: ['earlystopping', 'earlystoppingpatience'],
  },
} as const satisfies Record<string, Spec>;

export type HyperparameterName = keyof typeof HYPERPARAMETERS;

const MODEL_ALIASES = [
  'model',
  'modelname',
  'modelnameorpath',
  'modelid',
  'basemodel',
  'pretrainedmodel',
];

export interface ReadHyperparameters {
  readonly values: JsonObject;
  /** The base model, which SageMaker scripts take as a hyperparameter. */
  readonly model: string | null;
  readonly problems: readonly string[];
}

/** Reads a map of hyperparameters; `problems` says which are unknown or do not fit. */
export function readHyperparameters(given: JsonObject): ReadHyperparameters {
  const values: [string, Json][] = [];
  const problems: string[] = [];
  let model: string | null = null;
  for (const [key, raw] of Object.entries(given)) {
    const plain = key.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
    // The SageMaker SDK adds its own entries (sagemaker_program, sagemaker_region, …).
    if (/^sagemaker[_-]/.test(key)) continue;
    const value = unquoted(raw);
    if (MODEL_ALIASES.includes(plain)) {
      model = String(value);
      continue;
    }
    const name = nameOf(plain);
    if (name === null) {
      problems.push(
        `hyperparameter "${key}" is unknown.${didYouMean(key, Object.keys(HYPERPARAMETERS))}`,
      );
      continue;
    }
    const read = convert(value, HYPERPARAMETERS[name].kind);
    if (read === undefined)
      problems.push(
        `hyperparameter "${key}": ${JSON.stringify(raw)} is no ${HYPERPARAMETERS[name].kind}.`,
      );
    else values.push([name, read]);
  }
  return { values: fromEntries(values), model, problems };
}

function nameOf(plain: string): HyperparameterName | null {
  const names = Object.keys(HYPERPARAMETERS) as HyperparameterName[];
  const aliases = (name: HyperparameterName): readonly string[] => HYPERPARAMETERS[name].aliases;
  return (
    names.find((name) => name.toLowerCase() === plain || aliases(name).includes(plain)) ?? null
  );
}

/** The SageMaker SDK writes every value as JSON: a text arrives with its quotes. */
function unquoted(raw: Json): Json {
  if (typeof raw !== 'string' || !/^\s*["{[]/.test(raw)) return raw;
  try {
    return JSON.parse(raw) as Json;
  } catch {
    return raw;
  }
}

function convert(value: Json, kind: Kind): Json | undefined {
  switch (kind) {
    case 'text':
      return typeof value === 'string' ? value : undefined;
    case 'flag':
      return value === true || value === 'true'
        ? true
        : value === false || value === 'false'
          ? false
          : undefined;
    case 'list':
      return isArray(value) ? value : undefined;
    case 'class-weights':
      return value === 'balanced' || isArray(value) ? value : undefined;
    case 'early-stop': {
      if (isObject(value)) return value;
      const patience = numberOf(value);
      return patience === undefined ? undefined : { patience, metric: 'loss' };
    }
    case 'integer': {
      const number = numberOf(value);
      return Number.isInteger(number) ? number : undefined;
    }
    case 'number':
      return numberOf(value);
  }
}

function numberOf(value: Json): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
