/**
 * Optimisers as graph nodes: every update of a step is computed inside the same ONNX graph as the
 * gradients, so weights never pass through JavaScript. State lives in inputs and comes back as
 * outputs of the same shape.
 */
import type { Graph, Value } from './graph.js';

export type OptimiserKind = 'adamw' | 'sgd';

export interface AdamWSettings {
  readonly kind: 'adamw';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export interface SgdSettings {
  readonly kind: 'sgd';
  readonly momentum: number;
  /** Nesterov 1983 in torch's arrangement: the step follows g + momentum * v. */
  readonly nesterov: boolean;
}

export type OptimiserSettings = AdamWSettings | SgdSettings;

/** torch.optim.AdamW's defaults. */
export const ADAMW: AdamWSettings = { kind: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
export const SGD: SgdSettings = { kind: 'sgd', momentum: 0.9, nesterov: false };

/** Names of the state tensors that an optimiser keeps per parameter. */
export const STATE_SLOTS = {
  adamw: ['mean', 'variance'],
  sgd: ['velocity'],
} as const satisfies Record<OptimiserKind, readonly string[]>;

export interface Update {
  readonly parameter: Value;
  readonly gradient: Value;
  /** One value per name in STATE_SLOTS, same shape as the parameter. */
  readonly state: readonly Value[];
  readonly learningRate: Value;
  /** Scalar that the gradient is multiplied with: 1, or the clipping factor. */
  readonly gradientScale: Value;
  /** Decoupled weight decay as a plain number; 0 for biases and layer norms. */
  readonly weightDecay: number;
}

/** Bias corrections 1 - beta^t as inputs, because t changes with every step. */
export interface BiasCorrections {
  readonly first: Value;
  readonly second: Value;
}

export interface Updated {
  readonly parameter: Value;
  readonly state: readonly Value[];
}

/** min(1, maxNorm / ||g||) over all gradients together, and the norm itself: two scalars. */
export function clippingScale(
  graph: Graph,
  gradients: readonly Value[],
  maxNorm: number,
): { scale: Value; norm: Value } {
  const squares = gradients.map((gradient) => graph.sumOfSquares(gradient));
  const norm = graph.sqrt(squares.reduce((sum, square) => graph.add(sum, square)));
  const ratio = graph.divide(graph.scalar(maxNorm), graph.add(norm, graph.scalar(1e-6)));
  return { scale: graph.minimum(ratio, graph.scalar(1)), norm };
}

/** Appends the update of one parameter. */
export function applyOptimiser(
  graph: Graph,
  settings: OptimiserSettings,
  update: Update,
  corrections: BiasCorrections,
): Updated {
  return settings.kind === 'adamw'
    ? adamW(graph, settings, update, corrections)
    : sgd(graph, settings, update);
}

/**
 * Loshchilov and Hutter 2019 (Decoupled Weight Decay Regularization), in torch's arrangement:
 * w <- w - lr * (decay * w + (m / c1) / (sqrt(v / c2) + epsilon)).
 */
function adamW(
  graph: Graph,
  settings: AdamWSettings,
  update: Update,
  corrections: BiasCorrections,
): Updated {
  const [oldMean, oldVariance] = update.state as [Value, Value];
  const gradient = update.gradient;
  const scale = update.gradientScale;
  const meanFactor = graph.multiply(scale, graph.scalar(1 - settings.beta1));
  const squaredScale = graph.multiply(scale, scale);
  const varianceFactor = graph.multiply(squaredScale, graph.scalar(1 - settings.beta2));
  const mean = graph.add(
    graph.multiply(oldMean, graph.scalar(settings.beta1)),
    graph.multiply(gradient, meanFactor),
  );
  const variance = graph.add(
    graph.multiply(oldVariance, graph.scalar(settings.beta2)),
    graph.multiply(graph.multiply(gradient, gradient), varianceFactor),
  );
  const deviation = graph.sqrt(graph.divide(variance, corrections.second));
  const stepSize = graph.divide(update.learningRate, corrections.first);
  const direction = graph.divide(mean, graph.add(deviation, graph.scalar(settings.epsilon)));
  const kept = decayed(graph, update);
  const parameter = graph.subtract(kept, graph.multiply(direction, stepSize));
  return { parameter, state: [mean, variance] };
}

/**
 * v <- momentum * v + g; w <- w - lr * (decay * w + v), or with Nesterov's momentum
 * w <- w - lr * (decay * w + g + momentum * v). The decay is decoupled, as AdamW's is.
 */
function sgd(graph: Graph, settings: SgdSettings, update: Update): Updated {
  const momentum = graph.scalar(settings.momentum);
  const gradient = graph.multiply(update.gradient, update.gradientScale);
  const velocity = graph.add(graph.multiply(update.state[0]!, momentum), gradient);
  const direction = settings.nesterov
    ? graph.add(gradient, graph.multiply(velocity, momentum))
    : velocity;
  const step = graph.multiply(direction, update.learningRate);
  return { parameter: graph.subtract(decayed(graph, update), step), state: [velocity] };
}

function decayed(graph: Graph, update: Update): Value {
  if (update.weightDecay === 0) return update.parameter;
  const shrink = graph.multiply(update.learningRate, graph.scalar(update.weightDecay));
  return graph.multiply(update.parameter, graph.subtract(graph.scalar(1), shrink));
}
