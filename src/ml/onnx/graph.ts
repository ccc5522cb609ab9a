/**
 * Builds an ONNX graph node by node and infers every shape as it goes. Axes may be symbolic (an
 * inference export); the differentiator asks for static ones. One method per operator that the
 * encoder, its gradients or the optimisers use; broadcasting follows ONNX (numpy's rules).
 */
import { assert } from '../../lib/assert.js';
import { type Attribute, ELEMENT_CODES, encodeModel, type Node, type ValueInfo } from './model.js';
import type { Dimension, ElementType, Shape, Tensor } from './tensor.js';
import { floatTensor } from './tensor.js';

/** A value that flows through the graph: the output of a node, an input or a constant. */
export type Value = ValueInfo;

/** A node with its values, kept for the differentiator. */
export interface TapeEntry {
  readonly op: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export class Graph {
  readonly tape: TapeEntry[] = [];
  private readonly initialisers = new Map<string, Tensor>();
  private readonly sharedConstants = new Map<string, Value>();
  private readonly graphInputs: Value[] = [];
  private readonly graphOutputs: Value[] = [];
  private nextId = 0;

  input(name: string, shape: Shape, type: ElementType = 'float32'): Value {
    const value = { name, shape, type };
    this.graphInputs.push(value);
    return value;
  }

  /** Makes `value` an output under `name`; returns it under that name. */
  output(value: Value, name: string): Value {
    const renamed = { ...value, name };
    this.tape.push({ op: 'Identity', inputs: [value], outputs: [renamed], attributes: {} });
    this.graphOutputs.push(renamed);
    return renamed;
  }

  /** Weights baked into the file, under their own name. */
  initialiser(name: string, tensor: Tensor): Value {
    this.initialisers.set(name, tensor);
    return { name, shape: tensor.shape, type: tensor.type };
  }

  scalar(value: number): Value {
    return this.constant(floatTensor([], Float32Array.of(value)));
  }

  /** A list of 64-bit integers: shapes, axes and indices are passed so in opset 18. */
  integers(values: readonly number[]): Value {
    const data = BigInt64Array.from(values.map(BigInt));
    return this.constant({ type: 'int64', shape: [values.length], data });
  }

  /** The integers of a constant made by `integers`. */
  integersOf(value: Value): number[] {
    const tensor = this.initialisers.get(value.name);
    assert(tensor?.type === 'int64', `${value.name} is no integer constant`);
    return Array.from(tensor.data as BigInt64Array, Number);
  }

  /** A constant; small equal ones are stored once. */
  constant(tensor: Tensor): Value {
    const key = `${tensor.type} ${tensor.shape.join()} ${tensor.data.join()}`;
    const known = this.sharedConstants.get(key);
    if (known !== undefined) return known;
    const value = this.initialiser(`constant_${this.nextId++}`, tensor);
    this.sharedConstants.set(key, value);
    return value;
  }

  add(a: Value, b: Value): Value {
    return this.elementwise('Add', a, b);
  }
  subtract(a: Value, b: Value): Value {
    return this.elementwise('Sub', a, b);
  }
  multiply(a: Value, b: Value): Value {
    return this.elementwise('Mul', a, b);
  }
  divide(a: Value, b: Value): Value {
    return this.elementwise('Div', a, b);
  }
  minimum(a: Value, b: Value): Value {
    return this.elementwise('Min', a, b);
  }
  negate(x: Value): Value {
    return this.unary('Neg', x);
  }
  exp(x: Value): Value {
    return this.unary('Exp', x);
  }
  sqrt(x: Value): Value {
    return this.unary('Sqrt', x);
  }
  erf(x: Value): Value {
    return this.unary('Erf', x);
  }
  tanh(x: Value): Value {
    return this.unary('Tanh', x);
  }
  relu(x: Value): Value {
    return this.unary('Relu', x);
  }
  sign(x: Value): Value {
    return this.unary('Sign', x);
  }

  cast(x: Value, type: ElementType): Value {
    const attributes = { to: { int: ELEMENT_CODES[type] } };
    return this.node('Cast', [x], [{ shape: x.shape, type }], attributes)[0]!;
  }

  /** [..., m, k] x [..., k, n] -> [..., m, n]; a matrix on the right serves every batch. */
  matmul(a: Value, b: Value): Value {
    const [inner, rows] = [a.shape.at(-1), b.shape.at(-2)];
    assert(inner === rows, `MatMul of [${a.shape}] with [${b.shape}]: inner sizes differ`);
    const lead = a.shape.length >= b.shape.length ? a.shape.slice(0, -2) : b.shape.slice(0, -2);
    const shape = [...lead, a.shape.at(-2)!, b.shape.at(-1)!];
    return this.single('MatMul', [a, b], shape);
  }

  /** Matrices only: a' x b', where ' transposes when the flag is set. */
  gemm(a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
    const rows = a.shape[transposeA ? 1 : 0]!;
    const columns = b.shape[transposeB ? 0 : 1]!;
    return this.single('Gemm', [a, b], [rows, columns], {
      transA: { int: Number(transposeA) },
      transB: { int: Number(transposeB) },
    });
  }

  transpose(x: Value, order: readonly number[]): Value {
    const shape = order.map((axis) => x.shape[axis]!);
    return this.single('Transpose', [x], shape, { perm: { ints: order } });
  }

  /** `shape` may hold 0 for "the same axis of x", ONNX's way to keep a symbolic axis. */
  reshape(x: Value, shape: readonly number[]): Value {
    const resolved = shape.map((dimension, axis) => (dimension === 0 ? x.shape[axis]! : dimension));
    return this.single('Reshape', [x, this.integers(shape)], resolved);
  }

  unsqueeze(x: Value, axes: readonly number[]): Value {
    const shape: Dimension[] = [...x.shape];
    for (const axis of axes) shape.splice(axis, 0, 1);
    return this.single('Unsqueeze', [x, this.integers(axes)], shape);
  }

  /** x[begin:end] along one axis; `end` may be a value of one integer, giving axis `endName`. */
  slice(x: Value, axis: number, begin: number, end: number | { at: Value; name: string }): Value {
    const stop = typeof end === 'number' ? this.integers([end]) : end.at;
    const length = typeof end === 'number' ? end - begin : end.name;
    const shape = x.shape.map((dimension, i) => (i === axis ? length : dimension));
    const inputs = [x, this.integers([begin]), stop, this.integers([axis])];
    return this.single('Slice', inputs, shape, {});
  }

  /** Zeros around x: `before` and `after` one count per axis. */
  pad(x: Value, before: readonly number[], after: readonly number[]): Value {
    const shape = x.shape.map((size, axis) => {
      const more = before[axis]! + after[axis]!;
      assert(more === 0 || typeof size === 'number', `The axis '${size}' is symbolic: no padding`);
      return typeof size === 'number' ? size + more : size;
    });
    return this.single('Pad', [x, this.integers([...before, ...after])], shape);
  }

  expand(x: Value, shape: readonly number[]): Value {
    return this.single('Expand', [x, this.integers(shape)], shape);
  }

  /** Rows of `table` [rows, ...rest] at integer `indices` [...]: [...indices, ...rest]. */
  gather(table: Value, indices: Value): Value {
    const shape = [...indices.shape, ...table.shape.slice(1)];
    return this.single('Gather', [table, indices], shape, { axis: { int: 0 } });
  }

  /** x[i, indices[i, j]] for a matrix x and int64 indices: the shape of indices. */
  gatherElements(x: Value, indices: Value): Value {
    return this.single('GatherElements', [x, indices], indices.shape, { axis: { int: 1 } });
  }

  /**
   * Zeros of `shape`, and `updates` added where `indices` (same shape as updates) point along
   * `axis`. ScatterElements runs its additions in order on one thread, so equal indices add up
   * without a race and with the same rounding every time.
   */
  scatterAdd(shape: readonly number[], indices: Value, updates: Value, axis: number): Value {
    const zeros = this.single('ConstantOfShape', [this.integers(shape)], shape);
    return this.single('ScatterElements', [zeros, indices, updates], shape, {
      axis: { int: axis },
      reduction: { text: 'add' },
    });
  }

  sum(x: Value, axes: readonly number[], keepAxes: boolean): Value {
    return this.reduce('ReduceSum', x, axes, keepAxes);
  }
  mean(x: Value, axes: readonly number[], keepAxes: boolean): Value {
    return this.reduce('ReduceMean', x, axes, keepAxes);
  }
  /** Sum of squares over all axes: a scalar. */
  sumOfSquares(x: Value): Value {
    const axes = x.shape.map((_, axis) => axis);
    return this.reduce('ReduceSumSquare', x, axes, false);
  }

  softmax(x: Value): Value {
    return this.single('Softmax', [x], x.shape, { axis: { int: -1 } });
  }
  logSoftmax(x: Value): Value {
    return this.single('LogSoftmax', [x], x.shape, { axis: { int: -1 } });
  }

  /** Layer normalisation over the last axis; also yields mean and 1/deviation for the gradient. */
  layerNorm(x: Value, gain: Value, bias: Value, epsilon: number): Value {
    const statistics = { shape: [...x.shape.slice(0, -1), 1], type: 'float32' } as const;
    const outputs = [{ shape: x.shape, type: 'float32' } as const, statistics, statistics];
    const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } };
    return this.node('LayerNormalization', [x, gain, bias], outputs, attributes)[0]!;
  }

  /** The run-time shape of x as int64 [rank]. */
  shapeOf(x: Value): Value {
    return this.node('Shape', [x], [{ shape: [x.shape.length], type: 'int64' }], {})[0]!;
  }

  build(): Uint8Array {
    const names = (values: readonly Value[]): string[] => values.map((value) => value.name);
    const nodes: Node[] = this.tape.map((entry) => ({
      op: entry.op,
      inputs: names(entry.inputs),
      outputs: names(entry.outputs),
      attributes: entry.attributes,
    }));
    return encodeModel({
      nodes,
      initialisers: this.initialisers,
      inputs: this.graphInputs,
      outputs: this.graphOutputs,
    });
  }

  private elementwise(op: string, a: Value, b: Value): Value {
    return this.single(op, [a, b], broadcast(a.shape, b.shape));
  }

  private unary(op: string, x: Value): Value {
    return this.single(op, [x], x.shape);
  }

  private reduce(op: string, x: Value, axes: readonly number[], keepAxes: boolean): Value {
    const positive = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis));
    const shape = keepAxes
      ? x.shape.map((size, axis) => (positive.includes(axis) ? 1 : size))
      : x.shape.filter((_, axis) => !positive.includes(axis));
    const attributes = { keepdims: { int: Number(keepAxes) } };
    return this.single(op, [x, this.integers(positive)], shape, attributes);
  }

  /** A node with one output of the first input's element type. */
  private single(
    op: string,
    inputs: readonly Value[],
    shape: Shape,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value {
    const type = op === 'ConstantOfShape' ? 'float32' : inputs[0]!.type;
    return this.node(op, inputs, [{ shape, type }], attributes)[0]!;
  }

  private node(
    op: string,
    inputs: readonly Value[],
    outputs: readonly { readonly shape: Shape; readonly type: ElementType }[],
    attributes: Readonly<Record<string, Attribute>>,
  ): Value[] {
    const values = outputs.map((output) => ({ ...output, name: `v${this.nextId++}` }));
    this.tape.push({ op, inputs, outputs: values, attributes });
    return values;
  }
}

/** The shape of an element-wise result. */
export function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    assert(left === right || left === 1 || right === 1, `[${a}] and [${b}] do not broadcast`);
    return left === 1 ? right : left;
  });
}
