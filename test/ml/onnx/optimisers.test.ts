import { describe, expect, test } from 'vitest';
import { gradients } from '../../../src/ml/onnx/autodiff.js';
import { Graph } from '../../../src/ml/onnx/graph.js';
import {
  ADAMW,
  applyOptimiser,
  clippingScale,
  type OptimiserSettings,
  SGD,
  STATE_SLOTS,
} from '../../../src/ml/onnx/optimisers.js';
import { openSession, TrainingState } from '../../../src/ml/onnx/session.js';
import { type FloatTensor, floatTensor } from '../../../src/ml/onnx/tensor.js';

const TARGET = [3, -4, 0.5];
const RATE = 0.05;
const DECAY = 0.1;

/** Three steps on loss = sum((w - target)^2), whose gradient is 2 (w - target). */
async function threeSteps(settings: OptimiserSettings, maxNorm: number): Promise<number[]> {
  const graph = new Graph();
  const w = graph.input('w', [3]);
  const off = graph.subtract(w, graph.constant(floatTensor([3], Float32Array.from(TARGET))));
  const loss = graph.sum(graph.multiply(off, off), [0], false);
  const [gradient] = gradients(graph, loss, [w]);
  const slots = STATE_SLOTS[settings.kind];
  const updated = applyOptimiser(
    graph,
    settings,
    {
      parameter: w,
      gradient: gradient!,
      state: slots.map((slot) => graph.input(`w.${slot}`, [3])),
      learningRate: graph.input('rate', []),
      gradientScale: clippingScale(graph, [gradient!], maxNorm).scale,
      weightDecay: DECAY,
    },
    { first: graph.input('c1', []), second: graph.input('c2', []) },
  );
  graph.output(updated.parameter, 'w.next');
  slots.forEach((slot, i) => {
    graph.output(updated.state[i]!, `w.${slot}.next`);
  });
  graph.output(loss, 'loss');
  const session = await openSession(graph.build(), 1);
  const zeros = slots.map((slot): [string, FloatTensor] => [`w.${slot}`, floatTensor([3])]);
  const start: [string, FloatTensor] = ['w', floatTensor([3], Float32Array.of(1, 1, 1))];
  const state = new TrainingState(new Map([start, ...zeros]));
  const scalar = (value: number) => floatTensor([], Float32Array.of(value));
  for (let step = 1; step <= 3; step++) {
    await state.step(session, {
      rate: scalar(RATE),
      c1: scalar(1 - ADAMW.beta1 ** step),
      c2: scalar(1 - ADAMW.beta2 ** step),
    });
  }
  return Array.from(state.tensors().get('w')!.data);
}

/** The same three steps, written down from the papers in double precision. */
function expected(settings: OptimiserSettings, maxNorm: number): number[] {
  const w = [1, 1, 1];
  const [m, v] = [
    [0, 0, 0],
    [0, 0, 0],
  ];
  for (let step = 1; step <= 3; step++) {
    const slopes = w.map((value, i) => 2 * (value - TARGET[i]!));
    const clip = Math.min(1, maxNorm / Math.hypot(...slopes));
    slopes.forEach((slope, i) => {
      const g = slope * clip;
      let direction: number;
      if (settings.kind === 'sgd') {
        m[i] = settings.momentum * m[i]! + g;
        direction = settings.nesterov ? g + settings.momentum * m[i] : m[i];
      } else {
        m[i] = settings.beta1 * m[i]! + (1 - settings.beta1) * g;
        v[i] = settings.beta2 * v[i]! + (1 - settings.beta2) * g * g;
        const [mean, variance] = [
          m[i] / (1 - settings.beta1 ** step),
          v[i] / (1 - settings.beta2 ** step),
        ];
        direction = mean / (Math.sqrt(variance) + settings.epsilon);
      }
      w[i] = w[i]! - RATE * DECAY * w[i]! - RATE * direction;
    });
  }
  return w;
}

describe.each([ADAMW, SGD, { ...SGD, nesterov: true }])('$kind $nesterov', (settings) => {
  test.each([
    ['without clipping', 1e9],
    ['with the gradient clipped', 0.7],
  ])('three steps land where the formula says, %s', async (_, maxNorm) => {
    const [ours, theirs] = [await threeSteps(settings, maxNorm), expected(settings, maxNorm)];
    ours.forEach((value, i) => {
      expect(value).toBeCloseTo(theirs[i]!, 5);
    });
  });
});
