import { expect, test } from 'vitest';
import { calibration, logLoss } from '../../../src/ml/metrics/probability.js';
import { atTemperature, fitTemperature } from '../../../src/ml/metrics/temperature.js';
import { softmax } from '../../../src/ml/encoder/probabilities.js';
import { SeededRandom } from '../../../src/ml/onnx/seeded-random.js';

/** Labels drawn from the true probabilities; the model sees its logits times `overconfidence`. */
function world(overconfidence: number) {
  const random = new SeededRandom(5, 'temperature');
  const truth: number[] = [];
  const values: number[] = [];
  for (let row = 0; row < 4000; row++) {
    const logits = [0, 1, 2].map(() => random.normal() * 1.5);
    const chances = softmax(logits);
    const draw = random.uniform();
    truth.push(draw < chances[0]! ? 0 : draw < chances[0]! + chances[1]! ? 1 : 2);
    values.push(...softmax(logits.map((x) => x * overconfidence)));
  }
  return { truth, scores: { values, classes: 3 } };
}

test.each([3, 1, 0.5])('logits times %d: the temperature undoes it', (overconfidence) => {
  const { truth, scores } = world(overconfidence);
  const temperature = fitTemperature(truth, scores);
  expect(temperature / overconfidence).toBeGreaterThan(0.93);
  expect(temperature / overconfidence).toBeLessThan(1.07);
  const after = atTemperature(scores, temperature);
  expect(calibration(truth, after).error).toBeLessThan(0.03);
  expect(logLoss(truth, after)).toBeLessThanOrEqual(logLoss(truth, scores) as number);
});

test('probabilities stay probabilities, and the order of labels stays', () => {
  const { scores } = world(1);
  const hot = atTemperature(scores, 4);
  for (let row = 0; row < 50; row++) {
    const [before, after] = [scores, hot].map(({ values }) =>
      Array.from(values).slice(row * 3, row * 3 + 3),
    );
    expect(after!.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect(after!.indexOf(Math.max(...after!))).toBe(before!.indexOf(Math.max(...before!)));
  }
  expect(
    Array.from(atTemperature({ values: [0, 1], classes: 2 }, 2).values).every(Number.isFinite),
  ).toBe(true);
});
