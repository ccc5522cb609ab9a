/**
 * Loads encoder weights from a model folder: model.safetensors, else onnx/model.onnx. Linear
 * weights come out as [in, out]. Exporters rename the weights of MatMul nodes (`onnx::MatMul_123`)
 * but keep bias names, so a missing weight is looked for through the Add that takes its bias.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeModel, type OnnxGraph } from '../onnx/model-reader.js';
import { decodeSafetensors } from '../onnx/safetensors.js';
import {
  elementCount,
  type FloatTensor,
  floatTensor,
  isFloat,
  type Tensor,
  transposed,
} from '../onnx/tensor.js';
import type { EncoderConfig } from './config.js';
import { candidateNames } from './naming.js';
import { encoderParameters, HEAD_DENSE, isLinearWeight, type ParameterSpec } from './parameters.js';

export type WeightSource = 'model.safetensors' | 'onnx/model.onnx';

export interface LoadedWeights {
  readonly source: WeightSource;
  readonly parameters: ReadonlyMap<string, FloatTensor>;
  /** What the file has of a head, under canonical names: nothing, its dense layer, or all of it. */
  readonly head: ReadonlyMap<string, FloatTensor>;
}

/** Throws RangeError naming the file and the first weight that is missing or misshapen. */
export function loadWeights(folder: string, config: EncoderConfig): LoadedWeights {
  const safetensors = join(folder, 'model.safetensors');
  if (existsSync(safetensors)) {
    const { tensors } = decodeSafetensors(readFileSync(safetensors));
    return collect('model.safetensors', config, (name, isLinear) =>
      fromTorch(tensors.get(name), isLinear),
    );
  }
  const onnx = join(folder, 'onnx', 'model.onnx');
  if (!existsSync(onnx)) {
    throw new RangeError(`${folder} holds neither model.safetensors nor onnx/model.onnx`);
  }
  const graph = decodeModel(readFileSync(onnx));
  return collect('onnx/model.onnx', config, onnxLookup(graph));
}

/** The tensor under a name of the file; a linear layer's weight comes out as [in, out]. */
type Lookup = (name: string, isLinear: boolean) => FloatTensor | null;

function collect(source: WeightSource, config: EncoderConfig, lookup: Lookup): LoadedWeights {
  const find = (name: string): FloatTensor | null => {
    for (const candidate of candidateNames(config, name)) {
      const tensor = lookup(candidate, isLinearWeight(name));
      if (tensor !== null) return tensor;
    }
    return null;
  };
  const parameters = new Map(
    encoderParameters(config).map((spec) => [spec.name, checked(source, spec, find(spec.name))]),
  );
  return { source, parameters, head: headOf(config, find) };
}

/** Pairs of weight and bias that fit; the number of labels is that of the file. */
function headOf(
  config: EncoderConfig,
  find: (name: string) => FloatTensor | null,
): Map<string, FloatTensor> {
  const head = new Map<string, FloatTensor>();
  const layers = config.head === 'dense' ? [HEAD_DENSE, 'classifier'] : ['classifier'];
  for (const layer of layers) {
    const [weight, bias] = [find(`${layer}.weight`), find(`${layer}.bias`)];
    if (weight === null || bias === null || weight.shape[0] !== config.hiddenSize) continue;
    head.set(`${layer}.weight`, weight).set(`${layer}.bias`, bias);
  }
  return head;
}

function checked(source: string, spec: ParameterSpec, tensor: FloatTensor | null): FloatTensor {
  if (tensor === null) {
    throw new RangeError(
      `${source} holds no weights for '${spec.name}'; ` +
        'give a folder with model.safetensors, or an ONNX file that keeps parameter names',
    );
  }
  const shape = withoutLeadingOnes(tensor.shape, spec.shape.length);
  if (shape.join() !== spec.shape.join()) {
    throw new RangeError(
      `${source}: '${spec.name}' is [${tensor.shape}], but config.json says [${spec.shape}]`,
    );
  }
  return floatTensor(shape, tensor.data);
}

/** Vision transformers store tables with an axis for the batch: [1, positions, hidden]. */
function withoutLeadingOnes(shape: readonly number[], rank: number): readonly number[] {
  const extra = shape.length - rank;
  return extra > 0 && shape.slice(0, extra).every((size) => size === 1)
    ? shape.slice(extra)
    : shape;
}

/** torch's Linear stores [out, in] and a convolution [out, channels, rows, columns]. */
function fromTorch(tensor: Tensor | undefined, isLinear: boolean): FloatTensor | null {
  if (tensor === undefined || !isFloat(tensor)) return null;
  if (!isLinear) return tensor;
  const [out = 0, ...inner] = tensor.shape;
  return transposed(floatTensor([out, elementCount(inner)], tensor.data));
}

function onnxLookup(graph: OnnxGraph): Lookup {
  const weightOfBias = weightsByBias(graph);
  const usedByMatMul = new Set(
    graph.nodes.filter((node) => node.op === 'MatMul').map((node) => node.inputs[1]!),
  );
  return (name, isLinear) => {
    const direct = graph.initialisers.get(name);
    if (direct !== undefined && isFloat(direct)) {
      // Under its torch name a matrix has torch's layout, unless a MatMul takes it as it stands.
      return usedByMatMul.has(name) ? direct : fromTorch(direct, isLinear);
    }
    if (!isLinear) return null;
    return weightOfBias.get(name.replace(/\.weight$/, '.bias')) ?? null;
  };
}

/** [in, out] weight of every MatMul whose result is added to a named bias. */
function weightsByBias(graph: OnnxGraph): Map<string, FloatTensor> {
  const products = new Map<string, FloatTensor>();
  for (const node of graph.nodes) {
    const weight = node.op === 'MatMul' ? graph.initialisers.get(node.inputs[1]!) : undefined;
    if (weight !== undefined && isFloat(weight)) products.set(node.outputs[0]!, weight);
  }
  const found = new Map<string, FloatTensor>();
  for (const node of graph.nodes) {
    if (node.op !== 'Add') continue;
    const [first = '', second = ''] = node.inputs;
    const pairs = [[first, second] as const, [second, first] as const];
    for (const [bias, product] of pairs) {
      const weight = products.get(product);
      if (weight !== undefined && graph.initialisers.has(bias)) found.set(bias, weight);
    }
  }
  return found;
}
