import { expect, test } from 'vitest';
import {
  classifierStep,
  gradientSums,
  optimiserState,
  updateStep,
} from '../../../src/ml/encoder/training-graph.js';
import { ADAMW, type OptimiserSettings, SGD } from '../../../src/ml/onnx/optimisers.js';
import { type Feeds, openSession, TrainingState } from '../../../src/ml/onnx/session.js';
import { floatTensor, type Tensor } from '../../../src/ml/onnx/tensor.js';
import { LABELS, SHAPE, seededBatch, seededParameters, smallConfig } from './fixture.js';

const config = smallConfig('mean');
const parameters = seededParameters(config, 2);
const batch: Feeds = {
  ...seededBatch(config, 2),
  weights: floatTensor([SHAPE.batch], new Float32Array(SHAPE.batch).fill(1)),
};
const scalar = (value: number) => floatTensor([], Float32Array.of(value));
const scalars = {
  bias_correction_1: scalar(0.1),
  bias_correction_2: scalar(0.001),
  'learning_rate.all': scalar(0.01),
};

function settings(optimiser: OptimiserSettings) {
  const groups = new Map([...parameters.keys()].map((name) => [name, 'all']));
  return { optimiser, groups, weightDecay: 0.1, clipNorm: 0.5 };
}

/** Rows `from` up to `to` of every tensor of the batch. */
function part(from: number, to: number): Feeds {
  return Object.fromEntries(
    Object.entries(batch).map(([name, tensor]) => {
      const width = tensor.data.length / SHAPE.batch;
      const data = tensor.data.slice(from * width, to * width);
      return [name, { ...tensor, shape: [to - from, ...tensor.shape.slice(1)], data } as Tensor];
    }),
  );
}

test.each([ADAMW, { ...SGD, nesterov: true }])(
  'two accumulated halves make the step that the whole batch makes: $kind',
  async (optimiser) => {
    const own = settings(optimiser);
    const start = () => new Map([...parameters, ...optimiserState(optimiser, parameters)]);
    const whole = new TrainingState(start());
    const step = classifierStep(config, LABELS, SHAPE, own, false);
    const loss = await whole.step(await openSession(step.model, 1), { ...batch, ...scalars });

    const halved = new TrainingState(new Map([...start(), ...gradientSums(parameters)]));
    const half = { batch: SHAPE.batch / 2, sequence: SHAPE.sequence };
    const adding = { ...own, accumulate: true };
    const add = await openSession(classifierStep(config, LABELS, half, adding, false).model, 1);
    const losses = [await halved.step(add, part(0, 2)), await halved.step(add, part(2, 4))];
    const update = await openSession(updateStep(config, LABELS, adding).model, 1);
    await halved.step(update, { ...scalars, accumulated: scalar(2) });

    expect((losses[0]! + losses[1]!) / 2).toBeCloseTo(loss, 5);
    const after = halved.tensors();
    for (const [name, { data }] of whole.tensors()) {
      const other = after.get(name)!.data;
      const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
      // AdamW's first step divides by the gradient's own size: tiny gradients amplify rounding.
      const tolerance = optimiser.kind === 'adamw' ? 2e-3 : 1e-5;
      data.forEach((value, i) => {
        expect(Math.abs(value - other[i]!) / largest, name).toBeLessThan(tolerance);
      });
    }
    for (const name of gradientSums(parameters).keys()) {
      expect(after.get(name)!.data.every((value) => value === 0)).toBe(true);
    }
  },
);
