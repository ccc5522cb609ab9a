/**
 * Comparing two shares: how many samples an A/B test needs, and what it says once it has them. The
 * horizon is fixed beforehand and looked at once: looking on the way and stopping at the first
 * difference would find one far too often.
 */
import { normalQuantile, normalTwoSided } from './special-functions.js';

export interface Arm {
  readonly successes: number;
  readonly samples: number;
}

export interface Power {
  /** Share of successes expected in the baseline. */
  readonly baselineRate: number;
  /** Smallest difference worth finding. */
  readonly minimumEffect: number;
  readonly alpha: number;
  readonly power: number;
}

/** Samples in each arm for a two-sided two-proportion z-test (Fleiss, without continuity correction). */
export function samplesPerArm({ baselineRate, minimumEffect, alpha, power }: Power): number {
  const other = Math.min(1, Math.max(0, baselineRate + minimumEffect));
  const mean = (baselineRate + other) / 2;
  const zAlpha = normalQuantile(1 - alpha / 2);
  const zPower = normalQuantile(power);
  const pooled = Math.sqrt(2 * mean * (1 - mean));
  const apart = Math.sqrt(baselineRate * (1 - baselineRate) + other * (1 - other));
  return Math.ceil(((zAlpha * pooled + zPower * apart) / (other - baselineRate)) ** 2);
}

export interface Difference {
  readonly baselineRate: number;
  readonly candidateRate: number;
  readonly difference: number;
  readonly z: number;
  readonly pValue: number;
  /** Wald interval of the difference at 1 - alpha. */
  readonly interval: readonly [number, number];
}

/** Two-proportion z-test with the pooled variance. */
export function compareShares(baseline: Arm, candidate: Arm, alpha: number): Difference {
  const a = baseline.successes / baseline.samples;
  const b = candidate.successes / candidate.samples;
  const pooled =
    (baseline.successes + candidate.successes) / (baseline.samples + candidate.samples);
  const spread = Math.sqrt(pooled * (1 - pooled) * (1 / baseline.samples + 1 / candidate.samples));
  const z = spread === 0 ? 0 : (b - a) / spread;
  const width =
    normalQuantile(1 - alpha / 2) *
    Math.sqrt((a * (1 - a)) / baseline.samples + (b * (1 - b)) / candidate.samples);
  return {
    baselineRate: a,
    candidateRate: b,
    difference: b - a,
    z,
    pValue: normalTwoSided(z),
    interval: [b - a - width, b - a + width],
  };
}
