/**
 * Embeddings per second through `classifier.embed` (tokenizing, sorting, padding, copying out) beside a
 * bare onnxruntime-node session that only runs the same batches, made beforehand. They take turns.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import type { JsonObject } from '../src/lib/json.js';
import { loadClassifier } from '../src/ml/encoder/classifier.js';
import { loadTokenizer } from '../src/ml/encoder/tokenizer.js';
import { fineTune } from '../src/ml/fine-tune.js';
import { median } from './median.js';

const MODEL = join(import.meta.dirname, '../models/stepwell-mini-bert');
const DATA = join(import.meta.dirname, '../data/customer_feedback.csv');
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);
const TEXTS = 512;
const BATCH = 32;

export async function measureEmbeddings(): Promise<JsonObject> {
  const folder = mkdtempSync(join(tmpdir(), 'stepwell-embeddings-'));
  try {
    const texts = readFileSync(DATA, 'utf8')
      .split('\n')
      .slice(1, TEXTS + 1)
      .map((line) => line.replace(/^\d+,/, '').slice(0, 300));
    const model = await smallClassifier(folder);
    const classifier = await loadClassifier(model, { threads: 2 });
    const bare = await bareSession(model, texts);
    const times: { ours: number[]; bare: number[] } = { ours: [], bare: [] };
    for (let round = -1; round < ROUNDS; round++) {
      const ours = await timed(() => classifier.embed(texts));
      const raw = await timed(bare);
      if (round < 0) continue;
      times.ours.push(ours);
      times.bare.push(raw);
    }
    await classifier.close();
    const [ours, raw] = [TEXTS / median(times.ours), TEXTS / median(times.bare)];
    console.log(
      `\nEmbeddings per second, stepwell-mini-bert, ${TEXTS} texts (median of ${ROUNDS})`,
    );
    console.log(`  stepwell, from text        ${(ours * 1000).toFixed(0)}`);
    console.log(
      `  bare session.run           ${(raw * 1000).toFixed(0)}  stepwell has ${((100 * ours) / raw).toFixed(1)} % of it`,
    );
    return { perSecond: ours * 1000, barePerSecond: raw * 1000, share: ours / raw };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

/** A head of one step on the shipped base: speed does not depend on what it learned. */
async function smallClassifier(folder: string): Promise<string> {
  const rows = ['good', 'bad'].map((text) => JSON.stringify({ text, label: text }));
  writeFileSync(join(folder, 'rows.jsonl'), rows.join('\n'));
  const { modelDir } = await fineTune({
    model: MODEL,
    trainPath: join(folder, 'rows.jsonl'),
    labels: ['good', 'bad'],
    outputDir: join(folder, 'model'),
    strategy: 'feature-extraction',
    epochs: 1,
  });
  return modelDir;
}

/** The session with the product's options, and the batches that sorting by length gives. */
async function bareSession(model: string, texts: readonly string[]): Promise<() => Promise<void>> {
  const session = await ort.InferenceSession.create(join(model, 'onnx/model.onnx'), {
    intraOpNumThreads: 2,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const tokenize = loadTokenizer(model, { maxLength: 128 });
  const rows = texts.map(tokenize).sort((a, b) => a.length - b.length);
  const batches = Array.from({ length: Math.ceil(rows.length / BATCH) }, (_, index) =>
    padded(rows.slice(index * BATCH, (index + 1) * BATCH)),
  );
  return async () => {
    for (const batch of batches) await session.run(batch, ['embedding']);
  };
}

function padded(rows: readonly (readonly number[])[]): Record<string, ort.Tensor> {
  const width = Math.max(...rows.map((row) => row.length));
  const ids = new BigInt64Array(rows.length * width);
  const mask = new BigInt64Array(rows.length * width);
  rows.forEach((row, r) => {
    row.forEach((id, column) => {
      ids[r * width + column] = BigInt(id);
      mask[r * width + column] = 1n;
    });
  });
  const tensor = (data: BigInt64Array) => new ort.Tensor('int64', data, [rows.length, width]);
  return {
    input_ids: tensor(ids),
    attention_mask: tensor(mask),
    token_type_ids: tensor(new BigInt64Array(ids.length)),
  };
}
