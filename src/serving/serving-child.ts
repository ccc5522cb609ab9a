/**
 * Main of a serving child: loads one model and answers predictions until its parent lets go.
 * A model run blocks this process, so requests that arrive meanwhile are answered in one batch after
 * it. It ends when the channel closes: a parent that was killed leaves no child behind.
 */
import { MAX_BATCH_TEXTS } from './limits.js';
import type {
  ClassifierModule,
  FromChild,
  LoadedClassifier,
  Prediction,
  RawPrediction,
  ToChild,
} from './messages.js';

interface Request {
  readonly id: number;
  readonly texts: readonly string[];
}

const [, , folder = '', loader = '', threads = '1', batch = '', delay = '0'] = process.argv;
const maxBatch = Number(batch) || MAX_BATCH_TEXTS;
const maxDelayMs = Number(delay);
const queue: Request[] = [];
let classifier: LoadedClassifier | null = null;
let working = false;
let stopping = false;

process.on('disconnect', () => process.exit(0));
// Ctrl-C and service managers signal the whole group; the parent decides when this process has done
// enough, and ends it by letting go of the channel or by SIGKILL.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.on('message', (message: ToChild) => receive(message));
void load();

async function load(): Promise<void> {
  const startedAt = Date.now();
  try {
    const module = (await import(loader)) as ClassifierModule;
    classifier = await module.loadClassifier(folder, { threads: Number(threads) });
    send({ type: 'ready', labels: [...classifier.labels], loadMs: Date.now() - startedAt });
  } catch (error) {
    send({ type: 'failed', message: messageOf(error) }, () => process.exit(1));
  }
}

function receive(message: ToChild): void {
  if (message.type === 'predict') queue.push({ id: message.id, texts: message.texts });
  if (message.type === 'cancel') {
    const index = queue.findIndex((request) => request.id === message.id);
    if (index >= 0) queue.splice(index, 1);
  }
  if (message.type === 'ping') return send({ type: 'pong' });
  if (message.type === 'embed') return void embed(message.id, [...message.texts]);
  if (message.type === 'stop') stopping = true;
  void work();
}

async function embed(id: number, texts: string[]): Promise<void> {
  try {
    if (classifier?.embed === undefined) throw new Error('The model gives no embeddings.');
    const vectors = await classifier.embed(texts);
    send({ type: 'vectors', id, vectors: vectors.map((vector) => Array.from(vector)) });
  } catch (error) {
    send({ type: 'error', id, message: messageOf(error) });
  }
}

/** Takes batches until the queue is empty; between two of them new messages come in. */
async function work(): Promise<void> {
  if (working || classifier === null) return;
  working = true;
  await nextTurn();
  while (queue.length > 0) {
    await filled();
    const batch = takeBatch();
    if (batch.length > 0) await answer(classifier, batch);
    await nextTurn();
  }
  working = false;
  if (stopping) {
    await classifier.close();
    process.disconnect?.();
  }
}

/** Waits until the next batch is full or its first request has waited long enough. */
async function filled(): Promise<void> {
  if (maxDelayMs === 0) return;
  const deadline = performance.now() + maxDelayMs;
  for (;;) {
    const waiting = queue.reduce((sum, request) => sum + request.texts.length, 0);
    const leftMs = deadline - performance.now();
    if (stopping || waiting === 0 || waiting >= maxBatch || leftMs <= 0) return;
    // Timers of Node are whole milliseconds: the last part of one is spent looking at the channel.
    if (leftMs >= 1) await new Promise((resolve) => setTimeout(resolve, 1));
    else await nextTurn();
  }
}

/** Whole requests up to the batch size, at least one; their order is kept. */
function takeBatch(): readonly Request[] {
  const batch: Request[] = [];
  let count = 0;
  while (queue[0] !== undefined) {
    if (batch.length > 0 && count + queue[0].texts.length > maxBatch) break;
    count += queue[0].texts.length;
    batch.push(queue.shift() as Request);
  }
  return batch;
}

async function answer(model: LoadedClassifier, batch: readonly Request[]): Promise<void> {
  try {
    const all = await predictAll(
      model,
      batch.flatMap((request) => request.texts),
    );
    let from = 0;
    for (const { id, texts } of batch) {
      send({ type: 'result', id, predictions: all.slice(from, (from += texts.length)) });
    }
  } catch (error) {
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) {
      return send({ type: 'error', id: only.id, message: messageOf(error) });
    }
    // One request spoils the batch: each is run alone, so that only its own sender hears of it.
    for (const request of batch) await answer(model, [request]);
  }
}

async function predictAll(model: LoadedClassifier, texts: string[]): Promise<Prediction[]> {
  const results: Prediction[] = [];
  for (let at = 0; at < texts.length; at += maxBatch) {
    const part = texts.slice(at, at + maxBatch);
    const raw = await model.predict(part);
    if (raw.length !== part.length) {
      throw new Error(`The model gave ${raw.length} predictions for ${part.length} texts.`);
    }
    results.push(...raw.map((prediction) => checked(prediction, model.labels)));
  }
  return results;
}

function checked(raw: RawPrediction, labels: readonly string[]): Prediction {
  const scores = scoresOf(raw, labels);
  if (!labels.includes(raw.label)) throw new Error(`The model gave the label "${raw.label}".`);
  if (![raw.score, ...scores].every(Number.isFinite)) {
    throw new Error('The model gave a score that is no number.');
  }
  return { label: raw.label, score: raw.score, scores };
}

function scoresOf({ scores }: RawPrediction, labels: readonly string[]): number[] {
  if (Array.isArray(scores) || ArrayBuffer.isView(scores)) {
    return Array.from(scores as ArrayLike<number>);
  }
  const byLabel = scores as Readonly<Record<string, number>>;
  return labels.map((label) => (Object.hasOwn(byLabel, label) ? byLabel[label] : NaN) as number);
}

function send(message: FromChild, done: () => void = () => undefined): void {
  if (process.send === undefined || !process.connected) process.exit(0);
  process.send(message, undefined, undefined, () => done());
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
