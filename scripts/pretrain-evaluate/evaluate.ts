/**
 * Fine-tunes a base on the hand-written rows and prints aggregate scores, never a text.
 * Hyper-parameters are chosen with `--on validation`; `--on test` is for the report and trains on
 * the whole 80 % for the fixed number of epochs, so nothing is chosen by looking at the test rows.
 * Run: node --import tsx scripts/pretrain-evaluate/evaluate.ts --on test [--model folder] [--split seed] [--set key=value]…
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadClassifier } from '../../src/ml/encoder/classifier.js';
import { type FineTuneOptions, fineTune } from '../../src/ml/fine-tune.js';
import {
  type FeedbackRow,
  LABELS,
  RECOMMENDED,
  splitFeedback,
  writeJsonLines,
} from './feedback.js';

const { values } = parseArgs({
  options: {
    on: { type: 'string', default: 'validation' },
    model: { type: 'string', default: 'models/stepwell-mini-bert' },
    data: { type: 'string', default: 'data/customer_feedback.csv' },
    split: { type: 'string', default: '42' },
    set: { type: 'string', multiple: true, default: [] },
    verbose: { type: 'boolean', default: false },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'stepwell-evaluate-'));
const { fit, validation, test } = splitFeedback(values.data, Number(values.split));
const final = values.on === 'test';
writeJsonLines(join(folder, 'train.jsonl'), final ? [...fit, ...validation] : fit);
writeJsonLines(join(folder, 'validation.jsonl'), validation);

const began = performance.now();
const result = await fineTune(
  {
    ...RECOMMENDED,
    model: values.model,
    trainPath: join(folder, 'train.jsonl'),
    validationPath: final ? undefined : join(folder, 'validation.jsonl'),
    outputDir: join(folder, 'model'),
    ...overrides(),
  },
  {
    onProgress: ({ epoch, loss, validation: scores }) => {
      if (scores === undefined || !values.verbose) return;
      console.log(epoch, loss.toFixed(3), scores.loss.toFixed(3), scores.accuracy.toFixed(4));
    },
  },
);
const seconds = (performance.now() - began) / 1000;
const scores = await judge(final ? test : validation);
const last = result.metrics.at(-1)!.validation;
console.log(
  JSON.stringify({
    on: values.on,
    split: values.split,
    set: values.set,
    rows: [fit.length, validation.length, test.length],
    ...scores,
    lastEpoch: last === null ? null : { loss: round(last.loss), accuracy: round(last.accuracy) },
    bestEpoch: result.bestEpoch,
    steps: result.steps,
    seconds: round(seconds),
    peakMegabytes: result.peakMegabytes,
  }),
);
rmSync(folder, { recursive: true });

async function judge(rows: readonly FeedbackRow[]) {
  const classifier = await loadClassifier(join(folder, 'model'));
  const predictions = await classifier.predict(rows.map((row) => row.text));
  const share = (label: string | null): number => {
    const own = rows.flatMap((row, i) =>
      label === null || row.label === label ? [row.label === predictions[i]!.label] : [],
    );
    return round(own.filter((correct) => correct).length / own.length);
  };
  const recall = Object.fromEntries(LABELS.map((label) => [label, share(label)]));
  // Rows: truth; columns: answer; both in the order of LABELS.
  const confusion = LABELS.map((truth) =>
    LABELS.map((answer) => {
      const hit = (row: FeedbackRow, i: number): boolean =>
        row.label === truth && predictions[i]!.label === answer;
      return rows.filter(hit).length;
    }),
  );
  return { accuracy: share(null), recall, confusion };
}

function overrides(): Partial<FineTuneOptions> {
  const entries = values.set.map((pair) => {
    const [key = '', value = ''] = pair.split('=');
    return [key, Number.isNaN(Number(value)) ? value : Number(value)];
  });
  return Object.fromEntries(entries) as Partial<FineTuneOptions>;
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
