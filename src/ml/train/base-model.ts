/**
 * The base of a run: a local model folder, or a hub id whose files are fetched once into a cache.
 * Without a network a hub id fails with one sentence.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type EncoderConfig, longestSequence, parseConfig } from '../encoder/config.js';
import { loadImageProcessor, PROCESSOR_FILE } from '../encoder/images.js';
import {
  encoderParameters,
  HEAD_DENSE,
  headParameters,
  initialise,
} from '../encoder/parameters.js';
import { loadTokenizer, maskTokenId } from '../encoder/tokenizer.js';
import { loadWeights } from '../encoder/weights.js';
import { SeededRandom } from '../onnx/seeded-random.js';
import { type FloatTensor, type FloatTensors, tensorBytes } from '../onnx/tensor.js';
import { sha256 } from '../../lib/digest.js';
import type { JsonObject } from '../../lib/json.js';
import { writeDurably } from './checkpoint.js';
import { type ExampleReader, imageReader, textReader } from './examples.js';
import { FineTuneError, type Settings } from './settings.js';

export interface BaseModel {
  readonly folder: string;
  readonly configJson: JsonObject;
  readonly config: EncoderConfig;
  /** Longest text in tokens; null for images. */
  readonly maxLength: number | null;
  readonly reader: ExampleReader;
  /** sha256 of the file that decides how inputs are read. */
  readonly readerHash: string;
  /** Token that stands for a hidden one. */
  readonly maskTokenId: number | null;
  /** Encoder and head, the head fresh unless the folder has one for the same labels. */
  readonly parameters: ReadonlyMap<string, FloatTensor>;
  readonly headReused: boolean;
}

const HUB_FILES = ['config.json', 'tokenizer.json', 'tokenizer_config.json'] as const;
const HUB_ID = /^[\w.-]+(\/[\w.-]+)?$/;

/** Throws FineTuneError. */
export async function loadBaseModel(settings: Settings): Promise<BaseModel> {
  const folder = await locate(settings);
  try {
    return read(folder, settings);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new FineTuneError(`model: ${error.message}`);
  }
}

function read(folder: string, settings: Settings): BaseModel {
  const configJson = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as JsonObject;
  const config = parseConfig(configJson);
  const random = new SeededRandom(settings.seed, 'head');
  const parameters = new Map<string, FloatTensor>();
  let head: FloatTensors = new Map();
  if (settings.initialisation === 'random') {
    for (const spec of encoderParameters(config))
      parameters.set(spec.name, initialise(spec, random));
  } else {
    const weights = loadWeights(folder, config);
    for (const [name, tensor] of weights.parameters) parameters.set(name, tensor);
    head = weights.head;
  }
  const headReused = head.has('classifier.weight') && sameLabels(configJson, settings.labels);
  for (const spec of headParameters(config, settings.labels.length)) {
    // A dense layer below the labels is worth keeping even when the labels are others.
    const usable = headReused || spec.name.startsWith(HEAD_DENSE);
    const known = usable ? head.get(spec.name) : undefined;
    parameters.set(spec.name, known ?? initialise(spec, random));
  }
  return {
    folder,
    configJson,
    config,
    parameters,
    headReused,
    ...readerFor(folder, config, settings),
  };
}

function readerFor(folder: string, config: EncoderConfig, settings: Settings) {
  const hashOfFile = (name: string): string => sha256(readFileSync(join(folder, name)));
  if (config.image !== null) {
    const reader = imageReader(loadImageProcessor(folder, config.image));
    return { reader, readerHash: hashOfFile(PROCESSOR_FILE), maxLength: null, maskTokenId: null };
  }
  const maxLength = Math.min(settings.maxLength, longestSequence(config));
  const tokenize = loadTokenizer(folder, { maxLength });
  return {
    reader: textReader(config, tokenize, maxLength),
    readerHash: hashOfFile('tokenizer.json'),
    maxLength,
    maskTokenId: maskTokenId(folder),
  };
}

function sameLabels(configJson: JsonObject, labels: readonly string[]): boolean {
  const known = configJson.id2label;
  return (
    known !== undefined && JSON.stringify(Object.values(known ?? {})) === JSON.stringify(labels)
  );
}

/** sha256 over names and bytes of the encoder's parameters, the head left out. */
export function encoderHash(config: EncoderConfig, parameters: FloatTensors): string {
  const hash = createHash('sha256');
  for (const { name } of encoderParameters(config)) {
    hash.update(name).update(tensorBytes(parameters.get(name)!));
  }
  return hash.digest('hex');
}

async function locate({ model, cacheDir }: Settings): Promise<string> {
  if (existsSync(join(model, 'config.json'))) return model;
  if (statSync(model, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new FineTuneError(`model: the folder ${model} holds no config.json`);
  }
  if (!HUB_ID.test(model)) {
    throw new FineTuneError(`model: there is no folder ${model}, and it is no hub id either`);
  }
  const folder = join(cacheDir, model.replace('/', '--'));
  if (!existsSync(join(folder, 'config.json'))) await download(model, folder);
  return folder;
}

/** Fetches the files of a hub model; config.json last, as the mark of completeness. */
async function download(id: string, folder: string): Promise<void> {
  mkdirSync(join(folder, 'onnx'), { recursive: true });
  try {
    const weights = await fetchFile(id, 'model.safetensors');
    if (weights !== null) writeDurably(join(folder, 'model.safetensors'), weights);
    else await keep(id, folder, 'onnx/model.onnx');
    for (const file of [...HUB_FILES].reverse()) await keep(id, folder, file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FineTuneError(
      `model: ${id} is no local folder, and it could not be fetched from ${hubUrl()} (${reason}); ` +
        'give the path of a model folder, such as models/stepwell-mini-bert, ' +
        'or set HF_ENDPOINT to a mirror that this machine can reach',
    );
  }
}

async function keep(id: string, folder: string, file: string): Promise<void> {
  const bytes = await fetchFile(id, file);
  if (bytes === null) throw new Error(`it has no ${file}`);
  writeDurably(join(folder, file), bytes);
}

async function fetchFile(id: string, file: string): Promise<Uint8Array | null> {
  const response = await fetch(`${hubUrl()}/${id}/resolve/main/${file}`);
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`status ${response.status} for ${file}`);
  return new Uint8Array(await response.arrayBuffer());
}

function hubUrl(): string {
  return process.env.HF_ENDPOINT ?? 'https://huggingface.co';
}
