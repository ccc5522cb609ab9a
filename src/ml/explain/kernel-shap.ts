/**
 * Shapley values of any function of present and absent features (Lundberg and Lee 2017). Up to
 * EXACT_UP_TO features every coalition is asked and the values are the Shapley formula itself; beyond,
 * coalitions are drawn with the Shapley kernel (M-1) / (C(M,|z|) |z| (M-|z|)), each with its complement,
 * and a weighted least-squares fit, held to sum to f(x) - f(none), gives the values.
 */
import { SeededRandom } from '../onnx/seeded-random.js';
import { weightedR2, weightedRidge } from './least-squares.js';

export const EXACT_UP_TO = 12;

/** Answers many coalitions at once: one number per mask; a mask holds 1 where a feature is present. */
export type Ask = (masks: readonly Uint8Array[]) => Promise<readonly number[]>;

export interface Attribution {
  readonly values: readonly number[];
  /** f with every feature absent, and with all present. */
  readonly base: number;
  readonly value: number;
  readonly method: 'exact' | 'sampled';
  /** |sum of the values - (value - base)|. */
  readonly additivityError: number;
  /** How well the values explain the coalitions that were asked; 1 where features only add up. */
  readonly r2: number;
  readonly evaluations: number;
}

export interface ShapOptions {
  readonly samples: number;
  readonly seed: number;
}

export async function kernelShap(
  count: number,
  ask: Ask,
  options: ShapOptions,
): Promise<Attribution> {
  if (count === 0) throw new RangeError('There are no features to explain.');
  return count <= EXACT_UP_TO ? await exact(count, ask) : await sampled(count, ask, options);
}

async function exact(count: number, ask: Ask): Promise<Attribution> {
  const masks = Array.from({ length: 2 ** count }, (_, bits) => maskOf(bits, count));
  const answers = await ask(masks);
  // Weight of a coalition of s others: s! (M - s - 1)! / M!
  const weights = Array.from({ length: count }, (_, s) => 1 / (count * combinations(count - 1, s)));
  const values = Array.from({ length: count }, (_, feature) => {
    let sum = 0;
    for (let bits = 0; bits < masks.length; bits++) {
      if (bits & (1 << feature)) continue;
      const weight = weights[ones(masks[bits] as Uint8Array)] as number;
      sum += weight * (answers[bits | (1 << feature)]! - answers[bits]!);
    }
    return sum;
  });
  const [base, value] = [answers[0]!, answers[masks.length - 1]!];
  return finished('exact', values, base, value, masks, answers);
}

async function sampled(
  count: number,
  ask: Ask,
  { samples, seed }: ShapOptions,
): Promise<Attribution> {
  const [base, value] = (await ask([new Uint8Array(count), new Uint8Array(count).fill(1)])) as [
    number,
    number,
  ];
  const drawn = draw(count, samples, new SeededRandom(seed, 'kernel-shap'));
  const answers = await ask(drawn.masks);
  // The last value is eliminated: it is what the others leave of f(x) - f(none).
  const last = count - 1;
  const whole = value - base;
  const rows = drawn.masks.map((mask) =>
    Float64Array.from({ length: last }, (_, i) => mask[i]! - mask[last]!),
  );
  const targets = answers.map((y, i) => y - base - drawn.masks[i]![last]! * whole);
  const others = weightedRidge(rows, targets, drawn.weights, 1e-9 * samples);
  const rest = whole - others.reduce((sum, part) => sum + part, 0);
  return finished('sampled', [...others, rest], base, value, drawn.masks, answers, drawn.weights);
}

function finished(
  method: Attribution['method'],
  values: readonly number[],
  base: number,
  value: number,
  masks: readonly Uint8Array[],
  answers: readonly number[],
  given?: readonly number[],
): Attribution {
  const weights = given ?? masks.map((mask) => kernel(mask.length, ones(mask)));
  const sum = values.reduce((total, part) => total + part, 0);
  const fitted = masks.map((mask) => values.reduce((y, part, i) => y + part * mask[i]!, base));
  return {
    values,
    base,
    value,
    method,
    additivityError: Math.abs(sum - (value - base)),
    r2: weights.every((weight) => weight === 0) ? 1 : weightedR2(fitted, answers, weights),
    evaluations: masks.length + (method === 'sampled' ? 2 : 0),
  };
}

/** Distinct coalitions with how often each was drawn; sizes are drawn by the kernel's mass. */
function draw(count: number, samples: number, random: SeededRandom) {
  const sizes = Array.from(
    { length: count - 1 },
    (_, i) => (count - 1) / ((i + 1) * (count - i - 1)),
  );
  const mass = sizes.reduce((sum, size) => sum + size, 0);
  const found = new Map<string, { readonly mask: Uint8Array; weight: number }>();
  const note = (mask: Uint8Array): void => {
    const key = mask.join('');
    const known = found.get(key);
    if (known === undefined) found.set(key, { mask, weight: 1 });
    else known.weight++;
  };
  const places = Array.from({ length: count }, (_, i) => i);
  for (let drawn = 0; drawn < samples; drawn += 2) {
    let left = random.uniform() * mass;
    let size = 1;
    while (size < count - 1 && left >= sizes[size - 1]!) left -= sizes[size++ - 1]!;
    const mask = new Uint8Array(count);
    for (const place of random.shuffled(places).slice(0, size)) mask[place] = 1;
    note(mask);
    note(mask.map((bit) => 1 - bit));
  }
  const kept = [...found.values()];
  return { masks: kept.map((one) => one.mask), weights: kept.map((one) => one.weight) };
}

function kernel(count: number, size: number): number {
  if (size === 0 || size === count) return 0;
  return (count - 1) / (combinations(count, size) * size * (count - size));
}

function combinations(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= k; i++) result = (result * (n - k + i)) / i;
  return result;
}

function maskOf(bits: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => (bits >> i) & 1);
}

function ones(mask: Uint8Array): number {
  return mask.reduce((sum, bit) => sum + bit, 0);
}
