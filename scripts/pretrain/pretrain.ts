/** The pre-training loop: one training graph per length bucket, one shared set of weights. */
import type { EncoderConfig } from '../../src/ml/encoder/config.js';
import {
  encoderParameters,
  headParameters,
  initialise,
  maskedHeadParameters,
} from '../../src/ml/encoder/parameters.js';
import { loadTokenizer } from '../../src/ml/encoder/tokenizer.js';
import { optimiserState, pretrainStep } from '../../src/ml/encoder/training-graph.js';
import { ADAMW } from '../../src/ml/onnx/optimisers.js';
import { SeededRandom } from '../../src/ml/onnx/seeded-random.js';
import { openSession, type Session, TrainingState } from '../../src/ml/onnx/session.js';
import { type FloatTensor, floatTensor } from '../../src/ml/onnx/tensor.js';
import { TextGenerator } from './generator.js';
import type { Lexicon } from './grammar.js';
import { type Example, MASKED_SHARE, maskedBatch } from './masking.js';
import { EMOJI, SPECIAL_TOKENS } from './wordpiece.js';

export interface PretrainOptions {
  readonly config: EncoderConfig;
  /** Folder that holds the tokenizer files. */
  readonly folder: string;
  readonly vocabulary: readonly string[];
  readonly lexicon: Lexicon;
  readonly seed: number;
  readonly steps: number;
  /** Stops earlier when the time is up; the schedule follows whichever ends first. */
  readonly minutes: number;
  readonly threads: number;
  readonly log: (line: string) => void;
}

export interface PretrainReport {
  readonly seed: number;
  readonly steps: number;
  readonly texts: number;
  readonly seconds: number;
  readonly firstLoss: number;
  readonly lastLoss: number;
  readonly millisecondsPerStep: number;
  readonly peakMegabytes: number;
  readonly settings: Readonly<Record<string, number | string>>;
}

const BUCKETS = [16, 24, 40, 64] as const;
/** About as many tokens in a batch of every bucket. */
const BATCH = { 16: 56, 24: 36, 40: 22, 64: 14 } as const satisfies Record<
  (typeof BUCKETS)[number],
  number
>;
const SETTINGS = {
  learningRate: 1e-3,
  warmupShare: 0.06,
  weightDecay: 0.01,
  clipNorm: 1,
  sentenceWeight: 0.7,
  ratings: 3,
} as const;

export async function pretrain(
  options: PretrainOptions,
): Promise<{ parameters: ReadonlyMap<string, FloatTensor>; report: PretrainReport }> {
  const { config, seed } = options;
  const specs = [
    ...encoderParameters(config),
    ...headParameters(config, SETTINGS.ratings),
    ...maskedHeadParameters(config),
  ];
  const start = new SeededRandom(seed, 'weights');
  const parameters = new Map(specs.map((spec) => [spec.name, initialise(spec, start)]));
  const state = new TrainingState(new Map([...parameters, ...optimiserState(ADAMW, parameters)]));
  const groups = new Map(specs.map((spec) => [spec.name, 'all']));
  const sessions = new Map<number, Session>();
  for (const sequence of BUCKETS) {
    const graph = pretrainStep(
      config,
      {
        ...shapeOf(sequence),
        labelCount: SETTINGS.ratings,
        sentenceWeight: SETTINGS.sentenceWeight,
      },
      {
        optimiser: ADAMW,
        groups,
        weightDecay: SETTINGS.weightDecay,
        clipNorm: SETTINGS.clipNorm,
      },
    );
    sessions.set(sequence, await openSession(graph.model, options.threads));
  }
  const stream = new ExampleStream(options);
  const began = performance.now();
  const losses: number[] = [];
  let step = 0;
  let texts = 0;
  let share = 0;
  let peak = 0;
  while (share < 1) {
    const { sequence, examples } = stream.nextBatch();
    step += 1;
    texts += examples.length;
    const feeds = maskedBatch(
      examples,
      {
        sequence,
        maskedCount: shapeOf(sequence).maskedCount,
        maskId: SPECIAL_TOKENS.indexOf('[MASK]'),
        vocabularySize: config.vocabularySize,
        firstWordId: SPECIAL_TOKENS.length,
      },
      new SeededRandom(seed, 'mask', step),
    );
    const loss = await state.step(sessions.get(sequence)!, {
      ...feeds,
      'learning_rate.all': scalar(SETTINGS.learningRate * rateShare(share)),
      bias_correction_1: scalar(1 - ADAMW.beta1 ** step),
      bias_correction_2: scalar(1 - ADAMW.beta2 ** step),
    });
    losses.push(loss);
    const minutes = (performance.now() - began) / 60_000;
    share = Math.max(step / options.steps, minutes / options.minutes);
    if (step % 200 === 0) {
      peak = Math.max(peak, process.memoryUsage().rss / 1e6);
      const recent = mean(losses.slice(-200)).toFixed(3);
      options.log(`step ${step} loss ${recent} ${minutes.toFixed(1)} min, ${Math.round(peak)} MB`);
    }
  }
  const seconds = (performance.now() - began) / 1000;
  return {
    parameters: state.tensors(),
    report: {
      seed,
      steps: step,
      texts,
      seconds: Math.round(seconds),
      firstLoss: mean(losses.slice(0, 50)),
      lastLoss: mean(losses.slice(-200)),
      millisecondsPerStep: Math.round((seconds * 1000) / step),
      peakMegabytes: Math.round(peak),
      settings: { ...SETTINGS, maskedShare: MASKED_SHARE, knownEmoji: EMOJI.length },
    },
  };
}

/** Linear warm-up, then linear decay to 0. */
function rateShare(share: number): number {
  if (share < SETTINGS.warmupShare) return share / SETTINGS.warmupShare;
  return (1 - share) / (1 - SETTINGS.warmupShare);
}

function shapeOf(sequence: (typeof BUCKETS)[number]) {
  const batch = BATCH[sequence];
  return { batch, sequence, maskedCount: Math.ceil(batch * sequence * MASKED_SHARE) };
}

/** Generates texts and hands them out in full batches of one bucket. */
class ExampleStream {
  private readonly generator: TextGenerator;
  private readonly waiting = new Map<(typeof BUCKETS)[number], Example[]>();
  private readonly pieces = new Map<string, readonly number[]>();
  private readonly tokenize: (text: string) => readonly number[];

  constructor(options: PretrainOptions) {
    const random = new SeededRandom(options.seed, 'corpus');
    this.generator = new TextGenerator(options.lexicon, random, { noise: 1 });
    this.tokenize = loadTokenizer(options.folder, { maxLength: Number.POSITIVE_INFINITY });
  }

  nextBatch(): { sequence: (typeof BUCKETS)[number]; examples: Example[] } {
    for (;;) {
      const { text, rating } = this.generator.next();
      const ids = this.encode(text);
      const sequence = BUCKETS.find((length) => ids.length <= length);
      if (sequence === undefined) continue;
      const queue = this.waiting.get(sequence) ?? [];
      queue.push({ ids, rating });
      if (queue.length < BATCH[sequence]) this.waiting.set(sequence, queue);
      else {
        this.waiting.set(sequence, []);
        return { sequence, examples: queue };
      }
    }
  }

  /** BERT splits at white space first, so ids can be remembered chunk by chunk. */
  private encode(text: string): number[] {
    const [cls, sep] = [SPECIAL_TOKENS.indexOf('[CLS]'), SPECIAL_TOKENS.indexOf('[SEP]')];
    const ids = [cls];
    for (const chunk of text.split(/\s+/)) {
      let known = this.pieces.get(chunk);
      if (known === undefined) {
        known = this.tokenize(chunk).slice(1, -1);
        this.pieces.set(chunk, known);
      }
      ids.push(...known);
    }
    ids.push(sep);
    return ids;
  }
}

const scalar = (value: number): FloatTensor => floatTensor([], Float32Array.of(value));
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
