/**
 * The forward pass of a vision transformer (Dosovitskiy et al. 2020) from the same blocks as the text
 * encoder: patches are cut with reshapes, so that the patch embedding is one matrix product, and each
 * layer is normalised before its two parts instead of after them.
 */
import type { Dimension } from '../onnx/tensor.js';
import type { Value } from '../onnx/graph.js';
import {
  activate,
  attend,
  type EncoderContext,
  type EncoderOutputs,
  linear,
  normalise,
} from './forward.js';
import { CLASS_TOKEN, FINAL_NORM, layerName } from './parameters.js';

/** Shape of the input `pixel_values`: [batch, channels, size, size]. */
export function pixelShape(context: EncoderContext, batch: Dimension): readonly Dimension[] {
  const { channels, size } = context.config.image!;
  return [batch, channels, size, size];
}

/** `pixels` float32 [batch, channels, size, size], normalised as the model's processor says. */
export function encodeImages(context: EncoderContext, pixels: Value): EncoderOutputs {
  const { graph, config } = context;
  let hidden = context.dropout(embedPatches(context, pixels));
  for (let index = 0; index < config.layerCount; index++) {
    hidden = layer(context, layerName(index), hidden);
  }
  hidden = normalise(context, FINAL_NORM, hidden);
  const pooled = graph.reshape(graph.slice(hidden, 1, 0, 1), [0, config.hiddenSize]);
  return { hidden, pooled };
}

/** Class token first, then the patches row by row, each with its position: [batch, patches + 1, hidden]. */
function embedPatches(context: EncoderContext, pixels: Value): Value {
  const { graph, config, parameter } = context;
  const { size, patchSize, channels } = config.image!;
  const side = size / patchSize;
  const cut = graph.reshape(pixels, [0, channels, side, patchSize, side, patchSize]);
  const ordered = graph.transpose(cut, [0, 2, 4, 1, 3, 5]);
  const patches = graph.reshape(ordered, [0, side * side, channels * patchSize * patchSize]);
  const embedded = linear(context, 'embeddings.patch', patches);
  const behindToken = graph.pad(embedded, [0, 1, 0], [0, 0, 0]);
  const token = graph.pad(parameter(CLASS_TOKEN), [0, 0], [side * side, 0]);
  const places = graph.add(parameter('embeddings.position_embeddings.weight'), token);
  return graph.add(behindToken, places);
}

function layer(context: EncoderContext, name: string, x: Value): Value {
  const { graph } = context;
  const attended = attend(context, name, normalise(context, `${name}.before.LayerNorm`, x), null);
  const projected = linear(context, `${name}.attention.output.dense`, attended);
  const middle = graph.add(x, context.dropout(projected));
  const ready = normalise(context, `${name}.after.LayerNorm`, middle);
  const inner = activate(context, linear(context, `${name}.intermediate.dense`, ready));
  const outer = linear(context, `${name}.output.dense`, inner);
  return graph.add(middle, context.dropout(outer));
}
