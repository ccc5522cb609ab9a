/** Learning rates: the share of the base rate at a step, and the base rate of every group. */
import { depthOf, layerName } from '../encoder/parameters.js';
import { elementCount, type FloatTensors } from '../onnx/tensor.js';
import type { Schedule, Settings } from './settings.js';

/** Factor in [0, 1] for step `step` (from 0) of `total`; linear warm-up first. */
export function rateFactor(
  schedule: Schedule,
  step: number,
  total: number,
  warmupRatio: number,
): number {
  const warmup = Math.round(total * warmupRatio);
  if (step < warmup) return (step + 1) / (warmup + 1);
  const progress = (step - warmup) / Math.max(1, total - warmup);
  switch (schedule) {
    case 'constant':
      return 1;
    case 'linear':
      return 1 - progress;
    case 'cosine':
      return 0.5 * (1 + Math.cos(Math.PI * progress));
  }
}

/** A part of the model that has one learning rate: a row of the table of rates. */
export interface RateRow {
  /** `head`, `encoder.layer.<n>` or `embeddings`. */
  readonly group: string;
  readonly learningRate: number;
  /** Trained numbers in it. */
  readonly parameters: number;
}

export interface RateGroups {
  /** Group of every trained parameter. */
  readonly groupOf: ReadonlyMap<string, string>;
  /** Base learning rate of every group. */
  readonly rateOf: ReadonlyMap<string, number>;
}

/**
 * One group per depth. The rate falls by layerDecay per layer downwards, from learningRate for the
 * top layer. Parameters below trainableLayers are absent: frozen.
 */
export function rateGroups(
  names: readonly string[],
  layerCount: number,
  settings: Pick<
    Settings,
    'strategy' | 'learningRate' | 'headLearningRate' | 'layerDecay' | 'trainableLayers'
  >,
): RateGroups {
  const lowest = lowestTrainedDepth(layerCount, settings);
  const groupOf = new Map<string, string>();
  const rateOf = new Map<string, number>();
  for (const name of names) {
    const depth = depthOf(name, layerCount);
    if (depth < lowest) continue;
    const group = groupName(depth, layerCount);
    const rate = settings.learningRate * settings.layerDecay ** (layerCount - depth);
    groupOf.set(name, group);
    rateOf.set(group, group === HEAD ? settings.headLearningRate : rate);
  }
  return { groupOf, rateOf };
}

const HEAD = 'head';

function groupName(depth: number, layerCount: number): string {
  if (depth > layerCount) return HEAD;
  return depth === 0 ? 'embeddings' : layerName(depth - 1);
}

function lowestTrainedDepth(
  layerCount: number,
  { strategy, trainableLayers }: Pick<Settings, 'strategy' | 'trainableLayers'>,
): number {
  if (strategy === 'feature-extraction') return layerCount + 1;
  return trainableLayers === null ? 0 : Math.max(1, layerCount + 1 - trainableLayers);
}

/** The table of rates, from the head down. */
export function rateTable({ groupOf, rateOf }: RateGroups, parameters: FloatTensors): RateRow[] {
  const counts = new Map<string, number>();
  for (const [name, group] of groupOf) {
    const size = elementCount(parameters.get(name)!.shape);
    counts.set(group, (counts.get(group) ?? 0) + size);
  }
  const rows = [...rateOf].map(([group, learningRate]) => ({
    group,
    learningRate,
    parameters: counts.get(group) ?? 0,
  }));
  // Parameters come from the embeddings up and end with the head.
  return rows.reverse();
}
