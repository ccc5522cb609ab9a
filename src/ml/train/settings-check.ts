/** The settings of a run, checked: every complaint names the option and says what to write instead. */
import { statSync } from 'node:fs';
import { FineTuneError } from './fine-tune-error.js';
import { type Settings, STRATEGIES } from './settings.js';

/** Throws FineTuneError naming the first setting that does not fit. */
export function checkSettings(settings: Settings): void {
  const numbers = [
    ['epochs', 1, 1000, true],
    ['batchSize', 1, 1024, true],
    ['learningRate', 1e-9, 10, false],
    ['headLearningRate', 1e-9, 10, false],
    ['layerDecay', 1e-3, 1, false],
    ['warmupRatio', 0, 0.9, false],
    ['weightDecay', 0, 1, false],
    ['maxLength', 4, 512, true],
    ['dropout', 0, 0.9, false],
    ['tokenDropout', 0, 0.9, false],
    ['clipNorm', 1e-6, 1e9, false],
    ['momentum', 0, 0.9999, false],
    ['adamBeta1', 0, 0.9999, false],
    ['adamBeta2', 0, 0.999999, false],
    ['adamEpsilon', 1e-12, 1, false],
    ['labelSmoothing', 0, 0.9, false],
    ['gradientAccumulationSteps', 1, 1024, true],
    ['seed', 0, Number.MAX_SAFE_INTEGER, true],
    ['checkpointEverySteps', 1, 1e9, true],
    ['threads', 1, 64, true],
  ] as const;
  for (const [name, least, most, whole] of numbers) {
    inRange(name, settings[name], least, most, whole);
  }
  oneOf('strategy', settings.strategy, STRATEGIES);
  oneOf('schedule', settings.schedule, ['linear', 'cosine', 'constant']);
  oneOf('optimizer', settings.optimizer, ['adamw', 'sgd']);
  oneOf('initialisation', settings.initialisation, ['pretrained', 'random']);
  checkLabels(settings);
  checkLayers(settings);
  if (settings.expectTrainable !== null && settings.strategy === 'gradual-unfreezing') {
    refuse('expectTrainable belongs to one stage; give every stage a run (a task) of its own');
  }
  checkPaths(settings);
  checkEarlyStop(settings);
}

function inRange(name: string, value: unknown, least: number, most: number, whole: boolean): void {
  const fits = typeof value === 'number' && value >= least && value <= most;
  if (fits && (!whole || Number.isInteger(value))) return;
  const kind = whole ? 'a whole number' : 'a number';
  refuse(`${name} must be ${kind} from ${least} to ${most}, not ${JSON.stringify(value)}`);
}

function checkLabels({ labels, classWeights }: Settings): void {
  const distinct = Array.isArray(labels) && new Set(labels).size === labels.length;
  const named = distinct && labels.every((label) => typeof label === 'string' && label !== '');
  if (!named || labels.length < 2) {
    refuse('labels must list at least two different names, for example ["positive", "negative"]');
  }
  if (classWeights === null || classWeights === 'balanced') return;
  const positive = classWeights.every((weight) => Number.isFinite(weight) && weight > 0);
  if (!positive || classWeights.length !== labels.length) {
    refuse(`classWeights must be 'balanced' or ${labels.length} positive numbers, one per label`);
  }
}

function checkLayers({ strategy, trainableLayers, layerDecay, stages }: Settings): void {
  if (trainableLayers !== null && (!Number.isInteger(trainableLayers) || trainableLayers < 0)) {
    refuse(
      'trainableLayers must be a whole number, 0 for the head alone; leave it out to train all layers',
    );
  }
  if (strategy === 'discriminative' && layerDecay === 1) {
    refuse('layerDecay must be below 1 for the discriminative strategy: 1 gives one rate to all');
  }
  if (stages === null) return;
  if (strategy !== 'gradual-unfreezing') {
    refuse(`stages belong to the strategy gradual-unfreezing, not to ${strategy}`);
  }
  if (stages.length === 0) refuse('stages must list at least one stage');
  stages.forEach(({ trainableLayers: layers, epochs, learningRate }, index) => {
    if (layers !== null) inRange(`stages/${index}/trainableLayers`, layers, 0, 1000, true);
    inRange(`stages/${index}/epochs`, epochs, 1, 1000, true);
    if (learningRate !== null) {
      inRange(`stages/${index}/learningRate`, learningRate, 1e-9, 10, false);
    }
  });
}

function checkPaths(settings: Settings): void {
  if (settings.model === '') refuse('model must be a model folder or a hub id');
  if (settings.outputDir === '') refuse('outputDir must be the folder to write the model to');
  for (const name of ['trainPath', 'validationPath'] as const) {
    const path = settings[name];
    if (path !== null && !isFile(path)) refuse(`${name}: there is no file ${path}`);
  }
}

function checkEarlyStop({ earlyStop, validationPath }: Settings): void {
  if (earlyStop === null) return;
  oneOf('earlyStop.metric', earlyStop.metric, ['loss', 'accuracy', 'macroF1']);
  if (!Number.isInteger(earlyStop.patience) || earlyStop.patience < 1) {
    refuse('earlyStop.patience must be a whole number of epochs from 1');
  }
  if (validationPath === null) refuse('earlyStop needs validationPath: rows to judge by');
}

function oneOf(name: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  refuse(`${name} must be one of ${allowed.join(', ')}, not ${JSON.stringify(value)}`);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function refuse(sentence: string): never {
  throw new FineTuneError(sentence);
}
