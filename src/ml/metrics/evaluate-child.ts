/**
 * The child process of `ml:evaluate`. Inference blocks its thread and cannot be cancelled, so it lives
 * where a kill is safe. Gets one job over IPC, reports progress, answers once, and ends with its parent.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { answerJob, tell } from '../child-job.js';
import { DataFailure, isNamed, reasonOf } from '../data/data-failure.js';
import { datasetRows } from '../data/dataset.js';
import type { Cell, Row } from '../data/record.js';
import { Evaluation } from './evaluation.js';
import type { Classifier, Job, LoadClassifier, Predicted } from './evaluate.js';
import { latencyOf } from './latency.js';

answerJob<Job>('Evaluation', evaluate);

async function evaluate(job: Job) {
  const total = await countRows(job);
  if (total === 0) throw new DataFailure('Evaluation.NoRows', `${job.address} has no rows.`);
  tell({ type: 'progress', done: 0, total, note: 'loading the model' });
  const classifier = await load(job);
  const evaluation = new Evaluation(classifier.labels);
  const file = await open(job.predictionsPath, 'wx');
  try {
    const sample: string[] = [];
    const spentMs = await predictAll(job, classifier, evaluation, file, sample, total);
    tell({ type: 'progress', done: total, total, note: 'measuring latency' });
    const latency = latencyOf(await timesOf(classifier, sample));
    return evaluation.report(latency, spentMs === 0 ? 0 : (total / spentMs) * 1000);
  } finally {
    await file.close();
    await classifier.close();
  }
}

async function load(job: Job): Promise<Classifier> {
  const module = (await import(job.classifierModule)) as { loadClassifier: LoadClassifier };
  try {
    return await module.loadClassifier(job.modelPath, {
      ...(job.threads === null ? {} : { threads: job.threads }),
      imageFolder: dirname(job.datasetPath),
    });
  } catch (error) {
    if (isNamed(error)) throw error;
    throw new DataFailure('Evaluation.ModelNotLoaded', `${job.model}: ${reasonOf(error)}.`);
  }
}

async function countRows(job: Job): Promise<number> {
  let total = 0;
  for await (const batch of rowsOf(job)) total += batch.length;
  return total;
}

function rowsOf(job: Job) {
  return datasetRows({ path: job.datasetPath, address: job.address }, new AbortController().signal);
}

/** Predicts in batches; returns the time spent inside the model. */
async function predictAll(
  job: Job,
  classifier: Classifier,
  evaluation: Evaluation,
  file: FileHandle,
  sample: string[],
  total: number,
): Promise<number> {
  const ids = new Map(classifier.labels.map((label, id) => [label, id]));
  const every = Math.max(1, Math.floor(total / Math.max(1, job.latencySamples)));
  let waiting: Waiting[] = [];
  let spentMs = 0;
  let done = 0;
  let number = 0;
  const flush = async () => {
    if (waiting.length === 0) return;
    const texts = waiting.map((row) => row.text);
    const before = performance.now();
    const predictions = await classifier.predict(texts);
    spentMs += performance.now() - before;
    await record(waiting, predictions, classifier.labels, ids, evaluation, file);
    done += waiting.length;
    waiting = [];
    tell({ type: 'progress', done, total, note: null });
  };
  for await (const batch of rowsOf(job)) {
    for (const row of batch) {
      const { text, truth, kept } = exampleOf(row, ++number, job, ids);
      if (number % every === 0 && sample.length < job.latencySamples) sample.push(text);
      waiting.push({ text, truth, kept });
      if (waiting.length >= job.batchSize) await flush();
    }
  }
  await flush();
  return spentMs;
}

interface Waiting {
  readonly text: string;
  readonly truth: number;
  readonly kept: { readonly [column: string]: Cell } | null;
}

function exampleOf(row: Row, number: number, job: Job, ids: ReadonlyMap<string, number>): Waiting {
  const text = cellOf(row, job.textColumn, number, job);
  const label = String(cellOf(row, job.labelColumn, number, job) ?? '');
  const truth = ids.get(label);
  const columns = job.keepColumns.map((column) => [column, cellOf(row, column, number, job)]);
  const kept = columns.length === 0 ? null : (Object.fromEntries(columns) as Waiting['kept']);
  if (truth !== undefined) return { text: String(text ?? ''), truth, kept };
  throw new DataFailure(
    'Evaluation.LabelMismatch',
    `${job.address}, row ${number}: the label "${label}" is none of the model's: ${[...ids.keys()].join(', ')}. ` +
      'Evaluate on a dataset prepared with the labelMap the model was trained with.',
  );
}

function cellOf(row: Row, column: string, number: number, job: Job): Cell {
  if (Object.hasOwn(row, column)) return row[column] as Cell;
  throw new DataFailure(
    'Evaluation.MissingColumn',
    `${job.address}, row ${number}: there is no column "${column}"; it has: ${Object.keys(row).join(', ')}.`,
  );
}

async function record(
  rows: readonly Waiting[],
  predictions: readonly Predicted[],
  labels: readonly string[],
  ids: ReadonlyMap<string, number>,
  evaluation: Evaluation,
  file: FileHandle,
): Promise<void> {
  if (predictions.length !== rows.length) {
    const counts = `${predictions.length} predictions for ${rows.length} texts`;
    throw new DataFailure('Evaluation.Failed', `the model returned ${counts}.`);
  }
  let lines = '';
  rows.forEach(({ text, truth, kept }, i) => {
    const { label, score, scores: given } = predictions[i] as Predicted;
    const predicted = ids.get(label);
    const scores = inOrder(given, labels);
    if (predicted === undefined || scores === null) {
      const what = JSON.stringify({ label, scores: given }).slice(0, 200);
      throw new DataFailure(
        'Evaluation.Failed',
        `the model returned an unusable prediction: ${what}.`,
      );
    }
    evaluation.add({ text, truth, predicted, score, scores });
    const byLabel = Object.fromEntries(labels.map((name, id) => [name, scores[id]]));
    const line = { text, label: labels[truth], predicted: label, score, scores: byLabel };
    lines += `${JSON.stringify(kept === null ? line : { ...line, kept })}\n`;
  });
  await file.appendFile(lines);
}

/** One finite probability per label, or null. */
function inOrder(given: Predicted['scores'], labels: readonly string[]): readonly number[] | null {
  const byLabel = given as Readonly<Record<string, number>>;
  const scores = Array.isArray(given)
    ? (given as readonly number[])
    : labels.map((label) =>
        Object.hasOwn(byLabel, label) ? (byLabel[label] as number) : Number.NaN,
      );
  return scores.length === labels.length && scores.every(Number.isFinite) ? scores : null;
}

const WARM_UP = 3;

/** One text at a time, as a caller of an endpoint waits for it; the first ones are not counted. */
async function timesOf(classifier: Classifier, sample: readonly string[]): Promise<number[]> {
  for (const text of sample.slice(0, WARM_UP)) await classifier.predict([text]);
  const times: number[] = [];
  for (const text of sample) {
    const before = performance.now();
    await classifier.predict([text]);
    times.push(performance.now() - before);
  }
  return times;
}
