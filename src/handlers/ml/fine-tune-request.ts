/** What a task asks of `ml:fine-tune`: its parameters, checked, with defaults, labels and files found. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fromEntries, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { type HandlerContext, TaskFailure } from '../handler.js';
import { compileCheck } from '../schema-check.js';
import type { FineTuneHandlerOptions } from './fine-tune.js';
import { HYPERPARAMETERS, readHyperparameters } from './fine-tune-hyperparameters.js';
import { ADDRESS, type Address, locate, uriOf } from './ingest-support.js';

/** The mission's own settings: 3 epochs, batch 16, learning rate 2e-5 over distilbert-base-uncased. */
const DEFAULTS: JsonObject = {
  model: 'distilbert-base-uncased',
  strategy: 'full',
  epochs: 3,
  batchSize: 16,
  learningRate: 2e-5,
  warmupRatio: 0.1,
  schedule: 'linear',
  weightDecay: 0.01,
  maxLength: 128,
  dropout: 0.1,
  seed: 42,
};
/** Labels are looked for in that many rows at most, which a classifier's head could not hold anyway. */
const MAX_LABELS = 1000;

const HYPERPARAMETER_SCHEMA = fromEntries(
  Object.entries(HYPERPARAMETERS).map(([name, { schema }]) => [name, schema]),
);
const checkHyperparameters = compileCheck({ type: 'object', properties: HYPERPARAMETER_SCHEMA });

export const PARAMETERS: JsonObject = {
  type: 'object',
  additionalProperties: false,
  properties: {
    dataset: {
      type: 'object',
      required: ['train'],
      properties: { train: ADDRESS, validation: ADDRESS, test: ADDRESS },
      description: 'The result of ml:preprocess, or {train, validation?, labels?}.',
    },
    train: ADDRESS,
    validation: ADDRESS,
    model: ADDRESS,
    labels: { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 2 },
    hyperparameters: { type: 'object' },
    expectTrainable: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      minItems: 1,
      description: 'Parts that must be the trained ones, such as ["head", "encoder.layer.3"].',
    },
    transform: {
      ...ADDRESS,
      description: 'What ml:transform fitted: saved with the model and applied when it serves.',
    },
    threads: { type: 'integer', minimum: 1, maximum: 64 },
    checkpointEverySteps: { type: 'integer', minimum: 1 },
    ...HYPERPARAMETER_SCHEMA,
  },
};

export interface Asked {
  readonly settings: JsonObject;
  readonly paths: {
    readonly model: string;
    readonly trainPath: string;
    readonly validationPath?: string;
    readonly labels: readonly string[];
  };
  readonly baseModel: string;
  readonly dataVersion: Json;
  /** What makes it the same work: a checkpoint of anything else is not taken up. */
  readonly identity: JsonObject;
}

/** Throws ValidationException naming what is wrong. */
export async function askedFor(
  parameters: JsonObject,
  context: HandlerContext,
  options: Pick<FineTuneHandlerOptions, 'defaults' | 'resolveModel'>,
): Promise<Asked> {
  const { dataset, train, validation, model, labels, hyperparameters, ...own } = parameters;
  const { threads, checkpointEverySteps, expectTrainable, ...named } = own;
  const read = readHyperparameters(isObject(hyperparameters) ? hyperparameters : {});
  if (read.problems.length > 0) throw invalid(read.problems.join(' '));
  const { model: defaultModel, ...defaults } = { ...DEFAULTS, ...options.defaults };
  const settings: JsonObject = { ...defaults, ...read.values, ...named };
  const problem = checkHyperparameters(settings);
  if (problem !== null) throw invalid(`${problem.pointer}: ${problem.sentence}`);
  const set = isObject(dataset) ? dataset : {};
  const trainAt = train ?? set.train;
  if (trainAt === undefined) {
    throw invalid('dataset: give {"train": …} as ml:preprocess returns it, or "train" itself.');
  }
  const validationAt = validation ?? set.validation;
  const trainPath = await locate(trainAt as unknown as Address, context);
  const baseModel = uriOf((model ?? read.model ?? defaultModel) as unknown as Address);
  const resolve = options.resolveModel ?? resolveModel;
  const used = labelsGiven(labels ?? set.labels) ?? (await labelsIn(trainPath));
  const extra = {
    ...(threads === undefined ? {} : { threads }),
    ...(checkpointEverySteps === undefined ? {} : { checkpointEverySteps }),
    ...(expectTrainable === undefined ? {} : { expectTrainable }),
  };
  return {
    settings: { ...settings, ...extra },
    paths: {
      model: await resolve(baseModel, context),
      trainPath,
      ...(validationAt === undefined
        ? {}
        : { validationPath: await locate(validationAt as unknown as Address, context) }),
      labels: used,
    },
    baseModel,
    dataVersion: set.dataVersion ?? null,
    identity: {
      settings,
      model: baseModel,
      labels: used,
      train: uriOf(trainAt as unknown as Address),
      validation: validationAt === undefined ? null : uriOf(validationAt as unknown as Address),
    },
  };
}

/** An artifact or a folder that may be read; any other name is left for the library's own lookup. */
async function resolveModel(model: string, context: HandlerContext): Promise<string> {
  const isPath = /^(artifact:\/\/|file:\/\/|\.{0,2}\/)/.test(model);
  return isPath ? locate(model, context) : model;
}

function labelsGiven(labels: Json | undefined): readonly string[] | null {
  if (!isArray(labels) || !labels.every((label) => typeof label === 'string')) return null;
  return labels.length >= 2 ? (labels as readonly string[]) : null;
}

/** The label names of a dataset by their ids, for data that came without a list of them. */
async function labelsIn(path: string): Promise<readonly string[]> {
  const names = new Map<number, string>();
  const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity });
  for await (const line of lines) {
    if (line.trim() === '' || names.size > MAX_LABELS) continue;
    const row = parsed(line);
    if (isObject(row) && typeof row.labelId === 'number') {
      names.set(row.labelId, typeof row.label === 'string' ? row.label : `LABEL_${row.labelId}`);
    }
  }
  const ids = [...names.keys()].sort((a, b) => a - b);
  if (ids.length < 2 || ids.length > MAX_LABELS || ids.some((id, index) => id !== index)) {
    throw invalid(
      `labels: the training data has the label ids [${ids.slice(0, 10).join(', ')}]; ` +
        'it needs rows {"text", "label", "labelId"} with ids 0, 1, … as ml:preprocess writes them.',
    );
  }
  return ids.map((id) => names.get(id) as string);
}

function parsed(line: string): Json {
  try {
    return JSON.parse(line) as Json;
  } catch {
    throw invalid('train: the file is not JSON Lines as ml:preprocess writes it.');
  }
}

function invalid(reason: string): TaskFailure {
  return new TaskFailure('ValidationException', reason);
}
