/**
 * A Hugging Face config.json of the BERT family, read into the few numbers that decide the graph.
 * The families differ in parameter names (naming.ts), in token types and in where positions start.
 */
import type { Json, JsonObject } from '../../lib/json.js';
import { getOwn } from '../../lib/json.js';

export type Family = 'bert' | 'distilbert' | 'roberta';
/** How a sequence becomes one vector: the first token, or the mean over the real tokens. */
export type Pooling = 'cls' | 'mean';
export type Activation = 'gelu' | 'relu' | 'gelu_new';

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
}

/** Key under which config.json keeps our pooling; other readers ignore it. */
export const POOLING_KEY = 'stepwell_pooling';

/** Throws RangeError naming the key when the configuration cannot be run. */
export function parseConfig(config: JsonObject): EncoderConfig {
  const family = familyOf(getOwn(config, 'model_type'));
  const distil = family === 'distilbert';
  const number = (key: string, fallback?: number): number => {
    const value = getOwn(config, key) ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
    throw new RangeError(`config.json: '${key}' must be a number, not ${JSON.stringify(value)}`);
  };
  const padTokenId = number('pad_token_id', family === 'roberta' ? 1 : 0);
  const hiddenSize = number(distil ? 'dim' : 'hidden_size');
  const headCount = number(distil ? 'n_heads' : 'num_attention_heads');
  if (hiddenSize % headCount !== 0) {
    throw new RangeError(`config.json: ${headCount} heads do not divide ${hiddenSize}`);
  }
  return {
    family,
    vocabularySize: number('vocab_size'),
    hiddenSize,
    layerCount: number(distil ? 'n_layers' : 'num_hidden_layers'),
    headCount,
    intermediateSize: number(distil ? 'hidden_dim' : 'intermediate_size'),
    positionCount: number('max_position_embeddings'),
    firstPosition: family === 'roberta' ? padTokenId + 1 : 0,
    tokenTypeCount: distil ? 0 : number('type_vocab_size', 2),
    padTokenId,
    layerNormEpsilon: number('layer_norm_eps', 1e-12),
    activation: activationOf(getOwn(config, distil ? 'activation' : 'hidden_act')),
    pooling: getOwn(config, POOLING_KEY) === 'mean' ? 'mean' : 'cls',
  };
}

/** Tokens per text that the position table allows. */
export function longestSequence(config: EncoderConfig): number {
  return config.positionCount - config.firstPosition;
}

function familyOf(modelType: Json | undefined): Family {
  if (modelType === 'bert' || modelType === 'distilbert' || modelType === 'roberta') {
    return modelType;
  }
  throw new RangeError(
    `config.json: model_type ${JSON.stringify(modelType)} is not supported; ` +
      'use a bert, distilbert or roberta model',
  );
}

function activationOf(name: Json | undefined): Activation {
  if (name === undefined || name === 'gelu') return 'gelu';
  if (name === 'relu' || name === 'gelu_new') return name;
  throw new RangeError(`config.json: the activation ${JSON.stringify(name)} is not supported`);
}
