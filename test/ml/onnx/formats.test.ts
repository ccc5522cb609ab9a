import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeModel, type OnnxModel } from '../../../src/ml/onnx/model.js';
import { decodeModel } from '../../../src/ml/onnx/model-reader.js';
import { ProtobufWriter, readFields } from '../../../src/ml/onnx/protobuf.js';
import { decodeSafetensors, encodeSafetensors } from '../../../src/ml/onnx/safetensors.js';
import { floatTensor, type Tensor } from '../../../src/ml/onnx/tensor.js';

const MODEL: OnnxModel = {
  nodes: [
    { op: 'Gather', inputs: ['w', 'i'], outputs: ['y'], attributes: { axis: { int: -1 } } },
    {
      op: 'Made',
      inputs: ['y'],
      outputs: ['z', 'q'],
      attributes: {
        perm: { ints: [1, 0] },
        epsilon: { float: 0.5 },
        reduction: { text: 'add' },
        value: { tensor: floatTensor([2], Float32Array.of(1, 2)) },
      },
    },
  ],
  initialisers: new Map<string, Tensor>([
    ['w', floatTensor([2, 2], Float32Array.of(1, -2, 3.5, 4))],
    ['i', { type: 'int64', shape: [2], data: BigInt64Array.of(-1n, 1n) }],
  ]),
  inputs: [{ name: 'x', type: 'int64', shape: ['batch', 3] }],
  outputs: [{ name: 'z', type: 'float32', shape: [2, 2] }],
};

describe('protobuf', () => {
  test('every 64-bit integer comes back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const [field] = readFields(new ProtobufWriter().integer(3, value).finish());
        expect(field).toEqual({ number: 3, wire: 0, integer: BigInt.asUintN(64, value) });
      }),
    );
  });

  test('bytes of any length come back, in order, with their field numbers', () => {
    const parts = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.uint8Array({ maxLength: 300 })),
    );
    fc.assert(
      fc.property(parts, (fields) => {
        const writer = new ProtobufWriter();
        for (const [number, bytes] of fields) writer.bytes(number, bytes);
        const read = [...readFields(writer.finish())];
        expect(read.map((field) => field.number)).toEqual(fields.map(([number]) => number));
        expect(read.map((field) => 'bytes' in field && [...field.bytes])).toEqual(
          fields.map(([, bytes]) => [...bytes]),
        );
      }),
    );
  });

  test('cut-off messages are refused', () => {
    const bytes = new ProtobufWriter().string(1, 'hello').finish();
    expect(() => [...readFields(bytes.subarray(0, 4))]).toThrow('Truncated');
  });
});

describe('ONNX files', () => {
  test('what is written is read back', () => {
    const graph = decodeModel(encodeModel(MODEL));
    expect(graph.nodes).toEqual(MODEL.nodes);
    expect(graph.initialisers).toEqual(MODEL.initialisers);
    expect(graph.inputNames).toEqual(['x']);
    expect(graph.outputNames).toEqual(['z']);
  });

  test('weights listed as numbers instead of raw bytes are read', () => {
    const floats = new ProtobufWriter().float(1, 1.5).finish().subarray(1);
    const tensor = new ProtobufWriter().integer(1, 1).integer(2, 1).bytes(4, floats).string(8, 'w');
    const graph = new ProtobufWriter().message(5, tensor);
    const model = new ProtobufWriter().message(7, graph).finish();
    expect(decodeModel(model).initialisers.get('w')).toEqual(
      floatTensor([1], Float32Array.of(1.5)),
    );
  });

  test('weights outside the file are refused with the way out', () => {
    const tensor = new ProtobufWriter().integer(1, 1).integer(2, 1).string(8, 'w').integer(14, 1);
    const model = new ProtobufWriter().message(7, new ProtobufWriter().message(5, tensor)).finish();
    expect(() => decodeModel(model)).toThrow(/'w'.*outside.*model\.safetensors/);
  });

  test('other bytes are refused', () => {
    expect(() => decodeModel(new Uint8Array([10, 0]))).toThrow('no ONNX graph');
  });
});

describe('safetensors', () => {
  const tensors = new Map<string, Tensor>([
    ['b', floatTensor([2, 1], Float32Array.of(1, 2))],
    ['a', { type: 'int64', shape: [1], data: BigInt64Array.of(7n) }],
  ]);

  test('tensors and metadata come back, from a Buffer of a shared pool too', () => {
    const bytes = encodeSafetensors({ tensors, metadata: { step: '3' } });
    const pooled = Buffer.concat([Buffer.alloc(3), bytes]).subarray(3);
    const file = decodeSafetensors(pooled);
    expect(file.metadata).toEqual({ step: '3' });
    expect(Object.fromEntries(file.tensors)).toEqual(Object.fromEntries(tensors));
  });

  test('equal tensors give equal files, whatever their order', () => {
    const reversed = new Map([...tensors].reverse());
    expect(encodeSafetensors({ tensors: reversed, metadata: {} })).toEqual(
      encodeSafetensors({ tensors, metadata: {} }),
    );
  });

  test('half precision is widened', () => {
    const header = JSON.stringify({
      h: { dtype: 'F16', shape: [3], data_offsets: [0, 6] },
      b: { dtype: 'BF16', shape: [1], data_offsets: [6, 8] },
    });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const halves = Buffer.from(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x3fc0).buffer);
    const file = decodeSafetensors(Buffer.concat([length, Buffer.from(header), halves]));
    expect(file.tensors.get('h')!.data).toEqual(Float32Array.of(1, -2, 2 ** -24));
    expect(file.tensors.get('b')!.data).toEqual(Float32Array.of(1.5));
  });

  test('a header longer than the file is refused', () => {
    expect(() => decodeSafetensors(new Uint8Array(16).fill(1))).toThrow('longer than the file');
  });
});
