/**
 * Fine-tunes a base on the hand-written rows and prints aggregate scores, never a text. Hyper-parameters
 * are chosen with `--on validation` (an eighth of the training split); `--on test` is for the report.
 * Run: npx tsx scripts/pretrain/evaluate.ts --on validation [--model folder] [--set key=value]…
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadClassifier } from '../../src/ml/encoder/classifier.js';
import { type FineTuneOptions, fineTune } from '../../src/ml/fine-tune.js';
import { SeededRandom } from '../../src/ml/onnx/seeded-random.js';

const { values } = parseArgs({
  options: {
    on: { type: 'string', default: 'validation' },
    model: { type: 'string', default: 'models/stepwell-mini-bert' },
    data: { type: 'string', default: 'data/raw' },
    set: { type: 'string', multiple: true, default: [] },
    verbose: { type: 'boolean', default: false },
  },
});

const LABELS = ['positive', 'neutral', 'negative'];
const SPLIT_SEED = 42;

interface Row {
  readonly text: string;
  readonly label: string;
}

const folder = join(tmpdir(), `stepwell-evaluate-${process.pid}`);
mkdirSync(folder, { recursive: true });
const [train, test] = split(readRows(), 0.2, 'test');
const [fit, validation] = split(train!, 0.125, 'validation');
const judged = values.on === 'test' ? test! : validation!;
write('fit.jsonl', fit!);
write('validation.jsonl', validation!);

const began = performance.now();
const result = await fineTune(
  {
    model: values.model,
    trainPath: join(folder, 'fit.jsonl'),
    validationPath: join(folder, 'validation.jsonl'),
    labels: LABELS,
    outputDir: join(folder, 'model'),
    epochs: 8,
    batchSize: 16,
    learningRate: 3e-4,
    headLearningRate: 2e-3,
    dropout: 0.1,
    seed: 42,
    ...overrides(),
  },
  {
    onProgress: ({ epoch, loss, validation: scores }) => {
      if (scores !== undefined && values.verbose) {
        console.log(epoch, loss.toFixed(3), scores.loss.toFixed(3), scores.accuracy.toFixed(4));
      }
    },
  },
);
const seconds = (performance.now() - began) / 1000;
const classifier = await loadClassifier(join(folder, 'model'));
const predictions = await classifier.predict(judged.map((row) => row.text));
const correct = predictions.filter(({ label }, i) => label === judged[i]!.label).length;
const recall = LABELS.map((label) => {
  const own = judged.flatMap((row, i) => (row.label === label ? [predictions[i]!.label] : []));
  return [label, own.filter((predicted) => predicted === label).length / own.length];
});
console.log(
  JSON.stringify({
    on: values.on,
    set: values.set,
    rows: [fit!.length, validation!.length, test!.length],
    accuracy: round(correct / judged.length),
    recall: Object.fromEntries(recall.map(([label, value]) => [label, round(value as number)])),
    bestEpoch: result.bestEpoch,
    steps: result.steps,
    seconds: round(seconds),
    childSeconds: result.seconds,
    peakMegabytes: result.peakMegabytes,
  }),
);

function readRows(): Row[] {
  return readdirSync(values.data)
    .filter((file) => file.endsWith('.tsv'))
    .sort()
    .flatMap((file) => readFileSync(join(values.data, file), 'utf8').split('\n'))
    .map((line) => line.split('\t'))
    .filter(([label, text]) => LABELS.includes(label ?? '') && (text ?? '') !== '')
    .map(([label, text]) => ({ label: label!, text: text! }));
}

/** Stratified: [the rest, `share` of every label]. */
function split(rows: readonly Row[], share: number, name: string): [Row[], Row[]] {
  const [rest, taken]: [Row[], Row[]] = [[], []];
  for (const label of LABELS) {
    const own = new SeededRandom(SPLIT_SEED, name, label).shuffled(
      rows.filter((row) => row.label === label),
    );
    const count = Math.round(own.length * share);
    taken.push(...own.slice(0, count));
    rest.push(...own.slice(count));
  }
  return [rest, taken];
}

function write(file: string, rows: readonly Row[]): void {
  writeFileSync(join(folder, file), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
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
