/**
 * Inference models with symbolic batch and sequence axes, as transformers.js expects them: inputs
 * input_ids, attention_mask (and token_type_ids where the family has types), output `logits` or
 * `last_hidden_state`; both also give `embedding`, the pooled vector.
 */
import { Graph, type Value } from '../onnx/graph.js';
import type { FloatTensors } from '../onnx/tensor.js';
import type { EncoderConfig } from './config.js';
import { type EncoderContext, encode, linear } from './forward.js';
import { familyName } from './naming.js';

const AXES = ['batch_size', 'sequence_length'] as const;

/** `parameters` hold the encoder and, for a classifier, classifier.weight and classifier.bias. */
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
      const value = graph.initialiser(exportedName(config, name, tensor.shape), tensor);
      values.set(name, value);
      return value;
    },
  };
  const outputs = encode(context, {
    inputIds: graph.input('input_ids', AXES, 'int64'),
    attentionMask: graph.input('attention_mask', AXES, 'int64'),
    tokenTypeIds: config.tokenTypeCount > 0 ? graph.input('token_type_ids', AXES, 'int64') : null,
  });
  if (kind === 'classifier') graph.output(linear(context, 'classifier', outputs.pooled), 'logits');
  else graph.output(outputs.hidden, 'last_hidden_state');
  graph.output(outputs.pooled, 'embedding');
  return graph.build();
}

/** Linear weights are stored [in, out] here, so they do not carry torch's name. */
function exportedName(config: EncoderConfig, name: string, shape: readonly number[]): string {
  const own = familyName(config, name);
  const isLinear = shape.length === 2 && !name.startsWith('embeddings.');
  return isLinear ? own.replace(/\.weight$/, '.weight_in_out') : own;
}
