/**
 * Inference models with symbolic batch and sequence axes, as transformers.js expects them: inputs
 * input_ids, attention_mask (and token_type_ids where the family has types) or pixel_values, output
 * `logits` or `last_hidden_state`; both also give `embedding`, the pooled vector.
 */
import { Graph, type Value } from '../onnx/graph.js';
import type { FloatTensors } from '../onnx/tensor.js';
import type { EncoderConfig } from './config.js';
import { type EncoderContext, type EncoderOutputs, encode } from './forward.js';
import { classify } from './head.js';
import { familyName } from './naming.js';
import { isLinearWeight } from './parameters.js';
import { encodeImages, pixelShape } from './vision.js';

const AXES = ['batch_size', 'sequence_length'] as const;

/** `parameters` hold the encoder and, for a classifier, its head. */
export function exportModel(
  config: EncoderConfig,
  parameters: FloatTensors,
  kind: 'classifier' | 'features',
): Uint8Array {
  const graph = new Graph();
  const values = new Map<string, Value>();
  const context: EncoderContext = {
    graph,
    config,
    dropout: (x) => x,
    parameter: (name) => {
      const known = values.get(name);
      if (known !== undefined) return known;
      const tensor = parameters.get(name);
      if (tensor === undefined) throw new RangeError(`There are no weights for '${name}'`);
      const value = graph.initialiser(exportedName(config, name), tensor);
      values.set(name, value);
      return value;
    },
  };
  const outputs = config.image === null ? encodeTexts(context) : encodePixels(context);
  if (kind === 'classifier') graph.output(classify(context, outputs.pooled), 'logits');
  else graph.output(outputs.hidden, 'last_hidden_state');
  graph.output(outputs.pooled, 'embedding');
  return graph.build();
}

function encodeTexts(context: EncoderContext): EncoderOutputs {
  const { graph, config } = context;
  return encode(context, {
    inputIds: graph.input('input_ids', AXES, 'int64'),
    attentionMask: graph.input('attention_mask', AXES, 'int64'),
    tokenTypeIds: config.tokenTypeCount > 0 ? graph.input('token_type_ids', AXES, 'int64') : null,
  });
}

function encodePixels(context: EncoderContext): EncoderOutputs {
  const pixels = context.graph.input('pixel_values', pixelShape(context, AXES[0]));
  return encodeImages(context, pixels);
}

/** Linear weights are stored [in, out] here, so they do not carry torch's name. */
function exportedName(config: EncoderConfig, name: string): string {
  const own = familyName(config, name);
  return isLinearWeight(name) ? own.replace(/\.weight$/, '.weight_in_out') : own;
}
