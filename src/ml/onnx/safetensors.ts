/**
 * The safetensors file format: 8 bytes little-endian header length, a JSON header
 * `{name: {dtype, shape, data_offsets: [begin, end]}, __metadata__: {text: text}}`, then the bytes.
 * Source: huggingface.co/docs/safetensors (format section). Written headers are padded with spaces
 * to 8 bytes and keys are sorted, so equal tensors give equal files.
 */
import type { ElementType, Tensor } from './tensor.js';
import { dataFromBytes, elementCount, tensorBytes } from './tensor.js';

/** A header larger than this is refused, as the reference reader does. */
const MAX_HEADER_BYTES = 100_000_000;

const TYPE_NAMES = {
  float32: 'F32',
  int32: 'I32',
  int64: 'I64',
  uint8: 'U8',
  bool: 'BOOL',
} as const satisfies Record<ElementType, string>;

export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

export function encodeSafetensors(file: SafetensorsFile): Uint8Array {
  const names = [...file.tensors.keys()].sort();
  const entries: [string, unknown][] = [];
  if (Object.keys(file.metadata).length > 0) entries.push(['__metadata__', file.metadata]);
  let offset = 0;
  for (const name of names) {
    const tensor = file.tensors.get(name)!;
    const end = offset + tensor.data.byteLength;
    const dtype = TYPE_NAMES[tensor.type];
    entries.push([name, { dtype, shape: tensor.shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  let header = Buffer.from(JSON.stringify(Object.fromEntries(entries)), 'utf8');
  header = Buffer.concat([header, Buffer.alloc((8 - (header.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, ...names.map((n) => tensorBytes(file.tensors.get(n)!))]);
}

/** Throws RangeError with the reason when the bytes are not a safetensors file that we can read. */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsFile {
  if (bytes.length < 8) throw new RangeError('A safetensors file has at least 8 bytes');
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(buffer.readBigUInt64LE(0));
  if (headerBytes > MAX_HEADER_BYTES || 8 + headerBytes > bytes.length) {
    throw new RangeError('The safetensors header is longer than the file');
  }
  const header = parseHeader(buffer.toString('utf8', 8, 8 + headerBytes));
  const body = bytes.subarray(8 + headerBytes);
  const tensors = new Map<string, Tensor>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') metadata = entry as Record<string, string>;
    else tensors.set(name, readTensor(name, entry as HeaderEntry, body));
  }
  return { tensors, metadata };
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

function parseHeader(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new RangeError('The safetensors header is not JSON');
  }
}

function readTensor(name: string, entry: HeaderEntry, body: Uint8Array): Tensor {
  const [begin, end] = entry.data_offsets;
  if (begin > end || end > body.length) {
    throw new RangeError(`The tensor '${name}' lies outside the safetensors file`);
  }
  const slice = body.subarray(begin, end);
  if (entry.dtype === 'F16' || entry.dtype === 'BF16') {
    const data = widenHalf(slice, entry.dtype);
    return { type: 'float32', shape: entry.shape, data };
  }
  const type = Object.entries(TYPE_NAMES).find(([, dtype]) => dtype === entry.dtype)?.[0];
  if (type === undefined) {
    throw new RangeError(`The tensor '${name}' has the unsupported type ${entry.dtype}`);
  }
  const data = dataFromBytes(type as ElementType, slice);
  if (data.length !== elementCount(entry.shape)) {
    throw new RangeError(`The tensor '${name}' does not fill its shape`);
  }
  return { type: type as ElementType, shape: entry.shape, data };
}

/** Half precision to float32: bfloat16 is the upper half of a float32, F16 is IEEE 754 binary16. */
function widenHalf(bytes: Uint8Array, dtype: 'F16' | 'BF16'): Float32Array {
  const halves = new Uint16Array(new Uint8Array(bytes).buffer);
  if (dtype === 'BF16') {
    return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
  }
  return Float32Array.from(halves, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}
