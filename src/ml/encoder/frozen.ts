/**
 * A frozen image base that is only an ONNX file: ResNet, ConvNeXt, the image side of CLIP, whatever takes
 * `pixel_values`. Its gradients are not written here, so it serves feature extraction alone: its features
 * become one vector per image, and the trained head is appended to the same file.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { extendModel } from '../onnx/extend.js';
import type { Node } from '../onnx/model.js';
import { decodeModel } from '../onnx/model-reader.js';
import { openSession, runSession } from '../onnx/session.js';
import { type FloatTensors, floatTensor } from '../onnx/tensor.js';
import type { EncoderConfig } from './config.js';

/** The image side of a model of two sides has a file of its own. */
const FILES = ['onnx/vision_model.onnx', 'onnx/model.onnx'] as const;
/** The most condensed one that the file has. */
const FEATURES = ['embedding', 'image_embeds', 'pooler_output', 'last_hidden_state'] as const;
const CHANNELS = 3;

export interface FrozenBase {
  /** The file with an output `embedding`, [batch, width]. */
  readonly model: Uint8Array;
  readonly config: EncoderConfig;
}

/** Throws RangeError naming what the folder lacks. */
export async function loadFrozenBase(folder: string, size: number): Promise<FrozenBase> {
  const file = FILES.find((name) => existsSync(join(folder, name)));
  if (file === undefined) {
    throw new RangeError(
      `${folder} holds neither ${FILES.join(' nor ')}: a base whose architecture is not written ` +
        'here is used through its ONNX file',
    );
  }
  const bytes = readFileSync(join(folder, file));
  const { inputNames, initialisers, outputNames } = decodeModel(bytes);
  const inputs = inputNames.filter((name) => !initialisers.has(name));
  if (inputs.join() !== 'pixel_values') {
    throw new RangeError(
      `${file} takes ${inputs.join(', ')}; an image base takes pixel_values alone`,
    );
  }
  if (outputNames.includes('logits')) {
    throw new RangeError(`${file} has a head already; start from the model without one`);
  }
  const output = FEATURES.find((name) => outputNames.includes(name));
  if (output === undefined) {
    throw new RangeError(
      `${file} gives ${outputNames.join(', ')}, none of ${FEATURES.join(', ')}; ` +
        'export it for feature extraction',
    );
  }
  const shape = await shapeOf(bytes, output, size);
  const model = output === 'embedding' ? bytes : extendModel(bytes, pooled(output, shape));
  return { model, config: frozenConfig(size, widthOf(shape)) };
}

/** Shape of an output for one black image. */
async function shapeOf(
  bytes: Uint8Array,
  output: string,
  size: number,
): Promise<readonly number[]> {
  const session = await openSession(bytes, 1);
  const image = floatTensor([1, CHANNELS, size, size]);
  const values = await runSession(session, { pixel_values: image });
  await session.release();
  return values.get(output)!.shape;
}

/** [1, width], [1, tokens, width] or [1, width, rows, columns]. */
function widthOf(shape: readonly number[]): number {
  return shape.length === 3 ? shape[2]! : shape[1]!;
}

/** The first token of a sequence, the mean over a map: one vector. Operators as they were in opset 1. */
function pooled(output: string, shape: readonly number[]) {
  const node = (op: string, inputs: string[], name: string): Node => ({
    op,
    inputs,
    outputs: [name],
    attributes: op === 'Gather' ? { axis: { int: 1 } } : {},
  });
  const width = widthOf(shape);
  const first = { type: 'int64' as const, shape: [], data: BigInt64Array.of(0n) };
  const last = 'embedding';
  const nodes =
    shape.length === 2
      ? [node('Identity', [output], last)]
      : shape.length === 3
        ? [node('Gather', [output, 'stepwell_first'], last)]
        : [
            node('GlobalAveragePool', [output], 'stepwell_mean'),
            node('Flatten', ['stepwell_mean'], last),
          ];
  return {
    nodes,
    initialisers: new Map(shape.length === 3 ? [['stepwell_first', first]] : []),
    outputs: [{ name: last, type: 'float32' as const, shape: ['batch_size', width] }],
  };
}

/** The file with the head behind the embedding: output `logits`, [batch, labels]. */
export function withHead(model: Uint8Array, head: FloatTensors): Uint8Array {
  const [weight, bias] = [head.get('classifier.weight')!, head.get('classifier.bias')!];
  return extendModel(model, {
    nodes: [
      {
        op: 'MatMul',
        inputs: ['embedding', 'classifier.weight'],
        outputs: ['stepwell_scores'],
        attributes: {},
      },
      {
        op: 'Add',
        inputs: ['stepwell_scores', 'classifier.bias'],
        outputs: ['logits'],
        attributes: {},
      },
    ],
    initialisers: new Map([
      ['classifier.weight', weight],
      ['classifier.bias', bias],
    ]),
    outputs: [{ name: 'logits', type: 'float32', shape: ['batch_size', weight.shape[1]!] }],
  });
}

/** No layer of it is known: what is left is the size of an image and the width of its vector. */
export function frozenConfig(size: number, width: number): EncoderConfig {
  return {
    family: 'frozen',
    hiddenSize: width,
    layerCount: 0,
    headCount: 1,
    intermediateSize: 0,
    vocabularySize: 0,
    positionCount: 0,
    firstPosition: 0,
    tokenTypeCount: 0,
    padTokenId: 0,
    layerNormEpsilon: 0,
    activation: 'gelu',
    pooling: 'cls',
    head: 'linear',
    image: { size, patchSize: size, channels: CHANNELS },
  };
}
