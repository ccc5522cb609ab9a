/** Explains what a classifier says about texts, word by word, for any source of probabilities. */
import { DataFailure } from '../data/data-failure.js';
import { EXACT_UP_TO, kernelShap } from './kernel-shap.js';
import { lime } from './lime.js';
import { wordsOf } from './words.js';

export interface ExplainOptions {
  readonly method: 'shap' | 'lime';
  /** The label explained; null: the one that is predicted. */
  readonly label: string | null;
  readonly samples: number;
  readonly seed: number;
  readonly replacement: string | null;
  readonly kernelWidth: number;
  readonly ridge: number;
}

export interface Scored {
  readonly label: string;
  readonly scores: Readonly<Record<string, number>>;
}

export type Predict = (texts: readonly string[]) => Promise<readonly Scored[]>;

export interface Explanation {
  readonly text: string;
  readonly predicted: string;
  readonly label: string;
  /** Probability of `label`. */
  readonly score: number;
  readonly method: 'shap-exact' | 'shap-sampled' | 'lime';
  /** In the order of the text. */
  readonly words: readonly { readonly word: string; readonly value: number }[];
  readonly base: number;
  readonly additivityError: number | null;
  readonly r2: number;
  readonly evaluations: number;
  readonly warnings: readonly string[];
}

export const WORDS_MAX = 200;
const POOR_R2 = 0.6;

/** Throws `Explain.BadText` and `Explain.UnknownLabel`. */
export async function explain(
  text: string,
  predict: Predict,
  options: ExplainOptions,
): Promise<Explanation> {
  const { words, masked } = wordsOf(text, options.replacement);
  if (words.length === 0 || words.length > WORDS_MAX) {
    const reason = `a text of ${words.length} words; 1 to ${WORDS_MAX} can be explained.`;
    throw new DataFailure('Explain.BadText', reason);
  }
  const [whole] = await predict([text]);
  const { label: predicted, scores } = whole as Scored;
  const label = options.label ?? predicted;
  if (!Object.hasOwn(scores, label)) {
    const known = Object.keys(scores).join(', ');
    throw new DataFailure('Explain.UnknownLabel', `"${label}" is none of the labels: ${known}.`);
  }
  const ask = async (masks: readonly Uint8Array[]) =>
    (await predict(masks.map(masked))).map((one) => one.scores[label] as number);
  const common = { text, predicted, label, score: scores[label] as number };
  const named = (values: readonly number[]) =>
    words.map((word, i) => ({ word, value: values[i] as number }));
  if (options.method === 'lime') {
    const found = await lime(words.length, ask, options);
    return {
      ...common,
      method: 'lime',
      words: named(found.values),
      base: found.intercept,
      additivityError: null,
      r2: found.r2,
      evaluations: found.evaluations,
      warnings: warningsOf(found.r2, words.length, options),
    };
  }
  const found = await kernelShap(words.length, ask, options);
  return {
    ...common,
    method: `shap-${found.method}`,
    words: named(found.values),
    base: found.base,
    additivityError: found.additivityError,
    r2: found.r2,
    evaluations: found.evaluations,
    warnings: warningsOf(found.r2, words.length, options),
  };
}

function warningsOf(r2: number, words: number, options: ExplainOptions): readonly string[] {
  const warnings: string[] = [];
  if (r2 < POOR_R2) {
    warnings.push(`R2 is ${r2.toFixed(2)}: words act together here; single values say little.`);
  }
  const isExact = options.method === 'shap' && words <= EXACT_UP_TO;
  if (!isExact && options.samples < 4 * words) {
    warnings.push(`${options.samples} samples are few for ${words} words; give ${8 * words}.`);
  }
  return warnings;
}
