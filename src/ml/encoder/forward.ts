/**
 * The forward pass of a BERT-family encoder (Devlin et al. 2018), written once: training graphs
 * give static shapes and dropout masks, inference exports give symbolic axes and no dropout.
 */
import type { Graph, Value } from '../onnx/graph.js';
import type { EncoderConfig } from './config.js';
import { EMBEDDING_NORM, layerName } from './parameters.js';

/** Added to the attention score of padding; exp(-10000) is 0 in float32. */
const PADDING_SCORE = 10_000;

export interface EncoderInputs {
  /** int64 [batch, sequence] */
  readonly inputIds: Value;
  /** int64 [batch, sequence], 1 = real token, 0 = padding */
  readonly attentionMask: Value;
  /** int64 [batch, sequence]; null means type 0 everywhere */
  readonly tokenTypeIds: Value | null;
}

export interface EncoderContext {
  readonly graph: Graph;
  readonly config: EncoderConfig;
  readonly parameter: (name: string) => Value;
  /** Applies dropout at a site, or returns the value itself. */
  readonly dropout: (x: Value) => Value;
}

export interface EncoderOutputs {
  /** float32 [batch, sequence, hidden] */
  readonly hidden: Value;
  /** float32 [batch, hidden] */
  readonly pooled: Value;
}

/** The text encoder; images go through vision.ts. */
export function encode(context: EncoderContext, inputs: EncoderInputs): EncoderOutputs {
  const { graph, config } = context;
  const score = maskScore(graph, inputs.attentionMask);
  let hidden = context.dropout(embed(context, inputs));
  for (let index = 0; index < config.layerCount; index++) {
    hidden = layer(context, layerName(index), hidden, score);
  }
  return { hidden, pooled: pool(context, hidden, inputs.attentionMask) };
}

/** x W + b for x [..., in]. */
export function linear(context: EncoderContext, name: string, x: Value): Value {
  const { graph, parameter } = context;
  return graph.add(graph.matmul(x, parameter(`${name}.weight`)), parameter(`${name}.bias`));
}

export function normalise(context: EncoderContext, name: string, x: Value): Value {
  const { graph, parameter, config } = context;
  const [gain, bias] = [parameter(`${name}.weight`), parameter(`${name}.bias`)];
  return graph.layerNorm(x, gain, bias, config.layerNormEpsilon);
}

/** The feed-forward activation named by the configuration. */
export function activate(context: EncoderContext, x: Value): Value {
  const { graph, config } = context;
  switch (config.activation) {
    case 'relu':
      return graph.relu(x);
    case 'gelu':
      return gelu(graph, x);
    case 'gelu_new':
      return tanhGelu(graph, x);
  }
}

/** x/2 (1 + erf(x / sqrt 2)): Hendrycks and Gimpel 2016. */
function gelu(graph: Graph, x: Value): Value {
  const cumulative = graph.erf(graph.multiply(x, graph.scalar(Math.SQRT1_2)));
  const half = graph.multiply(graph.add(cumulative, graph.scalar(1)), graph.scalar(0.5));
  return graph.multiply(x, half);
}

/** x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): the approximation of the same paper. */
function tanhGelu(graph: Graph, x: Value): Value {
  const cube = graph.multiply(graph.multiply(x, x), x);
  const inner = graph.add(x, graph.multiply(cube, graph.scalar(0.044715)));
  const bend = graph.tanh(graph.multiply(inner, graph.scalar(Math.sqrt(2 / Math.PI))));
  const half = graph.multiply(graph.add(bend, graph.scalar(1)), graph.scalar(0.5));
  return graph.multiply(x, half);
}

/** 0 for real tokens, -10000 for padding: [batch, 1, 1, sequence]. */
function maskScore(graph: Graph, mask: Value): Value {
  const wide = graph.unsqueeze(graph.cast(mask, 'float32'), [1, 2]);
  return graph.multiply(graph.subtract(wide, graph.scalar(1)), graph.scalar(PADDING_SCORE));
}

/** Word, position and token-type embeddings, normalised: [batch, sequence, hidden]. */
function embed(context: EncoderContext, inputs: EncoderInputs): Value {
  const { graph, config, parameter } = context;
  const words = graph.gather(parameter('embeddings.word_embeddings.weight'), inputs.inputIds);
  let sum = graph.add(words, positions(context, inputs.inputIds));
  if (config.tokenTypeCount > 0) {
    const types = parameter('embeddings.token_type_embeddings.weight');
    const ids = inputs.tokenTypeIds;
    sum = graph.add(sum, ids === null ? graph.slice(types, 0, 0, 1) : graph.gather(types, ids));
  }
  return normalise(context, EMBEDDING_NORM, sum);
}

/** The first rows of the position table, one per token: [sequence, hidden]. */
function positions(context: EncoderContext, inputIds: Value): Value {
  const { graph, config, parameter } = context;
  const rows = parameter('embeddings.position_embeddings.weight');
  const first = config.firstPosition;
  const length = inputIds.shape[1]!;
  if (typeof length === 'number') return graph.slice(rows, 0, first, first + length);
  const sequence = graph.slice(graph.shapeOf(inputIds), 0, 1, 2);
  const at = graph.add(sequence, graph.integers([first]));
  return graph.slice(rows, 0, first, { at, name: length });
}

/** One transformer layer, normalised after each residual sum as BERT does. */
function layer(context: EncoderContext, name: string, x: Value, score: Value): Value {
  const { graph } = context;
  const attended = linear(
    context,
    `${name}.attention.output.dense`,
    attend(context, name, x, score),
  );
  const middle = normalise(
    context,
    `${name}.attention.output.LayerNorm`,
    graph.add(x, context.dropout(attended)),
  );
  const inner = activate(context, linear(context, `${name}.intermediate.dense`, middle));
  const outer = context.dropout(linear(context, `${name}.output.dense`, inner));
  return normalise(context, `${name}.output.LayerNorm`, graph.add(middle, outer));
}

/**
 * Multi-head scaled dot-product attention before its output layer: [batch, sequence, hidden]. `score`
 * is added to every match; null when nothing is masked.
 */
export function attend(
  context: EncoderContext,
  name: string,
  x: Value,
  score: Value | null,
): Value {
  const { graph, config } = context;
  const width = config.hiddenSize / config.headCount;
  const heads = (role: string, order: readonly number[]): Value => {
    const projected = linear(context, `${name}.attention.self.${role}`, x);
    return graph.transpose(graph.reshape(projected, [0, 0, config.headCount, width]), order);
  };
  const query = graph.multiply(heads('query', [0, 2, 1, 3]), graph.scalar(1 / Math.sqrt(width)));
  const match = graph.matmul(query, heads('key', [0, 2, 3, 1]));
  const masked = score === null ? match : graph.add(match, score);
  const share = context.dropout(graph.softmax(masked));
  const mixed = graph.matmul(share, heads('value', [0, 2, 1, 3]));
  return graph.reshape(graph.transpose(mixed, [0, 2, 1, 3]), [0, 0, config.hiddenSize]);
}

/** [batch, hidden]: the first token's vector, or the mean over the real tokens. */
function pool(context: EncoderContext, hidden: Value, mask: Value): Value {
  const { graph, config } = context;
  if (config.pooling === 'cls') {
    return graph.reshape(graph.slice(hidden, 1, 0, 1), [0, config.hiddenSize]);
  }
  const weight = graph.unsqueeze(graph.cast(mask, 'float32'), [2]);
  const total = graph.sum(graph.multiply(hidden, weight), [1], false);
  return graph.divide(total, graph.sum(weight, [1], false));
}
