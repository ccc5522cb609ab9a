/**
 * From the pooled vector to the labels, as the classifiers of each Hugging Face family do it: BERT has
 * its pooler (tanh), DistilBERT its pre_classifier (relu), RoBERTa a dense layer (tanh) with dropout in
 * front as well; our own bases and vision transformers have the last linear layer alone.
 */
import type { Value } from '../onnx/graph.js';
import { type EncoderContext, linear } from './forward.js';
import { HEAD_DENSE } from './parameters.js';

/** `pooled` float32 [batch, hidden] to logits [batch, labels]. */
export function classify(context: EncoderContext, pooled: Value): Value {
  const { graph, config, dropout } = context;
  if (config.head === 'linear') return linear(context, 'classifier', dropout(pooled));
  const roberta = config.family === 'roberta';
  const dense = linear(context, HEAD_DENSE, roberta ? dropout(pooled) : pooled);
  const bent = config.family === 'distilbert' ? graph.relu(dense) : graph.tanh(dense);
  return linear(context, 'classifier', dropout(bent));
}
