/** The model folder that a run leaves: what transformers.js loads, its metrics and its card. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import { sha256 } from '../../lib/digest.js';
import { isArray, type JsonObject } from '../../lib/json.js';
import { POOLING_KEY } from '../encoder/config.js';
import { exportModel } from '../encoder/export.js';
import { withHead } from '../encoder/frozen.js';
import { PROCESSOR_FILE } from '../encoder/images.js';
import type { FloatTensors } from '../onnx/tensor.js';
import type { BaseModel } from './base-model.js';
import { writeDurably } from './checkpoint.js';
import { modelCard } from './model-card.js';
import type { RowFile } from './rows.js';
import type { FineTuneResult } from './run.js';
import type { Settings } from './settings.js';

export interface ModelFolder {
  readonly settings: Settings;
  readonly base: BaseModel;
  readonly parameters: FloatTensors;
  readonly result: FineTuneResult;
  readonly train: RowFile;
  readonly validation: RowFile | null;
}

/** Classifiers of Hugging Face by model type. */
const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['bert', 'BertForSequenceClassification'],
  ['distilbert', 'DistilBertForSequenceClassification'],
  ['roberta', 'RobertaForSequenceClassification'],
  ['xlm-roberta', 'XLMRobertaForSequenceClassification'],
  ['camembert', 'CamembertForSequenceClassification'],
  ['vit', 'ViTForImageClassification'],
]);

/** Copied as they are, where the base has them. */
const READER_FILES = ['special_tokens_map.json', 'vocab.txt', PROCESSOR_FILE] as const;

export function writeModelFolder(model: ModelFolder): void {
  const { settings, base, result } = model;
  const folder = settings.outputDir;
  mkdirSync(join(folder, 'onnx'), { recursive: true });
  const onnx =
    base.frozenModel === null
      ? exportModel(base.config, model.parameters, 'classifier')
      : withHead(base.frozenModel, model.parameters);
  writeDurably(join(folder, 'onnx', 'model.onnx'), onnx);
  for (const file of READER_FILES) {
    const source = join(base.folder, file);
    if (existsSync(source)) copyFileSync(source, join(folder, file));
  }
  const json = (file: string, value: unknown): void =>
    writeDurably(join(folder, file), `${JSON.stringify(value, null, 2)}\n`);
  if (base.tokenizer !== null) {
    json('tokenizer.json', base.tokenizer.tokenizer);
    // The tokenizer cuts where training cut.
    json('tokenizer_config.json', {
      ...base.tokenizer.config,
      model_max_length: base.maxLength,
    });
  }
  json('config.json', classifierConfig(base, settings));
  json('training_metrics.json', {
    ...metricsOf(result),
    onnxSha256: sha256(onnx),
    settings: told(settings),
  });
  writeDurably(join(folder, 'README.md'), modelCard(model));
}

/** Of the run, not of the model: equal weights make equal folders, so equal digests. */
const NOT_OF_THE_MODEL: ReadonlySet<string> = new Set([
  'modelDir',
  'outputDir',
  'checkpointDir',
  'checkpointEverySteps',
  'cacheDir',
  'threads',
  'seconds',
  'cpuSeconds',
  'peakMegabytes',
  'resumedFromStep',
]);
/** Places: only the last part says what it was. */
const PLACES: ReadonlySet<string> = new Set(['trainPath', 'validationPath']);

function metricsOf({ stages, ...result }: FineTuneResult): JsonObject {
  return { ...told(result), stages: stages.map(told) };
}

function told(value: object): JsonObject {
  const entries = Object.entries(value)
    .filter(([name]) => !NOT_OF_THE_MODEL.has(name))
    .map(([name, member]) => [name, isPlace(name, member) ? basename(member) : member] as const);
  return Object.fromEntries(entries) as JsonObject;
}

/** A base model is a hub id, or a folder of this machine. */
function isPlace(name: string, value: unknown): value is string {
  if (typeof value !== 'string') return false;
  return PLACES.has(name) || (name === 'model' && isAbsolute(value));
}

/** Of other types by their own: `ResNetModel` becomes `ResNetForImageClassification`. */
function architectureOf({ configJson }: BaseModel): string {
  const known = ARCHITECTURES.get(String(configJson.model_type));
  if (known !== undefined) return known;
  const [first] = isArray(configJson.architectures) ? configJson.architectures : [];
  const name = typeof first === 'string' ? first : 'ImageModel';
  return `${name.replace(/Model$/, '')}ForImageClassification`;
}

function classifierConfig(base: BaseModel, { labels }: Settings): unknown {
  return {
    ...base.configJson,
    architectures: [architectureOf(base)],
    problem_type: 'single_label_classification',
    id2label: Object.fromEntries(labels.map((label, id) => [id, label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
    ...(base.config.head === 'linear' && base.config.image === null
      ? { [POOLING_KEY]: base.config.pooling }
      : {}),
  };
}
