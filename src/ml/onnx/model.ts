/**
 * An ONNX model as data, and its bytes. Field numbers are those of onnx.proto3 (ONNX 1.13).
 * Written files carry IR version 8 and opset 18: the newest pair that ONNX Runtime 1.14 onwards
 * and Debian's onnx 1.12 checker both take.
 */
import { ProtobufWriter } from './protobuf.js';
import type { ElementType, Shape, Tensor } from './tensor.js';
import { tensorBytes } from './tensor.js';

export const IR_VERSION = 8;
export const OPSET = 18;

/** TensorProto.DataType codes. */
export const ELEMENT_CODES = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
} as const satisfies Record<ElementType, number>;

export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly ints: readonly number[] }
  | { readonly tensor: Tensor };

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: Shape;
}

/** What a graph gains when a finished model is extended. */
export interface GraphParts {
  readonly nodes: readonly Node[];
  readonly initialisers: ReadonlyMap<string, Tensor>;
  readonly outputs: readonly ValueInfo[];
}

export interface OnnxModel extends GraphParts {
  readonly inputs: readonly ValueInfo[];
}

/** The bytes of a `.onnx` file. Refuses models at protobuf's limit of 2 GiB with a RangeError. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const graph = encodeGraphParts(model).string(2, 'stepwell');
  for (const input of model.inputs) graph.message(11, encodeValueInfo(input));
  const opset = new ProtobufWriter().string(1, '').integer(2, OPSET);
  return new ProtobufWriter()
    .integer(1, IR_VERSION)
    .string(2, 'stepwell')
    .message(7, graph)
    .message(8, opset)
    .finish();
}

/** Fields of a GraphProto. */
export function encodeGraphParts({ nodes, initialisers, outputs }: GraphParts): ProtobufWriter {
  const graph = new ProtobufWriter();
  for (const node of nodes) graph.message(1, encodeNode(node));
  for (const [name, tensor] of initialisers) graph.message(5, encodeTensor(tensor, name));
  for (const output of outputs) graph.message(12, encodeValueInfo(output));
  return graph;
}

function encodeNode(node: Node): ProtobufWriter {
  const writer = new ProtobufWriter();
  for (const input of node.inputs) writer.string(1, input);
  for (const output of node.outputs) writer.string(2, output);
  writer.string(4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    writer.message(5, encodeAttribute(name, attribute));
  }
  return writer;
}

/** AttributeProto: the value in its own field, its kind in field 20. */
function encodeAttribute(name: string, attribute: Attribute): ProtobufWriter {
  const writer = new ProtobufWriter().string(1, name);
  if ('float' in attribute) return writer.float(2, attribute.float).integer(20, 1);
  if ('int' in attribute) return writer.integer(3, attribute.int).integer(20, 2);
  if ('text' in attribute) return writer.string(4, attribute.text).integer(20, 3);
  if ('tensor' in attribute)
    return writer.message(5, encodeTensor(attribute.tensor)).integer(20, 4);
  for (const value of attribute.ints) writer.integer(8, value);
  return writer.integer(20, 7);
}

function encodeTensor(tensor: Tensor, name?: string): ProtobufWriter {
  const writer = new ProtobufWriter();
  for (const dimension of tensor.shape) writer.integer(1, dimension);
  writer.integer(2, ELEMENT_CODES[tensor.type]);
  if (name !== undefined) writer.string(8, name);
  return writer.bytes(9, tensorBytes(tensor));
}

function encodeValueInfo(value: ValueInfo): ProtobufWriter {
  const shape = new ProtobufWriter();
  for (const dimension of value.shape) {
    const axis = new ProtobufWriter();
    if (typeof dimension === 'string') axis.string(2, dimension);
    else axis.integer(1, dimension);
    shape.message(1, axis);
  }
  const tensor = new ProtobufWriter().integer(1, ELEMENT_CODES[value.type]).message(2, shape);
  return new ProtobufWriter()
    .string(1, value.name)
    .message(2, new ProtobufWriter().message(1, tensor));
}
