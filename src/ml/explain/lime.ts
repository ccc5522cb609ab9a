/**
 * LIME for texts (Ribeiro et al. 2016): words are left out at random, the model is asked, and a ridge
 * regression weighted by closeness to the whole text says what each word does just here. The local R2
 * tells whether a straight line describes the model around this text at all.
 */
import { SeededRandom } from '../onnx/seeded-random.js';
import type { Ask } from './kernel-shap.js';
import { weightedR2, weightedRidge } from './least-squares.js';

export interface LimeOptions {
  readonly samples: number;
  readonly seed: number;
  /** Width of the kernel exp(-(d / width)^2) over the cosine distance times 100: LIME's 25. */
  readonly kernelWidth: number;
  readonly ridge: number;
}

export interface LocalModel {
  readonly values: readonly number[];
  readonly intercept: number;
  /** The model's own answer for the whole text, and the local line's. */
  readonly value: number;
  readonly localValue: number;
  readonly r2: number;
  readonly evaluations: number;
}

export async function lime(count: number, ask: Ask, options: LimeOptions): Promise<LocalModel> {
  if (count === 0) throw new RangeError('There are no words to explain.');
  const random = new SeededRandom(options.seed, 'lime');
  const masks = [new Uint8Array(count).fill(1)];
  const places = Array.from({ length: count }, (_, i) => i);
  while (masks.length < options.samples) {
    const mask = new Uint8Array(count).fill(1);
    const gone = 1 + random.below(count);
    for (const place of random.shuffled(places).slice(0, gone)) mask[place] = 0;
    masks.push(mask);
  }
  const answers = await ask(masks);
  const weights = masks.map((mask) => {
    const present = mask.reduce((sum, bit) => sum + bit, 0);
    // The cosine of a 0/1 vector with all ones.
    const distance = 1 - Math.sqrt(present / count);
    return Math.sqrt(Math.exp(-((distance * 100) ** 2) / options.kernelWidth ** 2));
  });
  const rows = masks.map((mask) => [1, ...mask]);
  const [intercept, ...values] = weightedRidge(rows, answers, weights, options.ridge, [0]) as [
    number,
    ...number[],
  ];
  const fitted = rows.map((row) =>
    values.reduce((y, part, i) => y + part * row[i + 1]!, intercept),
  );
  return {
    values,
    intercept,
    value: answers[0]!,
    localValue: fitted[0]!,
    r2: weightedR2(fitted, answers, weights),
    evaluations: masks.length,
  };
}
