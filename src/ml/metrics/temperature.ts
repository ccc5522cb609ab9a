/**
 * Temperature scaling (Guo et al. 2017): one number that divides the logits, fitted on validation rows by
 * the log loss. It changes how sure a model is, never what it predicts.
 */
import { softmax } from '../encoder/probabilities.js';
import { logLoss, type Scores } from './probability.js';

/** Probabilities at another temperature; log p is a logit up to a constant that softmax forgets. */
export function atTemperature(scores: Scores, temperature: number): Scores {
  const { classes } = scores;
  const values = new Float64Array(scores.values.length);
  for (let from = 0; from < values.length; from += classes) {
    const logits = Array.from(
      { length: classes },
      (_, c) => Math.log(Math.max(scores.values[from + c] as number, 1e-300)) / temperature,
    );
    values.set(softmax(logits), from);
  }
  return { values, classes };
}

const COLDEST = 0.05;
const HOTTEST = 20;

/** The temperature of least log loss, by golden section: the loss is convex in 1 / temperature. */
export function fitTemperature(truth: ArrayLike<number>, scores: Scores): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  const loss = (inverse: number) =>
    logLoss(truth, atTemperature(scores, 1 / inverse)) ?? Number.POSITIVE_INFINITY;
  let [low, high] = [1 / HOTTEST, 1 / COLDEST];
  let [a, b] = [high - ratio * (high - low), low + ratio * (high - low)];
  let [lossA, lossB] = [loss(a), loss(b)];
  for (let step = 0; step < 60; step++) {
    if (lossA < lossB) {
      [high, b, lossB] = [b, a, lossA];
      a = high - ratio * (high - low);
      lossA = loss(a);
    } else {
      [low, a, lossA] = [a, b, lossB];
      b = low + ratio * (high - low);
      lossB = loss(b);
    }
  }
  return 2 / (low + high);
}
