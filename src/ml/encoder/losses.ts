/** Losses as graph nodes: weighted cross entropy, and the masked-language-model head. */
import type { Graph, Value } from '../onnx/graph.js';
import type { EncoderContext } from './forward.js';
import { floatTensor } from '../onnx/tensor.js';
import { activate, linear, normalise } from './forward.js';

/** Label smoothing: `share` of the target goes evenly to all classes, each with its class weight. */
export interface Smoothing {
  readonly share: number;
  /** One per class. */
  readonly classWeights: readonly number[];
}

/**
 * sum(w * -log p[label]) / sum(w). `logits` [rows, classes], `labels` int64 [rows], `weights`
 * float32 [rows]: a class weight, or 0 for a row that only fills the batch. Same as torch's
 * CrossEntropyLoss(weight, label_smoothing) with reduction 'mean'.
 */
export function crossEntropy(
  graph: Graph,
  logits: Value,
  labels: Value,
  weights: Value,
  smoothing: Smoothing | null = null,
): Value {
  const rows = labels.shape[0] as number;
  const column = graph.reshape(labels, [rows, 1]);
  const logProbabilities = graph.logSoftmax(logits);
  const chosen = graph.reshape(graph.gatherElements(logProbabilities, column), [rows]);
  const total = graph.sum(graph.multiply(chosen, weights), [0], false);
  const blended =
    smoothing === null
      ? total
      : graph.add(
          graph.multiply(total, graph.scalar(1 - smoothing.share)),
          evenly(graph, logProbabilities, weights, smoothing),
        );
  return graph.negate(graph.divide(blended, graph.sum(weights, [0], false)));
}

/** share / classes * sum over real rows and classes of classWeight * log p. */
function evenly(graph: Graph, logProbabilities: Value, weights: Value, s: Smoothing): Value {
  const { share, classWeights } = s;
  const scaled = classWeights.map((weight) => (weight * share) / classWeights.length);
  const perClass = graph.constant(floatTensor([scaled.length], Float32Array.from(scaled)));
  const perRow = graph.sum(graph.multiply(logProbabilities, perClass), [1], false);
  return graph.sum(graph.multiply(perRow, graph.sign(weights)), [0], false);
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
