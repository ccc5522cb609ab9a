/** Sets of named tensors as wholes: their hash and their size. */
import { createHash } from 'node:crypto';
import { elementCount, type FloatTensors, tensorBytes } from '../onnx/tensor.js';

/** sha256 over names and bytes, in the order of the names. */
export function hashOf(parameters: FloatTensors): string {
  const hash = createHash('sha256');
  for (const name of [...parameters.keys()].sort()) {
    hash.update(name).update(tensorBytes(parameters.get(name)!));
  }
  return hash.digest('hex');
}

export function countParameters(parameters: FloatTensors): number {
  return [...parameters.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0);
}
