/**
 * The two ways to learn, behind one face: the whole encoder, or the head alone on features that were
 * computed once. The loop (stage.ts) does not know which one it drives.
 */
import type { EncoderConfig } from '../encoder/config.js';
import {
  classifierStep,
  dropoutMasks,
  featureGraph,
  headLogitGraph,
  headStep,
  logitGraph,
  type StepSettings,
  type TrainingGraph,
  updateStep,
} from '../encoder/training-graph.js';
import { SeededRandom } from '../onnx/seeded-random.js';
import {
  type Feeds,
  openSession,
  runSession,
  type Session,
  type TrainingState,
} from '../onnx/session.js';
import { type FloatTensor, type FloatTensors, floatTensor } from '../onnx/tensor.js';
import { type Batch, hideTokens, labelFeeds, planEvaluation } from './batches.js';
import type { Examples } from './examples.js';
import type { Settings } from './settings.js';

export interface Learner {
  /** Lengths by which batches are formed. */
  readonly trainLengths: readonly number[];
  readonly bucketLengths: readonly number[];
  /** One optimiser step on the mean gradient of the batches; the mean of their losses. */
  step(
    state: TrainingState,
    batches: readonly Batch[],
    stepNumber: number,
    scalars: Feeds,
  ): Promise<number>;
  /** Logits of the validation rows under the given parameters. */
  validationLogits(parameters: FloatTensors): Promise<readonly Float32Array[]>;
}

export interface LearnerInputs {
  readonly config: EncoderConfig;
  readonly settings: Settings;
  readonly stepSettings: StepSettings;
  readonly bucketLengths: readonly number[];
  /** Token shown instead of hidden ones; null when the tokenizer has none, or there is none. */
  readonly maskTokenId: number | null;
  readonly train: Examples;
  readonly validation: Examples;
  readonly classWeights: readonly number[];
  /** Parameters that are not trained. */
  readonly frozen: FloatTensors;
  /** A base that is only a file: features come out of it as `embedding`. */
  readonly frozenModel: Uint8Array | null;
  /** Told while rows are read through the model without a step: that takes long for many of them. */
  readonly onRows: (done: number, total: number) => void;
}

/** Rows per evaluation batch. */
const EVALUATION_BATCH = 32;

export function fullLearner(inputs: LearnerInputs): Learner {
  const { config, settings, stepSettings, train, validation, bucketLengths } = inputs;
  const labelCount = settings.labels.length;
  const frozen = Object.fromEntries(inputs.frozen);
  const logits = evaluationSessions(settings, (sequence) =>
    logitGraph(config, labelCount, { batch: EVALUATION_BATCH, sequence }),
  );
  return {
    trainLengths: train.lengths,
    bucketLengths,
    step: stepper(
      inputs,
      (sequence) => {
        const shape = { batch: settings.batchSize, sequence };
        return classifierStep(config, labelCount, shape, stepSettings, settings.dropout > 0);
      },
      async (batch, stream) => ({ ...frozen, ...(await shownInputs(inputs, batch, stream)) }),
    ),
    validationLogits: (parameters) =>
      evaluate(
        logits,
        validation,
        bucketLengths,
        'logits',
        { ...frozen, ...Object.fromEntries(parameters) },
        inputs.onRows,
      ),
  };
}

/** Features of all rows are computed here, once. */
export async function featureLearner(inputs: LearnerInputs): Promise<Learner> {
  const { config, settings, stepSettings, train } = inputs;
  const features = await extractFeatures(inputs, train);
  const validation = featureExamples(await extractFeatures(inputs, inputs.validation), config);
  const labelCount = settings.labels.length;
  const shown = featureExamples(features, config);
  const logits = evaluationSessions(settings, () =>
    headLogitGraph(config, labelCount, EVALUATION_BATCH),
  );
  return {
    trainLengths: shown.lengths,
    bucketLengths: [1],
    step: stepper(
      inputs,
      () => headStep(config, labelCount, settings.batchSize, stepSettings, settings.dropout > 0),
      (batch) => shown.feeds(batch, settings.batchSize),
    ),
    validationLogits: (parameters) =>
      evaluate(logits, validation, [1], 'logits', Object.fromEntries(parameters), inputs.onRows),
  };
}

function featureExamples(
  features: readonly Float32Array[],
  { hiddenSize }: EncoderConfig,
): Examples {
  return {
    labels: [],
    lengths: features.map(() => 1),
    feeds: async (batch, batchSize) => {
      const data = new Float32Array(batchSize * hiddenSize);
      batch.rows.forEach((index, row) => {
        data.set(features[index]!, row * hiddenSize);
      });
      return { features: floatTensor([batchSize, hiddenSize], data) };
    },
  };
}

async function extractFeatures(
  { config, settings, bucketLengths, frozen, frozenModel, onRows }: LearnerInputs,
  examples: Examples,
): Promise<readonly Float32Array[]> {
  const sessions = evaluationSessions(
    settings,
    (sequence) => frozenModel ?? featureGraph(config, { batch: EVALUATION_BATCH, sequence }),
  );
  const features = await evaluate(
    sessions,
    examples,
    bucketLengths,
    frozenModel === null ? 'pooled' : 'embedding',
    Object.fromEntries(frozen),
    onRows,
  );
  await sessions.release();
  return features;
}

/** Random streams of a batch: of its step, and of its place among the accumulated batches. */
type Stream = readonly number[];

/**
 * A step: one graph that does everything; or, with accumulation, one run per batch that adds to the
 * sums and one that applies them.
 */
function stepper(
  { config, settings, stepSettings, train, classWeights }: LearnerInputs,
  graphFor: (sequence: number) => TrainingGraph,
  inputsOf: (batch: Batch, stream: Stream) => Promise<Feeds>,
): Learner['step'] {
  const sessions = new SessionCache(settings.threads, graphFor);
  const update = new SessionCache(settings.threads, () =>
    updateStep(config, settings.labels.length, stepSettings),
  );
  return async (state, batches, stepNumber, scalars) => {
    const accumulates = stepSettings.accumulate === true;
    let total = 0;
    for (const [index, batch] of batches.entries()) {
      const stream = index === 0 ? [stepNumber] : [stepNumber, index];
      const { session, graph } = await sessions.get(batch.sequence);
      total += await state.step(session, {
        ...(await inputsOf(batch, stream)),
        ...labelFeeds(train.labels, batch, settings.batchSize, classWeights),
        ...masksFor(graph, settings, stream),
        ...(accumulates ? {} : scalars),
      });
    }
    if (accumulates) {
      const { session } = await update.get(0);
      await state.step(session, { ...scalars, accumulated: scalar(batches.length) });
    }
    return total / batches.length;
  };
}

const scalar = (value: number): FloatTensor => floatTensor([], Float32Array.of(value));

async function shownInputs(inputs: LearnerInputs, batch: Batch, stream: Stream): Promise<Feeds> {
  const { train, settings, maskTokenId } = inputs;
  const feeds = await train.feeds(batch, settings.batchSize);
  if (settings.tokenDropout === 0 || maskTokenId === null) return feeds;
  const lengths = batch.rows.map((row) => train.lengths[row]!);
  const random = new SeededRandom(settings.seed, 'tokens', ...stream);
  return hideTokens(feeds, lengths, settings.tokenDropout, maskTokenId, random);
}

/** One output row per example, in their order. */
async function evaluate(
  sessions: SessionCache,
  examples: Examples,
  bucketLengths: readonly number[],
  output: string,
  parameters: Feeds,
  onRows: LearnerInputs['onRows'],
): Promise<readonly Float32Array[]> {
  const results = new Array<Float32Array>(examples.lengths.length);
  let done = 0;
  for (const batch of planEvaluation(examples.lengths, bucketLengths, EVALUATION_BATCH)) {
    const { session } = await sessions.get(batch.sequence);
    const feeds = await examples.feeds(batch, EVALUATION_BATCH);
    const values = (await runSession(session, { ...parameters, ...feeds })).get(output)!;
    const width = values.shape[1]!;
    batch.rows.forEach((index, row) => {
      results[index] = (values.data as Float32Array).slice(row * width, (row + 1) * width);
    });
    done += batch.rows.length;
    onRows(done, results.length);
  }
  return results;
}

function masksFor(graph: TrainingGraph, settings: Settings, stream: Stream): Feeds {
  const random = new SeededRandom(settings.seed, 'dropout', ...stream);
  return dropoutMasks(graph.dropoutSites, settings.dropout, () => random.bits());
}

function evaluationSessions(
  { threads }: Settings,
  build: (sequence: number) => Uint8Array,
): SessionCache {
  return new SessionCache(threads, (sequence) => ({ model: build(sequence), dropoutSites: [] }));
}

/** One session per sequence length, made when first needed. */
class SessionCache {
  private readonly sessions = new Map<number, { session: Session; graph: TrainingGraph }>();

  constructor(
    private readonly threads: number,
    private readonly build: (sequence: number) => TrainingGraph,
  ) {}

  async get(sequence: number): Promise<{ session: Session; graph: TrainingGraph }> {
    const known = this.sessions.get(sequence);
    if (known !== undefined) return known;
    const graph = this.build(sequence);
    const made = { session: await openSession(graph.model, this.threads), graph };
    this.sessions.set(sequence, made);
    return made;
  }

  async release(): Promise<void> {
    for (const { session } of this.sessions.values()) await session.release();
    this.sessions.clear();
  }
}
