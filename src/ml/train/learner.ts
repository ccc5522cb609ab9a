/**
 * The two ways to learn, behind one face: `full` steps through the encoder, `feature-extraction`
 * steps through the head alone on features that were computed once. The loop (run.ts) does not
 * know which one it drives.
 */
import {
  classifierStep,
  dropoutMasks,
  featureGraph,
  headStep,
  logitGraph,
  type StepSettings,
  type TrainingGraph,
} from '../encoder/training-graph.js';
import type { EncoderConfig } from '../encoder/config.js';
import { SeededRandom } from '../onnx/seeded-random.js';
import {
  type Feeds,
  openSession,
  runSession,
  type Session,
  type TrainingState,
} from '../onnx/session.js';
import { type FloatTensors, floatTensor } from '../onnx/tensor.js';
import {
  type Batch,
  buckets,
  hideTokens,
  labelFeeds,
  planEvaluation,
  type TokenRow,
  tokenFeeds,
} from './batches.js';
import type { Settings } from './settings.js';

export interface Learner {
  /** Lengths by which batches are formed. */
  readonly trainLengths: readonly number[];
  readonly bucketLengths: readonly number[];
  /** One optimiser step; the mean loss of the batch. */
  step(state: TrainingState, batch: Batch, stepNumber: number, scalars: Feeds): Promise<number>;
  /** Logits of the validation rows under the given parameters. */
  validationLogits(parameters: FloatTensors): Promise<readonly Float32Array[]>;
}

export interface LearnerInputs {
  readonly config: EncoderConfig;
  readonly settings: Settings;
  readonly stepSettings: StepSettings;
  readonly maxLength: number;
  /** Token shown instead of hidden ones; null when the tokenizer has none. */
  readonly maskTokenId: number | null;
  readonly train: readonly TokenRow[];
  readonly validation: readonly TokenRow[];
  readonly classWeights: readonly number[];
  /** Parameters that are not trained. */
  readonly frozen: FloatTensors;
}

/** Rows per evaluation batch. */
const EVALUATION_BATCH = 32;

export function fullLearner(inputs: LearnerInputs): Learner {
  const { config, settings, train, validation } = inputs;
  const labelCount = settings.labels.length;
  const bucketLengths = buckets(inputs.maxLength);
  const steps = new SessionCache(settings.threads, (sequence) =>
    classifierStep(
      config,
      labelCount,
      { batch: settings.batchSize, sequence },
      inputs.stepSettings,
      settings.dropout > 0,
    ),
  );
  const logits = new SessionCache(settings.threads, (sequence) => ({
    model: logitGraph(config, labelCount, { batch: EVALUATION_BATCH, sequence }),
    dropoutSites: [],
  }));
  const frozenFeeds = Object.fromEntries(inputs.frozen);
  return {
    trainLengths: train.map((row) => row.ids.length),
    bucketLengths,
    async step(state, batch, stepNumber, scalars) {
      const { session, graph } = await steps.get(batch.sequence);
      return state.step(session, {
        ...frozenFeeds,
        ...shownTokens(inputs, batch, stepNumber),
        ...labelFeeds(train, batch, settings.batchSize, inputs.classWeights),
        ...masksFor(graph, settings, stepNumber),
        ...scalars,
      });
    },
    validationLogits: (parameters) =>
      evaluate(
        logits,
        validation,
        bucketLengths,
        config,
        { ...frozenFeeds, ...Object.fromEntries(parameters) },
        'logits',
      ),
  };
}

function shownTokens(inputs: LearnerInputs, batch: Batch, stepNumber: number): Feeds {
  const { train, settings, config, maskTokenId } = inputs;
  const feeds = tokenFeeds(train, batch, settings.batchSize, config.padTokenId);
  if (settings.tokenDropout === 0 || maskTokenId === null) return feeds;
  const lengths = batch.rows.map((row) => train[row]!.ids.length);
  const random = new SeededRandom(settings.seed, 'tokens', stepNumber);
  return hideTokens(feeds, lengths, settings.tokenDropout, maskTokenId, random);
}

/** Features of all rows are computed here, once. */
export async function featureLearner(inputs: LearnerInputs): Promise<Learner> {
  const { config, settings } = inputs;
  const features = await extractFeatures(inputs, inputs.train);
  const validationFeatures = await extractFeatures(inputs, inputs.validation);
  const width = config.hiddenSize;
  const steps = new SessionCache(settings.threads, () =>
    headStep(
      config,
      settings.labels.length,
      settings.batchSize,
      inputs.stepSettings,
      settings.dropout > 0,
    ),
  );
  return {
    trainLengths: inputs.train.map(() => 1),
    bucketLengths: [1],
    async step(state, batch, stepNumber, scalars) {
      const { session, graph } = await steps.get(1);
      const data = new Float32Array(settings.batchSize * width);
      batch.rows.forEach((index, row) => {
        data.set(features[index]!, row * width);
      });
      return state.step(session, {
        features: floatTensor([settings.batchSize, width], data),
        ...labelFeeds(inputs.train, batch, settings.batchSize, inputs.classWeights),
        ...masksFor(graph, settings, stepNumber),
        ...scalars,
      });
    },
    validationLogits: async (parameters) =>
      validationFeatures.map((row) => headLogits(row, parameters, settings.labels.length)),
  };
}

async function extractFeatures(
  { config, settings, maxLength, frozen }: LearnerInputs,
  rows: readonly TokenRow[],
): Promise<readonly Float32Array[]> {
  const sessions = new SessionCache(settings.threads, (sequence) => ({
    model: featureGraph(config, { batch: EVALUATION_BATCH, sequence }),
    dropoutSites: [],
  }));
  return evaluate(sessions, rows, buckets(maxLength), config, Object.fromEntries(frozen), 'pooled');
}

/** x W + b of the head, for one row. */
function headLogits(row: Float32Array, parameters: FloatTensors, labelCount: number): Float32Array {
  const weight = parameters.get('classifier.weight')!.data;
  const logits = parameters.get('classifier.bias')!.data.slice();
  for (let i = 0; i < row.length; i++) {
    for (let label = 0; label < labelCount; label++) {
      logits[label]! += row[i]! * weight[i * labelCount + label]!;
    }
  }
  return logits;
}

/** One output row per input row, in their order. */
async function evaluate(
  sessions: SessionCache,
  rows: readonly TokenRow[],
  bucketLengths: readonly number[],
  config: EncoderConfig,
  parameters: Feeds,
  output: string,
): Promise<readonly Float32Array[]> {
  const results = new Array<Float32Array>(rows.length);
  const lengths = rows.map((row) => row.ids.length);
  for (const batch of planEvaluation(lengths, bucketLengths, EVALUATION_BATCH)) {
    const { session } = await sessions.get(batch.sequence);
    const feeds = tokenFeeds(rows, batch, EVALUATION_BATCH, config.padTokenId);
    const values = (await runSession(session, { ...parameters, ...feeds })).get(output)!;
    const width = values.shape[1]!;
    batch.rows.forEach((index, row) => {
      results[index] = (values.data as Float32Array).slice(row * width, (row + 1) * width);
    });
  }
  return results;
}

function masksFor(graph: TrainingGraph, settings: Settings, stepNumber: number): Feeds {
  const random = new SeededRandom(settings.seed, 'dropout', stepNumber);
  return dropoutMasks(graph.dropoutSites, settings.dropout, () => random.bits());
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
}
