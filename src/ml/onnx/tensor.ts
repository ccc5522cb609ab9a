/**
 * Tensors as plain values: an element type, a shape and a typed array in row-major order.
 * Nothing here knows ONNX's byte format (model.ts) or the runtime (session.ts).
 */

export type ElementType = 'float32' | 'int32' | 'int64' | 'uint8' | 'bool';
/** A known size, or the name of an axis that is only known at run time (inference exports). */
export type Dimension = number | string;
export type Shape = readonly Dimension[];
export type TensorData = Float32Array | Int32Array | BigInt64Array | Uint8Array;

export interface Tensor {
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export interface FloatTensor extends Tensor {
  readonly type: 'float32';
  readonly data: Float32Array;
}

/** Tensors by parameter name. */
export type FloatTensors = ReadonlyMap<string, FloatTensor>;

/** Number of elements of a static shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** The shape as numbers. Throws RangeError when an axis is symbolic. */
export function staticShape(shape: Shape): readonly number[] {
  return shape.map((dimension) => {
    if (typeof dimension === 'number') return dimension;
    throw new RangeError(`This needs static shapes, but axis '${dimension}' is symbolic`);
  });
}

export function floatTensor(shape: readonly number[], data?: Float32Array): FloatTensor {
  const values = data ?? new Float32Array(elementCount(shape));
  if (values.length !== elementCount(shape)) {
    throw new RangeError(`${values.length} values cannot fill the shape [${shape.join(', ')}]`);
  }
  return { type: 'float32', shape, data: values };
}

export function isFloat(tensor: Tensor): tensor is FloatTensor {
  return tensor.type === 'float32';
}

/** Matrix transpose: [rows, columns] to [columns, rows], copied. */
export function transposed(matrix: FloatTensor): FloatTensor {
  const [rows, columns] = matrix.shape;
  if (matrix.shape.length !== 2 || rows === undefined || columns === undefined) {
    throw new RangeError(`Only a matrix can be transposed, not [${matrix.shape.join(', ')}]`);
  }
  const data = new Float32Array(matrix.data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      data[column * rows + row] = matrix.data[row * columns + column]!;
    }
  }
  return floatTensor([columns, rows], data);
}

/** The bytes of a tensor, little endian, without a copy. */
export function tensorBytes(tensor: Tensor): Uint8Array {
  return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
}

/** A typed array over a copy of `bytes`. Throws RangeError when the length does not divide. */
export function dataFromBytes(type: ElementType, bytes: Uint8Array): TensorData {
  // Not bytes.slice(): that of a Buffer is a view of its pool.
  const copy = new Uint8Array(bytes).buffer;
  switch (type) {
    case 'float32':
      return new Float32Array(copy);
    case 'int32':
      return new Int32Array(copy);
    case 'int64':
      return new BigInt64Array(copy);
    case 'uint8':
    case 'bool':
      return new Uint8Array(copy);
  }
}
