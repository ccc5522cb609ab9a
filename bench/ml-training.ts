/**
 * A training step of BERT-tiny's shape (batch 16, 64 tokens, dropout, clipping, AdamW) as the product
 * makes it, beside a bare `session.run` of the same graph on tensors that lie ready, and beside torch
 * where Debian's python3-torch is installed. They take turns; medians.
 */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import * as ort from 'onnxruntime-node';
import { parseConfig } from '../src/ml/encoder/config.js';
import { encoderParameters, headParameters, initialise } from '../src/ml/encoder/parameters.js';
import { classifierStep, optimiserState } from '../src/ml/encoder/training-graph.js';
import { ADAMW } from '../src/ml/onnx/optimisers.js';
import { SeededRandom } from '../src/ml/onnx/seeded-random.js';
import { openSession, type Session, TrainingState } from '../src/ml/onnx/session.js';
import { floatTensor } from '../src/ml/onnx/tensor.js';
import type { JsonObject } from '../src/lib/json.js';
import { textReader } from '../src/ml/train/examples.js';
import { fullLearner } from '../src/ml/train/learner.js';
import { settle } from '../src/ml/train/settings.js';
import { median } from './median.js';

const SHAPE = { batch: 16, sequence: 64 };
const LABELS = ['a', 'b', 'c'];
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);
const STEPS = 4;
const PYTHON = '/usr/bin/python3';

const CONFIG = parseConfig({
  model_type: 'bert',
  vocab_size: 30522,
  hidden_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 512,
  max_position_embeddings: 512,
  type_vocab_size: 2,
});

export async function measureTraining(): Promise<JsonObject> {
  const product = productStep();
  const raw = await rawStep();
  const torch = torchStep();
  const times: Record<string, number[]> = { product: [], raw: [], torch: [] };
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, step] of Object.entries({ product, raw, torch })) {
      if (step === null) continue;
      const took = await step();
      if (round >= 0) times[name]!.push(took);
    }
  }
  torch?.end();
  const [ours, bare] = [median(times.product!), median(times.raw!)];
  console.log('\nTraining step, BERT-tiny shape, batch 16, 64 tokens (ms, median)');
  console.log(`  stepwell                   ${ours.toFixed(1)}`);
  console.log(`  bare session.run           ${bare.toFixed(1)}  ratio ${(ours / bare).toFixed(2)}`);
  const results: JsonObject = { stepMs: ours, rawMs: bare, ratio: ours / bare };
  if (torch === null) {
    console.log('  torch: SKIPPED, python3-torch is not installed');
    return results;
  }
  const theirs = median(times.torch!);
  console.log(
    `  torch                      ${theirs.toFixed(1)}  ratio ${(theirs / ours).toFixed(2)}`,
  );
  return { ...results, torchMs: theirs, timesTorch: theirs / ours };
}

function settings() {
  return settle({
    model: '-',
    trainPath: import.meta.filename,
    labels: LABELS,
    outputDir: '-',
    batchSize: SHAPE.batch,
    learningRate: 2e-5,
    maxLength: SHAPE.sequence,
  });
}

function parts() {
  const random = new SeededRandom(1, 'bench');
  const specs = [...encoderParameters(CONFIG), ...headParameters(CONFIG, LABELS.length)];
  const parameters = new Map(specs.map((spec) => [spec.name, initialise(spec, random)]));
  const groups = new Map(specs.map((spec) => [spec.name, 'all']));
  const stepSettings = { optimiser: ADAMW, groups, weightDecay: 0.01, clipNorm: 1 };
  return { parameters, stepSettings, random };
}

/** Milliseconds per step of what a fine-tuning run does between two progress lines. */
function productStep(): () => Promise<number> {
  const { parameters, stepSettings, random } = parts();
  const state = new TrainingState(new Map([...parameters, ...optimiserState(ADAMW, parameters)]));
  const ids = () => Array.from({ length: SHAPE.sequence }, () => 1000 + random.below(29_000));
  const rows = Array.from({ length: 256 }, (_, row) => ({ input: '', label: row % LABELS.length }));
  const train = textReader(CONFIG, ids, SHAPE.sequence).read({ path: '', rows, sha256: '' });
  const learner = fullLearner({
    config: CONFIG,
    settings: settings(),
    stepSettings,
    bucketLengths: [SHAPE.sequence],
    maskTokenId: null,
    train,
    validation: { labels: [], lengths: [], feeds: async () => ({}) },
    classWeights: [1, 1, 1],
    frozen: new Map(),
    frozenModel: null,
    onRows: () => undefined,
  });
  let step = 0;
  return () =>
    timed(async () => {
      const first = (step * SHAPE.batch) % rows.length;
      const batch = Array.from({ length: SHAPE.batch }, (_, i) => first + i);
      await learner.step(state, [{ sequence: SHAPE.sequence, rows: batch }], step, scalars());
      step++;
    });
}

function scalars() {
  const one = floatTensor([], Float32Array.of(0.5));
  return { bias_correction_1: one, bias_correction_2: one, 'learning_rate.all': one };
}

/** The same graph, every input and output made beforehand. */
async function rawStep(): Promise<() => Promise<number>> {
  const { parameters, stepSettings, random } = parts();
  const graph = classifierStep(CONFIG, LABELS.length, SHAPE, stepSettings, true);
  const session = await openSession(graph.model, 2);
  const feeds: Record<string, ort.Tensor> = {};
  const whole = [SHAPE.batch, SHAPE.sequence];
  const ids = BigInt64Array.from({ length: 1024 }, () => BigInt(1000 + random.below(29_000)));
  feeds.input_ids = new ort.Tensor('int64', ids, whole);
  feeds.attention_mask = new ort.Tensor('int64', new BigInt64Array(1024).fill(1n), whole);
  feeds.labels = new ort.Tensor('int64', new BigInt64Array(SHAPE.batch), [SHAPE.batch]);
  const floats = new Map([...parameters, ...optimiserState(ADAMW, parameters)]);
  floats.set('weights', floatTensor([SHAPE.batch], new Float32Array(SHAPE.batch).fill(1)));
  for (const [name, value] of Object.entries(scalars())) floats.set(name, value);
  for (const { name, shape } of graph.dropoutSites) {
    const mask = floatTensor(shape);
    floats.set(name, floatTensor(shape, mask.data.fill(1)));
  }
  for (const [name, { shape, data }] of floats) {
    feeds[name] = new ort.Tensor('float32', data.slice(), shape as number[]);
  }
  const outputs = outputsFor(session, floats);
  return () => timed(async () => void (await session.run(feeds, outputs)));
}

function outputsFor(session: Session, floats: ReadonlyMap<string, { shape: readonly number[] }>) {
  return Object.fromEntries(
    session.outputNames.map((name) => {
      const { shape } = floats.get(name.replace(/\.next$/, '')) ?? { shape: [] };
      const size = shape.reduce((product, dimension) => product * dimension, 1);
      return [name, new ort.Tensor('float32', new Float32Array(size), shape as number[])];
    }),
  );
}

async function timed(step: () => Promise<void>): Promise<number> {
  const before = performance.now();
  for (let i = 0; i < STEPS; i++) await step();
  return (performance.now() - before) / STEPS;
}

/** A Python process that times STEPS steps for every line it gets; null without torch. */
function torchStep(): ((() => Promise<number>) & { end(): void }) | null {
  try {
    execFileSync(PYTHON, ['-c', 'import torch'], { stdio: 'ignore' });
  } catch {
    return null;
  }
  const script = join(import.meta.dirname, 'ml-training-torch.py');
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(
    PYTHON,
    [script, String(STEPS)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines: Interface = createInterface({ input: child.stdout });
  const answers = lines[Symbol.asyncIterator]();
  const ask = async (): Promise<number> => {
    child.stdin.write('go\n');
    const { value, done } = await answers.next();
    if (done === true) throw new Error('the torch process ended');
    return Number(value);
  };
  return Object.assign(ask, { end: () => child.stdin.end() });
}
