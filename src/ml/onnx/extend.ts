/**
 * Adds nodes and outputs to a finished `.onnx` file without understanding the rest of it: in protobuf,
 * fields of a message that are written later are appended to the lists that are there.
 */
import { encodeGraphParts, type GraphParts } from './model.js';
import { ProtobufWriter, readFields } from './protobuf.js';

/** Field of ModelProto that holds the graph. */
const GRAPH = 7;

/** Throws RangeError when the bytes hold no graph. */
export function extendModel(model: Uint8Array, parts: GraphParts): Uint8Array {
  const writer = new ProtobufWriter();
  let found = false;
  for (const field of readFields(model)) {
    if (field.wire === 0) writer.integer(field.number, field.integer);
    else if (field.wire !== 2) {
      throw new RangeError(`The model has a field ${field.number} of an unknown kind`);
    } else if (field.number !== GRAPH) writer.bytes(field.number, field.bytes);
    else {
      found = true;
      const added = encodeGraphParts(parts).finish();
      writer.bytes(GRAPH, Buffer.concat([field.bytes, added]));
    }
  }
  if (!found) throw new RangeError('The file holds no ONNX graph');
  return writer.finish();
}
