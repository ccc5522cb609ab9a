/**
 * Reverse-mode differentiation: walks the tape of a Graph backwards and appends plain ONNX nodes
 * that compute the gradients. One rule per operator, all in GRADIENT_RULES; an operator without a
 * rule that lies between a parameter and the loss is refused, never skipped.
 */
import { assert } from '../../lib/assert.js';
import type { Graph, TapeEntry, Value } from './graph.js';
import { elementCount, staticShape } from './tensor.js';

interface RuleContext {
  readonly graph: Graph;
  readonly entry: TapeEntry;
  /** Gradient of the loss with respect to the first output. */
  readonly upstream: Value;
  /** Whether the gradient of input `index` is wanted. */
  readonly wanted: (index: number) => boolean;
}

/** Gradients by input position; undefined where none is wanted or the input is an integer. */
type Rule = (context: RuleContext) => readonly (Value | undefined)[];

/**
 * Gradient of the scalar `loss` for each value of `targets`, in their order. Throws
 * InvariantError when the loss does not depend on one of them.
 */
export function gradients(graph: Graph, loss: Value, targets: readonly Value[]): Value[] {
  const tape = [...graph.tape];
  const dependent = dependents(tape, targets);
  const found = new Map<string, Value>([[loss.name, graph.scalar(1)]]);
  for (const entry of tape.reverse()) {
    const upstream = found.get(entry.outputs[0]!.name);
    if (upstream === undefined || !dependent.has(entry.outputs[0]!.name)) continue;
    const rule = GRADIENT_RULES[entry.op];
    assert(rule !== undefined, `No gradient rule for the operator ${entry.op}`);
    const wanted = (index: number): boolean => dependent.has(entry.inputs[index]?.name ?? '');
    rule({ graph, entry, upstream, wanted }).forEach((gradient, index) => {
      const input = entry.inputs[index]!;
      if (gradient === undefined || !wanted(index)) return;
      const sum = found.get(input.name);
      found.set(input.name, sum === undefined ? gradient : graph.add(sum, gradient));
    });
  }
  return targets.map((target) => {
    const gradient = found.get(target.name);
    assert(gradient !== undefined, `The loss does not depend on ${target.name}`);
    return gradient;
  });
}

/** Names of all values that depend on a target, the targets included. */
function dependents(tape: readonly TapeEntry[], targets: readonly Value[]): Set<string> {
  const names = new Set(targets.map((target) => target.name));
  for (const entry of tape) {
    if (!entry.inputs.some((input) => names.has(input.name))) continue;
    for (const output of entry.outputs) names.add(output.name);
  }
  return names;
}

/** Sums a gradient over the axes along which an operand of `shape` was broadcast. */
function unbroadcast(graph: Graph, gradient: Value, operand: Value): Value {
  const from = staticShape(gradient.shape);
  const to = staticShape(operand.shape);
  const offset = from.length - to.length;
  const axes = from.flatMap((size, axis) =>
    axis < offset || (to[axis - offset] === 1 && size !== 1) ? [axis] : [],
  );
  const summed = axes.length > 0 ? graph.sum(gradient, axes, true) : gradient;
  return offset > 0 ? graph.reshape(summed, to) : summed;
}

/** A rule for a one-input operator. */
function unary(rule: (context: RuleContext, x: Value, y: Value) => Value): Rule {
  return (context) => [rule(context, context.entry.inputs[0]!, context.entry.outputs[0]!)];
}

export const GRADIENT_RULES: Readonly<Record<string, Rule>> = {
  Identity: ({ upstream }) => [upstream],

  Add: ({ graph, entry, upstream, wanted }) =>
    entry.inputs.map((input, i) => (wanted(i) ? unbroadcast(graph, upstream, input) : undefined)),

  Sub: ({ graph, entry, upstream, wanted }) => [
    wanted(0) ? unbroadcast(graph, upstream, entry.inputs[0]!) : undefined,
    wanted(1) ? unbroadcast(graph, graph.negate(upstream), entry.inputs[1]!) : undefined,
  ],

  Mul: ({ graph, entry, upstream, wanted }) => {
    const [a, b] = entry.inputs as [Value, Value];
    return [
      wanted(0) ? unbroadcast(graph, graph.multiply(upstream, b), a) : undefined,
      wanted(1) ? unbroadcast(graph, graph.multiply(upstream, a), b) : undefined,
    ];
  },

  // d(a/b) = da/b - (a/b) db/b
  Div: ({ graph, entry, upstream, wanted }) => {
    const [a, b] = entry.inputs as [Value, Value];
    const scaled = graph.divide(upstream, b);
    const byDivisor = (): Value => graph.negate(graph.multiply(scaled, entry.outputs[0]!));
    return [
      wanted(0) ? unbroadcast(graph, scaled, a) : undefined,
      wanted(1) ? unbroadcast(graph, byDivisor(), b) : undefined,
    ];
  },

  Neg: unary(({ graph, upstream }) => graph.negate(upstream)),
  Exp: unary(({ graph, upstream }, _, y) => graph.multiply(upstream, y)),
  // d sqrt(x) = dx / (2 sqrt(x))
  Sqrt: unary(({ graph, upstream }, _, y) =>
    graph.divide(graph.multiply(upstream, graph.scalar(0.5)), y),
  ),
  // At 0 the slope is taken as 0.
  Relu: unary(({ graph, upstream }, _, y) => graph.multiply(upstream, graph.sign(y))),
  // d tanh(x) = 1 - tanh(x)^2
  Tanh: unary(({ graph, upstream }, _, y) =>
    graph.multiply(upstream, graph.subtract(graph.scalar(1), graph.multiply(y, y))),
  ),
  // d erf(x) = 2/sqrt(pi) exp(-x^2)
  Erf: unary(({ graph, upstream }, x) => {
    const bell = graph.exp(graph.negate(graph.multiply(x, x)));
    return graph.multiply(upstream, graph.multiply(bell, graph.scalar(2 / Math.sqrt(Math.PI))));
  }),

  MatMul: ({ graph, entry, upstream, wanted }) => {
    const [a, b] = entry.inputs as [Value, Value];
    const shared = b.shape.length === 2 && a.shape.length > 2;
    return [
      wanted(0) ? graph.matmul(upstream, swapLastAxes(graph, b)) : undefined,
      wanted(1) ? matrixGradient(graph, a, upstream, shared) : undefined,
    ];
  },

  // y = a b or, with the second flag, a b'.
  Gemm: ({ graph, entry, upstream, wanted }) => {
    const [a, b] = entry.inputs as [Value, Value];
    const flag = (name: string): boolean => (entry.attributes[name] as { int: number }).int === 1;
    assert(!flag('transA'), 'The gradient of Gemm with transA is not needed and not written');
    const flipped = flag('transB');
    const toB = (): Value =>
      flipped ? graph.gemm(upstream, a, true, false) : graph.gemm(a, upstream, true, false);
    return [
      wanted(0) ? graph.gemm(upstream, b, false, !flipped) : undefined,
      wanted(1) ? toB() : undefined,
    ];
  },

  Transpose: ({ graph, entry, upstream }) => {
    const order = (entry.attributes.perm as { ints: readonly number[] }).ints;
    return [graph.transpose(upstream, inverseOrder(order))];
  },
  Reshape: unary(({ graph, upstream }, x) => graph.reshape(upstream, staticShape(x.shape))),
  Unsqueeze: unary(({ graph, upstream }, x) => graph.reshape(upstream, staticShape(x.shape))),

  // The cut-off parts had no influence: pad with zeros.
  Slice: ({ graph, entry, upstream }) => {
    const whole = staticShape(entry.inputs[0]!.shape);
    const part = staticShape(upstream.shape);
    const axis = whole.findIndex((size, i) => size !== part[i]);
    if (axis < 0) return [upstream];
    const begin = constantInteger(graph, entry.inputs[1]!);
    const before = whole.map((_, i) => (i === axis ? begin : 0));
    const after = whole.map((size, i) => size - part[i]! - before[i]!);
    return [graph.pad(upstream, before, after)];
  },

  // What was put around x is cut off again.
  Pad: unary(({ graph, entry, upstream }, x) => {
    const before = graph.integersOf(entry.inputs[1]!);
    return staticShape(x.shape).reduce<Value>(
      (cut, size, axis) =>
        cut.shape[axis] === size
          ? cut
          : graph.slice(cut, axis, before[axis]!, before[axis]! + size),
      upstream,
    );
  }),

  // Rows that were gathered more than once add up.
  Gather: ({ graph, entry, upstream }) => {
    const [table, indices] = entry.inputs as [Value, Value];
    const shape = staticShape(table.shape);
    const count = elementCount(staticShape(indices.shape));
    const width = shape.slice(1);
    const column = graph.reshape(indices, [count, ...width.map(() => 1)]);
    const everywhere = graph.expand(column, [count, ...width]);
    return [graph.scatterAdd(shape, everywhere, graph.reshape(upstream, [count, ...width]), 0)];
  },
  GatherElements: ({ graph, entry, upstream }) => {
    const [x, indices] = entry.inputs as [Value, Value];
    return [graph.scatterAdd(staticShape(x.shape), indices, upstream, 1)];
  },

  ReduceSum: ({ graph, entry, upstream }) => [spread(graph, entry, upstream, 1)],
  ReduceMean: ({ graph, entry, upstream }) => {
    const from = elementCount(staticShape(entry.inputs[0]!.shape));
    const to = elementCount(staticShape(entry.outputs[0]!.shape));
    return [spread(graph, entry, upstream, to / from)];
  },

  // dx = (dy - sum(dy * y)) * y
  Softmax: unary(({ graph, upstream }, _, y) => {
    const weighted = graph.multiply(upstream, y);
    return graph.subtract(weighted, graph.multiply(y, graph.sum(weighted, [-1], true)));
  }),
  // dx = dy - softmax(x) * sum(dy)
  LogSoftmax: unary(({ graph, upstream }, x) =>
    graph.subtract(upstream, graph.multiply(graph.softmax(x), graph.sum(upstream, [-1], true))),
  ),

  // With n = (x - mean) * s and g = dy * gain: dx = s * (g - mean(g) - n * mean(g * n)).
  // Source: Ba, Kiros, Hinton 2016, supplementary material.
  LayerNormalization: ({ graph, entry, upstream, wanted }) => {
    const [x, gain, bias] = entry.inputs as [Value, Value, Value];
    const [, mean, scale] = entry.outputs as [Value, Value, Value];
    const normal = graph.multiply(graph.subtract(x, mean), scale);
    const toInput = (): Value => {
      const scaled = graph.multiply(upstream, gain);
      const centre = graph.subtract(scaled, graph.mean(scaled, [-1], true));
      const along = graph.mean(graph.multiply(scaled, normal), [-1], true);
      return graph.multiply(scale, graph.subtract(centre, graph.multiply(normal, along)));
    };
    const toGain = (): Value => unbroadcast(graph, graph.multiply(upstream, normal), gain);
    return [
      wanted(0) ? toInput() : undefined,
      wanted(1) ? toGain() : undefined,
      wanted(2) ? unbroadcast(graph, upstream, bias) : undefined,
    ];
  },
};

/** Gradient of the right operand: a' x dy, summed over the batch when one matrix served all. */
function matrixGradient(graph: Graph, a: Value, upstream: Value, shared: boolean): Value {
  if (!shared && a.shape.length > 2) return graph.matmul(swapLastAxes(graph, a), upstream);
  const flat = (x: Value): Value => {
    const width = staticShape(x.shape).at(-1)!;
    const rows = elementCount(staticShape(x.shape)) / width;
    return x.shape.length === 2 ? x : graph.reshape(x, [rows, width]);
  };
  return graph.gemm(flat(a), flat(upstream), true, false);
}

function swapLastAxes(graph: Graph, x: Value): Value {
  const order = x.shape.map((_, axis) => axis);
  const last = order.length - 1;
  return graph.transpose(x, [...order.slice(0, -2), last, last - 1]);
}

function inverseOrder(order: readonly number[]): number[] {
  const inverse = order.map(() => 0);
  order.forEach((from, to) => {
    inverse[from] = to;
  });
  return inverse;
}

/** Gradient of a sum over axes: the upstream value, times `factor`, at every summed place. */
function spread(graph: Graph, entry: TapeEntry, upstream: Value, factor: number): Value {
  const shape = staticShape(entry.inputs[0]!.shape);
  const axes = graph.integersOf(entry.inputs[1]!);
  const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const scaled = factor === 1 ? upstream : graph.multiply(upstream, graph.scalar(factor));
  return graph.expand(graph.reshape(scaled, kept), shape);
}

function constantInteger(graph: Graph, value: Value): number {
  return graph.integersOf(value)[0]!;
}
