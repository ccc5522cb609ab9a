/**
 * Reads as much of a `.onnx` file as loading weights needs: nodes, initialisers, graph inputs and
 * outputs by name. Refused with a sentence: external data, strings, and half or double precision
 * weights (re-export in float32). Sub-graphs and functions are skipped.
 */
import type { Attribute, Node } from './model.js';
import { ELEMENT_CODES } from './model.js';
import { readFields, readPackedVarints } from './protobuf.js';
import type { ElementType, Tensor, TensorData } from './tensor.js';
import { dataFromBytes, elementCount } from './tensor.js';

/** What a reader of weights needs; shapes of inputs and outputs are not kept. */
export interface OnnxGraph {
  readonly nodes: readonly Node[];
  readonly initialisers: ReadonlyMap<string, Tensor>;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
}

const utf8 = new TextDecoder();

/** Throws RangeError with the reason when the bytes are no ONNX model that we can read. */
export function decodeModel(bytes: Uint8Array): OnnxGraph {
  for (const field of readFields(bytes)) {
    if (field.number === 7 && field.wire === 2) return decodeGraph(field.bytes);
  }
  throw new RangeError('The file holds no ONNX graph');
}

function decodeGraph(bytes: Uint8Array): OnnxGraph {
  const nodes: Node[] = [];
  const initialisers = new Map<string, Tensor>();
  const inputNames: string[] = [];
  const outputNames: string[] = [];
  for (const field of readFields(bytes)) {
    if (field.wire !== 2) continue;
    if (field.number === 1) nodes.push(decodeNode(field.bytes));
    else if (field.number === 5) {
      const { name, tensor } = decodeTensor(field.bytes);
      if (tensor !== null) initialisers.set(name, tensor);
    } else if (field.number === 11) inputNames.push(firstString(field.bytes));
    else if (field.number === 12) outputNames.push(firstString(field.bytes));
  }
  return { nodes, initialisers, inputNames, outputNames };
}

function firstString(message: Uint8Array): string {
  for (const field of readFields(message)) {
    if (field.number === 1 && field.wire === 2) return utf8.decode(field.bytes);
  }
  return '';
}

function decodeNode(message: Uint8Array): Node {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: Record<string, Attribute> = {};
  let op = '';
  for (const field of readFields(message)) {
    if (field.wire !== 2) continue;
    if (field.number === 1) inputs.push(utf8.decode(field.bytes));
    else if (field.number === 2) outputs.push(utf8.decode(field.bytes));
    else if (field.number === 4) op = utf8.decode(field.bytes);
    else if (field.number === 5) {
      const named = decodeAttribute(field.bytes);
      if (named.attribute !== null) attributes[named.name] = named.attribute;
    }
  }
  return { op, inputs, outputs, attributes };
}

function decodeAttribute(message: Uint8Array): { name: string; attribute: Attribute | null } {
  let name = '';
  let attribute: Attribute | null = null;
  const ints: number[] = [];
  for (const field of readFields(message)) {
    if (field.wire === 0) {
      if (field.number === 3) attribute = { int: Number(BigInt.asIntN(64, field.integer)) };
      else if (field.number === 8) ints.push(Number(BigInt.asIntN(64, field.integer)));
    } else if (field.number === 1) name = utf8.decode(field.bytes);
    else if (field.number === 2) attribute = { float: view(field.bytes).getFloat32(0, true) };
    else if (field.number === 4) attribute = { text: utf8.decode(field.bytes) };
    else if (field.number === 5) {
      const { tensor } = decodeTensor(field.bytes);
      if (tensor !== null) attribute = { tensor };
    } else if (field.number === 8) ints.push(...readPackedVarints(field.bytes).map(signed));
  }
  return { name, attribute: ints.length > 0 ? { ints } : attribute };
}

/** A TensorProto; `tensor` is null for an element type that no weight of ours has. */
function decodeTensor(message: Uint8Array): { name: string; tensor: Tensor | null } {
  const shape: number[] = [];
  let code = 0;
  let name = '';
  let raw: Uint8Array | null = null;
  const listed: Uint8Array[] = [];
  for (const field of readFields(message)) {
    if (field.wire === 0) {
      if (field.number === 1) shape.push(Number(field.integer));
      else if (field.number === 2) code = Number(field.integer);
      else if (field.number === 14 && field.integer === 1n) refuseExternal(name);
      continue;
    }
    if (field.number === 1) shape.push(...readPackedVarints(field.bytes).map(Number));
    else if (field.number === 8) name = utf8.decode(field.bytes);
    else if (field.number === 9) raw = field.bytes;
    else if (field.number === 13) refuseExternal(name);
    else if (field.number === 4 || field.number === 5 || field.number === 7) {
      listed.push(field.bytes);
    }
  }
  const type = elementTypeOf(code);
  if (type === null) return { name, tensor: null };
  const data = raw === null ? listedData(type, listed) : dataFromBytes(type, raw);
  if (data.length !== elementCount(shape)) {
    throw new RangeError(`The weights '${name}' do not fill their shape [${shape.join(', ')}]`);
  }
  return { name, tensor: { type, shape, data } };
}

function refuseExternal(name: string): never {
  throw new RangeError(
    `The weights '${name}' are stored outside the .onnx file (external data); ` +
      'export the model as one file below 2 GB, or give model.safetensors',
  );
}

function elementTypeOf(code: number): ElementType | null {
  for (const [type, known] of Object.entries(ELEMENT_CODES)) {
    if (known === code) return type as ElementType;
  }
  return null;
}

/** Values in float_data, int32_data or int64_data instead of raw_data. */
function listedData(type: ElementType, fields: readonly Uint8Array[]): TensorData {
  if (type === 'float32') {
    const bytes = new Uint8Array(fields.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of fields) {
      bytes.set(part, offset);
      offset += part.length;
    }
    return dataFromBytes(type, bytes);
  }
  const values = fields.flatMap((part) => readPackedVarints(part));
  if (type === 'int64') return BigInt64Array.from(values.map((value) => BigInt.asIntN(64, value)));
  const numbers = values.map(signed);
  return type === 'int32' ? Int32Array.from(numbers) : Uint8Array.from(numbers);
}

const signed = (value: bigint): number => Number(BigInt.asIntN(64, value));
const view = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
