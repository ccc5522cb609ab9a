/** Losses as graph nodes: weighted cross entropy, and the masked-language-model head. */
import type { Graph, Value } from '../onnx/graph.js';
import type { EncoderContext } from './forward.js';
import { activate, linear, normalise } from './forward.js';

/**
 * sum(w * -log p[label]) / sum(w). `logits` [rows, classes], `labels` int64 [rows], `weights`
 * float32 [rows]: a class weight, or 0 for a row that only fills the batch. Same as torch's
 * CrossEntropyLoss(weight) with reduction 'mean'.
 */
export function crossEntropy(graph: Graph, logits: Value, labels: Value, weights: Value): Value {
  const rows = labels.shape[0] as number;
  const column = graph.reshape(labels, [rows, 1]);
  const chosen = graph.reshape(graph.gatherElements(graph.logSoftmax(logits), column), [rows]);
  const total = graph.sum(graph.multiply(chosen, weights), [0], false);
  return graph.negate(graph.divide(total, graph.sum(weights, [0], false)));
}

/**
 * Scores over the vocabulary for the tokens at `positions` (int64 [masked], indices into
 * batch * sequence): float32 [masked, vocabulary]. The decoder shares the word embeddings.
 */
export function maskedLogits(context: EncoderContext, hidden: Value, positions: Value): Value {
  const { graph, config, parameter } = context;
  const [batch, sequence] = hidden.shape as readonly number[];
  const rows = graph.reshape(hidden, [batch! * sequence!, config.hiddenSize]);
  const picked = graph.gather(rows, positions);
  const transformed = activate(context, linear(context, 'predictions.transform', picked));
  const ready = normalise(context, 'predictions.LayerNorm', transformed);
  const words = parameter('embeddings.word_embeddings.weight');
  return graph.add(graph.gemm(ready, words, false, true), parameter('predictions.bias'));
}
