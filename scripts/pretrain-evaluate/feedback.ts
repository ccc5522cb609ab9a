/**
 * The hand-written rows as the judge of a base model: a stratified 80/20 split (seed 42), and an
 * eighth of the larger part for choosing hyper-parameters. The texts are for training and scoring
 * only; nothing here prints one, and nothing that makes the base imports this file.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import type { FineTuneOptions } from '../../src/ml/fine-tune.js';
import { SeededRandom } from '../../src/ml/onnx/seeded-random.js';

export const LABELS = ['positive', 'neutral', 'negative'];
const SPLIT_SEED = 42;

/** The hyper-parameters chosen on the validation part; state-machines/ml-lifecycle.input.json has them. */
export const RECOMMENDED = {
  labels: LABELS,
  strategy: 'full',
  epochs: 4,
  batchSize: 16,
  learningRate: 3e-4,
  seed: 42,
} as const satisfies Partial<FineTuneOptions>;

export interface FeedbackRow {
  readonly text: string;
  readonly label: string;
}

export interface FeedbackSplit {
  readonly fit: readonly FeedbackRow[];
  readonly validation: readonly FeedbackRow[];
  readonly test: readonly FeedbackRow[];
}

export function splitFeedback(path: string, seed = SPLIT_SEED): FeedbackSplit {
  const [train, test] = stratified(readRows(path), 0.2, [seed, 'test']);
  const [fit, validation] = stratified(train, 0.125, [seed, 'validation']);
  return { fit, validation, test };
}

export function writeJsonLines(path: string, rows: readonly FeedbackRow[]): void {
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

/** The rows of the feedback file, in file order. */
function readRows(path: string): FeedbackRow[] {
  const rows: { text: string; sentiment: string }[] = parse(readFileSync(path), { columns: true });
  return rows
    .map(({ text, sentiment }) => ({ text, label: sentiment }))
    .filter(({ label }) => LABELS.includes(label));
}

/** [the rest, `share` of every label]. */
function stratified(
  rows: readonly FeedbackRow[],
  share: number,
  [seed, name]: readonly [number, string],
): [FeedbackRow[], FeedbackRow[]] {
  const [rest, taken]: [FeedbackRow[], FeedbackRow[]] = [[], []];
  for (const label of LABELS) {
    const own = new SeededRandom(seed, name, label).shuffled(
      rows.filter((row) => row.label === label),
    );
    const count = Math.round(own.length * share);
    taken.push(...own.slice(0, count));
    rest.push(...own.slice(count));
  }
  return [rest, taken];
}
