/**
 * A fine-tuned classifier for inference: texts or images in, labels and scores out. Its session blocks
 * the thread while it runs, so a server keeps it in a process of its own.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json, JsonObject } from '../../lib/json.js';
import { getOwn, isObject } from '../../lib/json.js';
import { savedTextTransform } from '../transform/saved.js';
import { openSession, runSession, type Session } from '../onnx/session.js';
import type { Tensor } from '../onnx/tensor.js';
import { type EncoderConfig, isKnownArchitecture, longestSequence, parseConfig } from './config.js';
import { frozenConfig } from './frozen.js';
import { runImages } from './image-rows.js';
import { loadImageProcessor, PROCESSOR_FILE, processedSize } from './images.js';
import { argmax, softmax } from './probabilities.js';
import { loadTokenizer, type Tokenize } from './tokenizer.js';

export interface Prediction {
  readonly label: string;
  /** Probability of `label`. */
  readonly score: number;
  /** Probability of every label. */
  readonly scores: Readonly<Record<string, number>>;
}

export interface Classifier {
  readonly labels: readonly string[];
  /** In the order of the texts; those of an image model are data URLs, see image-rows.ts. */
  predict(texts: readonly string[]): Promise<Prediction[]>;
  /** Pooled vectors, [hidden] each; only of models that Stepwell wrote. */
  embed(texts: readonly string[]): Promise<Float32Array[]>;
  close(): Promise<void>;
}

/** Rows per run; texts are sorted by length first, so that little is padded. */
const BATCH_ROWS = 32;

export interface ClassifierOptions {
  readonly threads?: number;
  /** Where images that are given by their names lie; without it only data URLs are read. */
  readonly imageFolder?: string;
}

/** Throws RangeError naming what the folder lacks. */
export async function loadClassifier(
  folder: string,
  options: ClassifierOptions = {},
): Promise<Classifier> {
  const configJson = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as JsonObject;
  const config = configOf(folder, configJson);
  const labels = labelsOf(configJson, folder);
  const temperature = temperatureOf(configJson);
  const prepare = config.image === null ? textRows(folder, config) : imageRows(folder, config);
  const model = readFileSync(join(folder, 'onnx', 'model.onnx'));
  const session = await openSession(model, options.threads ?? 1);
  const rows = cleaned(prepare(session, options.imageFolder ?? null), savedTextTransform(folder));
  return {
    labels,
    predict: async (inputs) =>
      (await rows(inputs, 'logits')).map((row) => prediction(row, labels, temperature)),
    embed: (inputs) => rows(inputs, 'embedding'),
    close: () => session.release(),
  };
}

/** Runs inputs through a session: one row of the output per input. */
type Rows = (inputs: readonly string[], output: string) => Promise<Float32Array[]>;

/** Texts go through what was fitted with the training data, before anything else sees them. */
function cleaned(rows: Rows, clean: ((text: string) => string) | null): Rows {
  return clean === null ? rows : (inputs, output) => rows(inputs.map(clean), output);
}

function textRows(folder: string, config: EncoderConfig): (session: Session) => Rows {
  const tokenize = loadTokenizer(folder, { maxLength: lengthLimit(folder, config) });
  return (session) => (texts, output) => runSorted({ session, tokenize, config, output }, texts);
}

function imageRows(
  folder: string,
  config: EncoderConfig,
): (session: Session, images: string | null) => Rows {
  const processor = loadImageProcessor(folder, config.image!);
  return (session, images) => (inputs, output) =>
    runImages(session, processor, images, output, inputs);
}

/** A model on a frozen image base has an architecture that only its file knows. */
function configOf(folder: string, configJson: JsonObject): EncoderConfig {
  const isFrozen = !isKnownArchitecture(configJson) && existsSync(join(folder, PROCESSOR_FILE));
  return isFrozen ? frozenConfig(processedSize(folder), 0) : parseConfig(configJson);
}

function labelsOf(config: JsonObject, folder: string): string[] {
  const names: Json | undefined = getOwn(config, 'id2label');
  if (!isObject(names))
    throw new RangeError(`${folder}/config.json has no id2label: no classifier`);
  return Object.keys(names)
    .sort((a, b) => Number(a) - Number(b))
    .map((id) => String(names[id]));
}

function lengthLimit(folder: string, config: EncoderConfig): number {
  const text = readFileSync(join(folder, 'tokenizer_config.json'), 'utf8');
  const limit = getOwn(JSON.parse(text) as JsonObject, 'model_max_length');
  const longest = longestSequence(config);
  return typeof limit === 'number' ? Math.min(limit, longest) : longest;
}

/** What `ml:calibrate` fitted: divides the logits. */
function temperatureOf(config: JsonObject): number {
  const given = getOwn(config, 'stepwell_temperature');
  return typeof given === 'number' && given > 0 ? given : 1;
}

function prediction(
  logits: Float32Array,
  labels: readonly string[],
  temperature: number,
): Prediction {
  const probabilities = softmax(temperature === 1 ? logits : logits.map((x) => x / temperature));
  const best = argmax(probabilities);
  const scores = Object.fromEntries(labels.map((label, id) => [label, probabilities[id]!]));
  return { label: labels[best]!, score: probabilities[best]!, scores };
}

interface Runner {
  readonly session: Session;
  readonly tokenize: Tokenize;
  readonly config: EncoderConfig;
  readonly output: string;
}

async function runSorted(runner: Runner, texts: readonly string[]): Promise<Float32Array[]> {
  const ids = texts.map(runner.tokenize);
  const order = ids.map((_, index) => index).sort((a, b) => ids[a]!.length - ids[b]!.length);
  const results = new Array<Float32Array>(texts.length);
  for (let start = 0; start < order.length; start += BATCH_ROWS) {
    const rows = order.slice(start, start + BATCH_ROWS);
    const values = await runBatch(
      runner,
      rows.map((row) => ids[row]!),
    );
    const width = values.shape[1]!;
    rows.forEach((row, i) => {
      results[row] = (values.data as Float32Array).slice(i * width, (i + 1) * width);
    });
  }
  return results;
}

async function runBatch(
  { session, config, output }: Runner,
  rows: readonly (readonly number[])[],
): Promise<Tensor> {
  const length = Math.max(...rows.map((row) => row.length));
  const shape = [rows.length, length];
  const ids = new BigInt64Array(rows.length * length).fill(BigInt(config.padTokenId));
  const mask = new BigInt64Array(rows.length * length);
  rows.forEach((row, r) => {
    row.forEach((id, column) => {
      ids[r * length + column] = BigInt(id);
      mask[r * length + column] = 1n;
    });
  });
  const int64 = (data: BigInt64Array): Tensor => ({ type: 'int64', shape, data });
  const types = config.tokenTypeCount > 0;
  const values = await runSession(session, {
    input_ids: int64(ids),
    attention_mask: int64(mask),
    ...(types ? { token_type_ids: int64(new BigInt64Array(ids.length)) } : {}),
  });
  const tensor = values.get(output);
  if (tensor === undefined) throw new RangeError(`The model has no output called ${output}`);
  return tensor;
}
