/** Learning rates: the share of the base rate at a step, and the base rate of every group. */
import { depthOf } from '../encoder/parameters.js';
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

export interface RateGroups {
  /** Group of every trained parameter. */
  readonly groupOf: ReadonlyMap<string, string>;
  /** Base learning rate of every group. */
  readonly rateOf: ReadonlyMap<string, number>;
}

/**
 * One group per depth: `head`, and `depth.<n>` with n = 0 for the embeddings. The rate falls by
 * layerDecay per layer downwards. Parameters below trainableLayers are absent: frozen.
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
    const isHead = depth > layerCount;
    const group = isHead ? 'head' : `depth.${depth}`;
    const rate = settings.learningRate * settings.layerDecay ** (layerCount - depth);
    groupOf.set(name, group);
    rateOf.set(group, isHead ? settings.headLearningRate : rate);
  }
  return { groupOf, rateOf };
}

function lowestTrainedDepth(
  layerCount: number,
  { strategy, trainableLayers }: Pick<Settings, 'strategy' | 'trainableLayers'>,
): number {
  if (strategy === 'feature-extraction') return layerCount + 1;
  return trainableLayers === null ? 0 : Math.max(1, layerCount + 1 - trainableLayers);
}
