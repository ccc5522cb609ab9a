/**
 * Whole training steps as one ONNX graph: forward, loss, backward, clipping, optimiser. Shapes are
 * static (one graph per batch size and sequence bucket); parameters and optimiser state are inputs
 * and come back as `<name>.next`, see onnx/session.ts.
 */
import { gradients } from '../onnx/autodiff.js';
import { Graph, type Value } from '../onnx/graph.js';
import {
  applyOptimiser,
  clippingScale,
  type OptimiserSettings,
  STATE_SLOTS,
} from '../onnx/optimisers.js';
import { elementCount, type FloatTensor, type FloatTensors, floatTensor } from '../onnx/tensor.js';
import type { EncoderConfig } from './config.js';
import { type EncoderContext, type EncoderOutputs, encode } from './forward.js';
import { classify } from './head.js';
import { crossEntropy, maskedLogits, type Smoothing } from './losses.js';
import {
  encoderParameters,
  headParameters,
  isDecayed,
  maskedHeadParameters,
  type ParameterSpec,
} from './parameters.js';
import { encodeImages, pixelShape } from './vision.js';

export interface StepSettings {
  readonly optimiser: OptimiserSettings;
  /** Learning-rate group of every trained parameter; one that is absent stays frozen. */
  readonly groups: ReadonlyMap<string, string>;
  readonly weightDecay: number;
  /** Largest global gradient norm. */
  readonly clipNorm: number;
  /** Absent or null: all of a target's weight is on its label. */
  readonly smoothing?: Smoothing | null;
  /** The step only adds its gradient to the sums that `updateStep` applies later. */
  readonly accumulate?: boolean;
}

export interface BatchShape {
  readonly batch: number;
  readonly sequence: number;
}

export interface DropoutSite {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface TrainingGraph {
  readonly model: Uint8Array;
  readonly dropoutSites: readonly DropoutSite[];
}

/** Fine-tuning: inputs input_ids and attention_mask or pixel_values, labels, weights, dropout masks. */
export function classifierStep(
  config: EncoderConfig,
  labelCount: number,
  shape: BatchShape,
  settings: StepSettings,
  dropout: boolean,
): TrainingGraph {
  const specs = [...encoderParameters(config), ...headParameters(config, labelCount)];
  const builder = new StepBuilder(config, specs, dropout);
  const { pooled } = builder.encode(shape);
  const loss = builder.classLoss(pooled, shape.batch, settings.smoothing);
  return builder.finish(loss, settings);
}

/** Training of the head alone on cached features: inputs features, labels, weights. */
export function headStep(
  config: EncoderConfig,
  labelCount: number,
  batch: number,
  settings: StepSettings,
  dropout: boolean,
): TrainingGraph {
  const builder = new StepBuilder(config, headParameters(config, labelCount), dropout);
  const features = builder.graph.input('features', [batch, config.hiddenSize]);
  const loss = builder.classLoss(features, batch, settings.smoothing);
  return builder.finish(loss, settings);
}

/** Relative weights of the two pre-training losses. */
export interface PretrainShape extends BatchShape {
  readonly maskedCount: number;
  readonly labelCount: number;
  readonly sentenceWeight: number;
}

/**
 * Pre-training: masked tokens (masked_positions, masked_labels, masked_weights) plus a
 * sentence-level class (labels, weights).
 */
export function pretrainStep(
  config: EncoderConfig,
  shape: PretrainShape,
  settings: StepSettings,
): TrainingGraph {
  const specs = [
    ...encoderParameters(config),
    ...headParameters(config, shape.labelCount),
    ...maskedHeadParameters(config),
  ];
  const builder = new StepBuilder(config, specs, false);
  const { graph } = builder;
  const { hidden, pooled } = builder.encode(shape);
  const positions = graph.input('masked_positions', [shape.maskedCount], 'int64');
  const labels = graph.input('masked_labels', [shape.maskedCount], 'int64');
  const weights = graph.input('masked_weights', [shape.maskedCount]);
  const logits = maskedLogits(builder.context, hidden, positions);
  const masked = crossEntropy(graph, logits, labels, weights);
  const sentence = builder.classLoss(pooled, shape.batch);
  const scaled = graph.multiply(sentence, graph.scalar(shape.sentenceWeight));
  return builder.finish(graph.add(masked, scaled), settings);
}

/** Loss and raw gradients `<parameter>.gradient`, without an optimiser: for gradient checks. */
export function classifierGradients(
  config: EncoderConfig,
  labelCount: number,
  shape: BatchShape,
  smoothing: Smoothing | null = null,
): Uint8Array {
  const specs = [...encoderParameters(config), ...headParameters(config, labelCount)];
  const builder = new StepBuilder(config, specs, false);
  const { pooled } = builder.encode(shape);
  const loss = builder.classLoss(pooled, shape.batch, smoothing);
  const targets = specs.map((spec) => builder.context.parameter(spec.name));
  gradients(builder.graph, loss, targets).forEach((gradient, index) => {
    builder.graph.output(gradient, `${specs[index]!.name}.gradient`);
  });
  builder.graph.output(loss, 'loss');
  return builder.graph.build();
}

/** Forward pass with the weights as inputs: outputs pooled [batch, hidden]. */
export function featureGraph(config: EncoderConfig, shape: BatchShape): Uint8Array {
  const builder = new StepBuilder(config, encoderParameters(config), false);
  builder.graph.output(builder.encode(shape).pooled, 'pooled');
  return builder.graph.build();
}

/** Forward pass with the weights as inputs: outputs logits [batch, labels]. */
export function logitGraph(
  config: EncoderConfig,
  labelCount: number,
  shape: BatchShape,
): Uint8Array {
  const specs = [...encoderParameters(config), ...headParameters(config, labelCount)];
  const builder = new StepBuilder(config, specs, false);
  const { pooled } = builder.encode(shape);
  builder.graph.output(classify(builder.context, pooled), 'logits');
  return builder.graph.build();
}

/** The head alone with its weights as inputs: features [batch, hidden] to logits [batch, labels]. */
export function headLogitGraph(
  config: EncoderConfig,
  labelCount: number,
  batch: number,
): Uint8Array {
  const builder = new StepBuilder(config, headParameters(config, labelCount), false);
  const features = builder.graph.input('features', [batch, config.hiddenSize]);
  builder.graph.output(classify(builder.context, features), 'logits');
  return builder.graph.build();
}

/**
 * The optimiser alone, on gradients summed by steps with `accumulate`: inputs are the parameters,
 * their state, `<parameter>.sum` and the scalar `accumulated`, the number of batches in the sums.
 * The sums come back as zeros.
 */
export function updateStep(
  config: EncoderConfig,
  labelCount: number,
  settings: StepSettings,
): TrainingGraph {
  const specs = [...encoderParameters(config), ...headParameters(config, labelCount)];
  const trained = specs.filter((spec) => settings.groups.has(spec.name));
  return new StepBuilder(config, trained, false).update(settings);
}

/** Zeroed gradient sums for `updateStep`, keyed `<parameter>.sum`. */
export function gradientSums(trained: FloatTensors): Map<string, FloatTensor> {
  return new Map([...trained].map(([name, { shape }]) => [`${name}.sum`, floatTensor(shape)]));
}

/** Zeroed optimiser state for the trained parameters, keyed `<parameter>.<slot>`. */
export function optimiserState(
  optimiser: OptimiserSettings,
  trained: ReadonlyMap<string, FloatTensor>,
): Map<string, FloatTensor> {
  const state = new Map<string, FloatTensor>();
  for (const [name, tensor] of trained) {
    for (const slot of STATE_SLOTS[optimiser.kind]) {
      state.set(`${name}.${slot}`, floatTensor(tensor.shape));
    }
  }
  return state;
}

/** Collects the pieces of one graph; lives only while the graph is built. */
class StepBuilder {
  readonly graph = new Graph();
  readonly context: EncoderContext;
  private readonly parameters = new Map<string, Value>();
  private readonly dropoutSites: DropoutSite[] = [];

  constructor(
    config: EncoderConfig,
    private readonly specs: readonly ParameterSpec[],
    dropout: boolean,
  ) {
    for (const spec of specs) {
      this.parameters.set(spec.name, this.graph.input(spec.name, spec.shape));
    }
    this.context = {
      graph: this.graph,
      config,
      parameter: (name) => this.parameters.get(name)!,
      dropout: dropout ? (x) => this.drop(x) : (x) => x,
    };
  }

  encode({ batch, sequence }: BatchShape): EncoderOutputs {
    const { graph, context } = this;
    if (context.config.image !== null) {
      return encodeImages(context, graph.input('pixel_values', pixelShape(context, batch)));
    }
    return encode(context, {
      inputIds: graph.input('input_ids', [batch, sequence], 'int64'),
      attentionMask: graph.input('attention_mask', [batch, sequence], 'int64'),
      tokenTypeIds: null,
    });
  }

  classLoss(pooled: Value, batch: number, smoothing: Smoothing | null = null): Value {
    const labels = this.graph.input('labels', [batch], 'int64');
    const weights = this.graph.input('weights', [batch]);
    const logits = classify(this.context, pooled);
    return crossEntropy(this.graph, logits, labels, weights, smoothing);
  }

  /** Backward pass, and what follows it: the update, or the sums of an accumulated one. */
  finish(loss: Value, settings: StepSettings): TrainingGraph {
    const { graph } = this;
    const trained = this.specs.filter((spec) => settings.groups.has(spec.name));
    const values = trained.map((spec) => this.parameters.get(spec.name)!);
    const slopes = gradients(graph, loss, values);
    if (settings.accumulate === true) {
      trained.forEach(({ name, shape }, index) => {
        const sum = graph.add(graph.input(`${name}.sum`, shape), slopes[index]!);
        graph.output(sum, `${name}.sum.next`);
      });
    } else {
      this.optimise(trained, slopes, settings);
    }
    graph.output(loss, 'loss');
    return { model: graph.build(), dropoutSites: this.dropoutSites };
  }

  /** The update from accumulated sums, which start again at zero. */
  update(settings: StepSettings): TrainingGraph {
    const { graph, specs } = this;
    const count = graph.input('accumulated', []);
    const slopes = specs.map(({ name, shape }) => {
      const sum = graph.input(`${name}.sum`, shape);
      graph.output(graph.multiply(sum, graph.scalar(0)), `${name}.sum.next`);
      return graph.divide(sum, count);
    });
    this.optimise(specs, slopes, settings);
    return { model: graph.build(), dropoutSites: [] };
  }

  private optimise(
    trained: readonly ParameterSpec[],
    slopes: readonly Value[],
    settings: StepSettings,
  ): void {
    const { graph } = this;
    const { scale } = clippingScale(graph, slopes, settings.clipNorm);
    const corrections = {
      first: graph.input('bias_correction_1', []),
      second: graph.input('bias_correction_2', []),
    };
    const rates = new Map<string, Value>();
    for (const group of new Set(settings.groups.values())) {
      rates.set(group, graph.input(`learning_rate.${group}`, []));
    }
    const slots = STATE_SLOTS[settings.optimiser.kind];
    trained.forEach(({ name, shape }, index) => {
      const updated = applyOptimiser(
        graph,
        settings.optimiser,
        {
          parameter: this.parameters.get(name)!,
          gradient: slopes[index]!,
          state: slots.map((slot) => graph.input(`${name}.${slot}`, shape)),
          learningRate: rates.get(settings.groups.get(name)!)!,
          gradientScale: scale,
          weightDecay: isDecayed(name) ? settings.weightDecay : 0,
        },
        corrections,
      );
      graph.output(updated.parameter, `${name}.next`);
      slots.forEach((slot, i) => {
        graph.output(updated.state[i]!, `${name}.${slot}.next`);
      });
    });
  }

  /** Multiplies with a mask input whose values are 0 or 1 / (1 - rate). */
  private drop(x: Value): Value {
    const shape = x.shape as readonly number[];
    const site = { name: `dropout.${this.dropoutSites.length}`, shape };
    this.dropoutSites.push(site);
    return this.graph.multiply(x, this.graph.input(site.name, shape));
  }
}

/** Scaled dropout masks drawn from `bits` (32 random bits a call, eight a value). */
export function dropoutMasks(
  sites: readonly DropoutSite[],
  rate: number,
  bits: () => number,
): Record<string, FloatTensor> {
  const threshold = Math.round(rate * 256);
  const scale = 256 / (256 - threshold);
  const masks: Record<string, FloatTensor> = {};
  for (const { name, shape } of sites) {
    const data = new Float32Array(elementCount(shape));
    let word = 0;
    for (let i = 0; i < data.length; i++) {
      word = i % 4 === 0 ? bits() : word >>> 8;
      data[i] = (word & 255) < threshold ? 0 : scale;
    }
    masks[name] = floatTensor(shape, data);
  }
  return masks;
}
