/** The base of a run: a local model folder, or a hub id whose files are fetched once (hub.ts). */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  type EncoderConfig,
  isKnownArchitecture,
  longestSequence,
  parseConfig,
} from '../encoder/config.js';
import { loadFrozenBase } from '../encoder/frozen.js';
import { loadImageProcessor, PROCESSOR_FILE, processedSize } from '../encoder/images.js';
import {
  encoderParameters,
  HEAD_DENSE,
  headParameters,
  initialise,
} from '../encoder/parameters.js';
import { maskTokenId, tokenizerOf } from '../encoder/tokenizer.js';
import { readTokenizerFiles, type TokenizerFiles } from '../encoder/tokenizer-files.js';
import { loadWeights } from '../encoder/weights.js';
import { SeededRandom } from '../onnx/seeded-random.js';
import { type FloatTensor, type FloatTensors, tensorBytes } from '../onnx/tensor.js';
import { sha256 } from '../../lib/digest.js';
import { canonicalJson, type JsonObject } from '../../lib/json.js';
import { hubFolder, isHubId } from './hub.js';
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
  /** null for images. */
  readonly tokenizer: TokenizerFiles | null;
  /** Encoder and head, the head fresh unless the folder has one for the same labels. */
  readonly parameters: ReadonlyMap<string, FloatTensor>;
  readonly headReused: boolean;
  /** The file of a base that is used as it is, with an output `embedding`; null for the others. */
  readonly frozenModel: Uint8Array | null;
}

/** Throws FineTuneError. */
export async function loadBaseModel(settings: Settings): Promise<BaseModel> {
  const folder = await locate(settings);
  try {
    return await read(folder, settings);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new FineTuneError(`model: ${error.message}`);
  }
}

async function read(folder: string, settings: Settings): Promise<BaseModel> {
  const configJson = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as JsonObject;
  const isFrozen = !isKnownArchitecture(configJson) && existsSync(join(folder, PROCESSOR_FILE));
  const frozen = isFrozen ? await frozenBase(folder, configJson, settings) : null;
  const config = frozen?.config ?? parseConfig(configJson);
  const random = new SeededRandom(settings.seed, 'head');
  const parameters = new Map<string, FloatTensor>();
  let head: FloatTensors = new Map();
  if (frozen !== null) {
    // Its weights stay in its file; only the head is ours.
  } else if (settings.initialisation === 'random') {
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
    frozenModel: frozen?.model ?? null,
    ...readerFor(folder, config, settings),
  };
}

async function frozenBase(folder: string, configJson: JsonObject, settings: Settings) {
  if (settings.strategy !== 'feature-extraction' || settings.initialisation === 'random') {
    throw new RangeError(
      `the gradients of model_type ${JSON.stringify(configJson.model_type)} are not written here; ` +
        'use the strategy feature-extraction, or a vit model',
    );
  }
  return loadFrozenBase(folder, processedSize(folder));
}

function readerFor(folder: string, config: EncoderConfig, settings: Settings) {
  if (config.image !== null) {
    const reader = imageReader(loadImageProcessor(folder, config.image));
    const readerHash = sha256(readFileSync(join(folder, PROCESSOR_FILE)));
    return { reader, readerHash, maxLength: null, maskTokenId: null, tokenizer: null };
  }
  const maxLength = Math.min(settings.maxLength, longestSequence(config));
  const files = readTokenizerFiles(folder);
  return {
    reader: textReader(config, tokenizerOf(files, { maxLength }), maxLength),
    readerHash: sha256(canonicalJson(files.tokenizer)),
    maxLength,
    maskTokenId: maskTokenId(files),
    tokenizer: files,
  };
}

function sameLabels(configJson: JsonObject, labels: readonly string[]): boolean {
  const known = configJson.id2label;
  return (
    known !== undefined && JSON.stringify(Object.values(known ?? {})) === JSON.stringify(labels)
  );
}

/** sha256 over names and bytes of the encoder's parameters, the head left out. */
export function encoderHash(
  { config, frozenModel }: Pick<BaseModel, 'config' | 'frozenModel'>,
  parameters: FloatTensors,
): string {
  const hash = createHash('sha256');
  if (frozenModel !== null) hash.update(frozenModel);
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
  if (isHubId(model)) return hubFolder(model, cacheDir);
  throw new FineTuneError(`model: there is no folder ${model}, and it is no hub id either`);
}
