/**
 * The protobuf wire format, as much of it as ONNX uses: varints, 32-bit and 64-bit scalars and
 * length-delimited fields. Source: protobuf.dev/programming-guides/encoding. Groups (wire types 3
 * and 4) are refused: ONNX has none.
 */

const text = new TextEncoder();

/** Appends fields; nothing is copied until `finish`. */
export class ProtobufWriter {
  private readonly chunks: Uint8Array[] = [];
  private byteCount = 0;

  integer(field: number, value: number | bigint): this {
    return this.append(varint(BigInt(field << 3))).append(varint(BigInt(value)));
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.append(varint(BigInt((field << 3) | 5))).append(bytes);
  }

  bytes(field: number, value: Uint8Array): this {
    return this.delimiter(field, value.length).append(value);
  }

  string(field: number, value: string): this {
    return this.bytes(field, text.encode(value));
  }

  message(field: number, value: ProtobufWriter): this {
    this.delimiter(field, value.byteCount);
    for (const chunk of value.chunks) this.append(chunk);
    return this;
  }

  finish(): Uint8Array {
    const result = new Uint8Array(this.byteCount);
    let offset = 0;
    for (const chunk of this.chunks) {
      result.set(chunk, offset);
      offset += chunk.length;
    }
    return result;
  }

  private delimiter(field: number, length: number): this {
    return this.append(varint(BigInt((field << 3) | 2))).append(varint(BigInt(length)));
  }

  private append(chunk: Uint8Array): this {
    this.chunks.push(chunk);
    this.byteCount += chunk.length;
    return this;
  }
}

/** Base-128 varint of the 64-bit two's complement of `value`. */
function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 128);
  } while (rest !== 0n);
  return Uint8Array.from(bytes);
}

/** One field: `integer` for wire type 0, `bytes` for the others (8, n or 4 bytes). */
export type ProtobufField =
  | { readonly number: number; readonly wire: 0; readonly integer: bigint }
  | { readonly number: number; readonly wire: 1 | 2 | 5; readonly bytes: Uint8Array };

/** The fields of a message in order; byte fields are views. Throws RangeError on broken bytes. */
export function* readFields(message: Uint8Array): Generator<ProtobufField> {
  let offset = 0;
  const take = (length: number): Uint8Array => {
    if (offset + length > message.length) throw new RangeError('Truncated protobuf message');
    const view = message.subarray(offset, offset + length);
    offset += length;
    return view;
  };
  const integer = (): bigint => {
    const read = readVarint(message, offset);
    offset = read.end;
    return read.value;
  };
  while (offset < message.length) {
    const tag = Number(integer());
    const [number, wire] = [tag >>> 3, tag & 7];
    if (wire === 0) yield { number, wire, integer: integer() };
    else if (wire === 1) yield { number, wire, bytes: take(8) };
    else if (wire === 5) yield { number, wire, bytes: take(4) };
    else if (wire === 2) yield { number, wire, bytes: take(Number(integer())) };
    else throw new RangeError(`Protobuf wire type ${wire} is not supported`);
  }
}

/** The varints of a packed field. */
export function readPackedVarints(bytes: Uint8Array): bigint[] {
  const values: bigint[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const read = readVarint(bytes, offset);
    values.push(read.value);
    offset = read.end;
  }
  return values;
}

function readVarint(bytes: Uint8Array, start: number): { value: bigint; end: number } {
  let value = 0n;
  for (let index = 0; index < 10; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) throw new RangeError('Truncated protobuf varint');
    value |= BigInt(byte & 127) << BigInt(7 * index);
    if (byte < 128) return { value: BigInt.asUintN(64, value), end: start + index + 1 };
  }
  throw new RangeError('A protobuf varint is longer than ten bytes');
}
