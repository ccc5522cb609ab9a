import { describe, expect, test } from 'vitest';
import { GRADIENT_RULES, gradients } from '../../../src/ml/onnx/autodiff.js';
import { Graph, type Value } from '../../../src/ml/onnx/graph.js';
import { SeededRandom } from '../../../src/ml/onnx/seeded-random.js';
import { openSession, runSession } from '../../../src/ml/onnx/session.js';
import { elementCount, type FloatTensor, floatTensor } from '../../../src/ml/onnx/tensor.js';

/** Shapes of the float inputs, and the expression under test. */
interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly build: (graph: Graph, inputs: readonly Value[]) => Value;
  /** Values to start from; default: normal. */
  readonly from?: (random: SeededRandom) => number;
}

const positive = (random: SeededRandom): number => 0.5 + random.uniform();
/** Away from the kink at 0. */
const kinked = (random: SeededRandom): number => (random.chance(0.5) ? 1 : -1) * positive(random);
const indices = (graph: Graph, shape: readonly number[], values: readonly number[]): Value =>
  graph.constant({ type: 'int64', shape, data: BigInt64Array.from(values.map(BigInt)) });

const CASES: Readonly<Record<string, Case>> = {
  Identity: { shapes: [[2, 3]], build: (g, [x]) => g.output(x!, 'copy') },
  Add: { shapes: [[2, 3], [3]], build: (g, [a, b]) => g.add(a!, b!) },
  Sub: { shapes: [[3], [2, 3]], build: (g, [a, b]) => g.subtract(a!, b!) },
  Mul: {
    shapes: [
      [2, 1, 3],
      [4, 1],
    ],
    build: (g, [a, b]) => g.multiply(a!, b!),
  },
  Div: {
    shapes: [
      [2, 3],
      [2, 1],
    ],
    build: (g, [a, b]) => g.divide(a!, b!),
    from: positive,
  },
  Neg: { shapes: [[4]], build: (g, [x]) => g.negate(x!) },
  Exp: { shapes: [[4]], build: (g, [x]) => g.exp(x!) },
  Sqrt: { shapes: [[4]], build: (g, [x]) => g.sqrt(x!), from: positive },
  Relu: { shapes: [[2, 5]], build: (g, [x]) => g.relu(x!), from: kinked },
  Tanh: { shapes: [[5]], build: (g, [x]) => g.tanh(x!) },
  Erf: { shapes: [[5]], build: (g, [x]) => g.erf(x!) },
  MatMul: {
    shapes: [
      [2, 3, 4],
      [2, 4, 5],
    ],
    build: (g, [a, b]) => g.matmul(a!, b!),
  },
  'MatMul, one matrix for all': {
    shapes: [
      [2, 3, 4],
      [4, 5],
    ],
    build: (g, [a, b]) => g.matmul(a!, b!),
  },
  'MatMul of matrices': {
    shapes: [
      [3, 4],
      [4, 2],
    ],
    build: (g, [a, b]) => g.matmul(a!, b!),
  },
  Gemm: {
    shapes: [
      [3, 4],
      [4, 2],
    ],
    build: (g, [a, b]) => g.gemm(a!, b!, false, false),
  },
  'Gemm, transposed': {
    shapes: [
      [3, 4],
      [2, 4],
    ],
    build: (g, [a, b]) => g.gemm(a!, b!, false, true),
  },
  Transpose: { shapes: [[2, 3, 4]], build: (g, [x]) => g.transpose(x!, [2, 0, 1]) },
  Reshape: { shapes: [[2, 6]], build: (g, [x]) => g.reshape(x!, [3, 4]) },
  Unsqueeze: { shapes: [[2, 3]], build: (g, [x]) => g.unsqueeze(x!, [1, 2]) },
  Slice: { shapes: [[5, 3]], build: (g, [x]) => g.slice(x!, 0, 1, 4) },
  'Slice, the whole': { shapes: [[5, 3]], build: (g, [x]) => g.slice(x!, 0, 0, 5) },
  Pad: { shapes: [[2, 3, 2]], build: (g, [x]) => g.pad(x!, [0, 1, 0], [0, 2, 0]) },
  'Pad, two axes': { shapes: [[2, 3]], build: (g, [x]) => g.pad(x!, [1, 0], [0, 2]) },
  Gather: {
    shapes: [[4, 3]],
    build: (g, [x]) => g.gather(x!, indices(g, [2, 3], [0, 3, 3, 1, 3, 0])),
  },
  GatherElements: {
    shapes: [[3, 4]],
    build: (g, [x]) => g.gatherElements(x!, indices(g, [3, 1], [2, 0, 3])),
  },
  ReduceSum: { shapes: [[2, 3, 4]], build: (g, [x]) => g.sum(x!, [0, -1], false) },
  ReduceMean: { shapes: [[2, 3, 4]], build: (g, [x]) => g.mean(x!, [1], true) },
  Softmax: { shapes: [[2, 5]], build: (g, [x]) => g.softmax(x!) },
  LogSoftmax: { shapes: [[2, 5]], build: (g, [x]) => g.logSoftmax(x!) },
  LayerNormalization: {
    shapes: [[2, 3, 6], [6], [6]],
    build: (g, [x, gain, bias]) => g.layerNorm(x!, gain!, bias!, 1e-5),
  },
};

describe('the gradient of every operator agrees with finite differences', () => {
  test('every rule has a case', () => {
    const covered = new Set(Object.keys(CASES).map((name) => name.split(/[, ]/)[0]));
    expect(Object.keys(GRADIENT_RULES).filter((op) => !covered.has(op))).toEqual([]);
  });

  test.each(Object.entries(CASES))('%s', async (_, { shapes, build, from }) => {
    const random = new SeededRandom(11);
    const draw = from ?? ((r: SeededRandom) => r.normal());
    const inputs = shapes.map((shape) => filled(shape, () => draw(random)));
    const graph = new Graph();
    const values = shapes.map((shape, i) => graph.input(`x${i}`, shape));
    const result = build(graph, values);
    // A random weighting makes every output element count differently.
    const weighting = filled(result.shape as number[], () => random.normal());
    const weighted = graph.multiply(result, graph.constant(weighting));
    const loss = graph.sum(
      weighted,
      weighted.shape.map((__, axis) => axis),
      false,
    );
    gradients(graph, loss, values).forEach((gradient, i) => {
      graph.output(gradient, `g${i}`);
    });
    graph.output(loss, 'loss');
    const session = await openSession(graph.build(), 1);
    const run = (tensors: readonly FloatTensor[]) =>
      runSession(session, Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor])));
    const base = await run(inputs);
    for (const [i, input] of inputs.entries()) {
      const slope = base.get(`g${i}`)!;
      expect(slope.shape).toEqual(input.shape);
      for (let at = 0; at < input.data.length; at++) {
        const step = 0.01;
        const lossAt = async (shift: number): Promise<number> => {
          const data = input.data.slice();
          data[at]! += shift;
          const moved = inputs.map((other, j) =>
            j === i ? floatTensor(input.shape, data) : other,
          );
          return (await run(moved)).get('loss')!.data[0] as number;
        };
        const measured = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
        expect(Math.abs(measured - Number(slope.data[at])), `x${i}[${at}]`).toBeLessThan(4e-3);
      }
    }
  });

  test('an operator without a rule is refused, not skipped', () => {
    const graph = new Graph();
    const x = graph.input('x', [2]);
    const loss = graph.sum(graph.minimum(x, graph.scalar(1)), [0], false);
    expect(() => gradients(graph, loss, [x])).toThrow('No gradient rule for the operator Min');
  });

  test('a parameter that the loss does not use is refused', () => {
    const graph = new Graph();
    const [x, y] = [graph.input('x', [2]), graph.input('y', [2])];
    expect(() => gradients(graph, graph.sum(x, [0], false), [x, y])).toThrow(
      'does not depend on y',
    );
  });
});

function filled(shape: readonly number[], value: () => number): FloatTensor {
  return floatTensor(shape, Float32Array.from({ length: elementCount(shape) }, value));
}
