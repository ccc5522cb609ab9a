/**
 * A Hugging Face config.json of the BERT family or of a vision transformer, read into the few numbers
 * that decide the graph. The families differ in parameter names (naming.ts), in token types, in where
 * positions start and in the head that stands between the pooled vector and the labels.
 */
import type { Json, JsonObject } from '../../lib/json.js';
import { getOwn } from '../../lib/json.js';

/** `frozen`: an architecture that is not written here, used through its ONNX file (frozen.ts). */
export type Family = 'bert' | 'distilbert' | 'roberta' | 'vit' | 'frozen';
/** How a sequence becomes one vector: the first token, or the mean over the real tokens. */
export type Pooling = 'cls' | 'mean';
export type Activation = 'gelu' | 'relu' | 'gelu_new';
/**
 * `linear`: labels straight from the pooled vector. `dense`: a dense layer with an activation before
 * it, as the classifiers of Hugging Face have one: BERT's pooler (tanh), DistilBERT's pre_classifier
 * (relu), RoBERTa's classifier.dense (tanh).
 */
export type Head = 'linear' | 'dense';

/** Square images cut into square patches. */
export interface ImageGrid {
  /** Pixels along an edge. */
  readonly size: number;
  readonly patchSize: number;
  readonly channels: number;
}

export interface EncoderConfig {
  readonly family: Family;
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly intermediateSize: number;
  /** Rows of the position table, the unused first ones of RoBERTa included. */
  readonly positionCount: number;
  /** Row of the position table for the first token: 0, for RoBERTa pad_token_id + 1. */
  readonly firstPosition: number;
  /** 0 where the family has no token types (DistilBERT). */
  readonly tokenTypeCount: number;
  readonly padTokenId: number;
  readonly layerNormEpsilon: number;
  readonly activation: Activation;
  readonly pooling: Pooling;
  readonly head: Head;
  /** What a vision transformer reads instead of tokens; null for text. */
  readonly image: ImageGrid | null;
}

/** Key under which config.json keeps our pooling; other readers ignore it. */
export const POOLING_KEY = 'stepwell_pooling';

/** Throws RangeError naming the key when the configuration cannot be run. */
export function parseConfig(config: JsonObject): EncoderConfig {
  const family = familyOf(config);
  const number = numberReader(config);
  const pooling = getOwn(config, POOLING_KEY);
  const names = family === 'distilbert' ? DISTILBERT_KEYS : BERT_KEYS;
  const hiddenSize = number(names.hiddenSize);
  const headCount = number(names.headCount);
  if (hiddenSize % headCount !== 0) {
    throw new RangeError(`config.json: ${headCount} heads do not divide ${hiddenSize}`);
  }
  const common = {
    family,
    hiddenSize,
    layerCount: number(names.layerCount),
    headCount,
    intermediateSize: number(names.intermediateSize),
    layerNormEpsilon: number('layer_norm_eps', 1e-12),
    activation: activationOf(getOwn(config, names.activation)),
    pooling: pooling === 'mean' ? ('mean' as const) : ('cls' as const),
  };
  return family === 'vit'
    ? { ...common, ...NO_TEXT, head: 'linear', ...imageOf(number) }
    : {
        ...common,
        ...textOf(family, number),
        // Bases of our own name their pooling and have no dense layer; those of the hub have one.
        head: pooling === undefined ? 'dense' : 'linear',
        image: null,
      };
}

const BERT_KEYS = {
  hiddenSize: 'hidden_size',
  headCount: 'num_attention_heads',
  layerCount: 'num_hidden_layers',
  intermediateSize: 'intermediate_size',
  activation: 'hidden_act',
};
const DISTILBERT_KEYS: typeof BERT_KEYS = {
  hiddenSize: 'dim',
  headCount: 'n_heads',
  layerCount: 'n_layers',
  intermediateSize: 'hidden_dim',
  activation: 'activation',
};

type ReadNumber = (key: string, fallback?: number) => number;

function numberReader(config: JsonObject): ReadNumber {
  return (key, fallback) => {
    const value = getOwn(config, key) ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
    throw new RangeError(`config.json: '${key}' must be a number, not ${JSON.stringify(value)}`);
  };
}

const NO_TEXT = { vocabularySize: 0, firstPosition: 0, tokenTypeCount: 0, padTokenId: 0 };

function textOf(family: Family, number: ReadNumber) {
  const padTokenId = number('pad_token_id', family === 'roberta' ? 1 : 0);
  return {
    vocabularySize: number('vocab_size'),
    positionCount: number('max_position_embeddings'),
    firstPosition: family === 'roberta' ? padTokenId + 1 : 0,
    tokenTypeCount: family === 'distilbert' ? 0 : number('type_vocab_size', 2),
    padTokenId,
  };
}

/** Positions: one per patch, and one for the class token before them. */
function imageOf(number: ReadNumber): { image: ImageGrid; positionCount: number } {
  const size = number('image_size', 224);
  const patchSize = number('patch_size', 16);
  if (patchSize === 0 || size % patchSize !== 0) {
    throw new RangeError(`config.json: patches of ${patchSize} do not divide images of ${size}`);
  }
  const image = { size, patchSize, channels: number('num_channels', 3) };
  return { image, positionCount: (size / patchSize) ** 2 + 1 };
}

/** Tokens per text that the position table allows. */
export function longestSequence(config: EncoderConfig): number {
  return config.positionCount - config.firstPosition;
}

/** Model types by the family whose graph and names they have. */
const FAMILY_OF: ReadonlyMap<string, Family> = new Map([
  ['bert', 'bert'],
  ['distilbert', 'distilbert'],
  ['roberta', 'roberta'],
  ['xlm-roberta', 'roberta'],
  ['camembert', 'roberta'],
  ['vit', 'vit'],
]);

/** Whether the architecture is written here, layer by layer. */
export function isKnownArchitecture(config: JsonObject): boolean {
  return FAMILY_OF.has(String(getOwn(config, 'model_type')));
}

function familyOf(config: JsonObject): Family {
  const modelType = getOwn(config, 'model_type');
  const family = FAMILY_OF.get(String(modelType));
  if (family === undefined) {
    throw new RangeError(
      `config.json: model_type ${JSON.stringify(modelType)} is not supported; ` +
        'use a bert, distilbert or roberta model for text, a vit model for images, or for feature ' +
        'extraction any image model with preprocessor_config.json and onnx/model.onnx',
    );
  }
  const positions = getOwn(config, 'position_embedding_type') ?? 'absolute';
  if (positions === 'absolute') return family;
  throw new RangeError(
    `config.json: position_embedding_type ${JSON.stringify(positions)} is not supported, only absolute`,
  );
}

function activationOf(name: Json | undefined): Activation {
  if (name === undefined || name === 'gelu') return 'gelu';
  if (name === 'relu' || name === 'gelu_new') return name;
  throw new RangeError(`config.json: the activation ${JSON.stringify(name)} is not supported`);
}
