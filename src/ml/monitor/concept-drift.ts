/**
 * Concept drift on a stream of errors: the inputs may look the same while what is right changes.
 * DDM (Gama and others, 2004) and Page-Hinkley (1954). Both need labels: without them there is nothing
 * to say, and the caller must not read silence as health.
 */

import { compareShares } from './ab-test.js';

export type DriftLevel = 'stable' | 'warning' | 'drift';

export interface StreamVerdict {
  readonly level: DriftLevel;
  /** Index of the first error at which it was a drift; null without one. */
  readonly driftAt: number | null;
  readonly warningAt: number | null;
  /** The detector's own measure at the end. */
  readonly value: number;
}

export interface DdmOptions {
  readonly minSamples?: number;
  readonly warningLevel?: number;
  readonly driftLevel?: number;
}

/** Errors are 0 or 1, oldest first. Stops at the first drift. */
export function ddm(errors: readonly number[], options: DdmOptions = {}): StreamVerdict {
  const { minSamples = 30, warningLevel = 2, driftLevel = 3 } = options;
  let [rate, leastRate, leastSpread] = [0, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let warningAt: number | null = null;
  let value = 0;
  for (const [index, error] of errors.entries()) {
    const n = index + 1;
    rate += (error - rate) / n;
    const spread = Math.sqrt((rate * (1 - rate)) / n);
    if (n < minSamples) continue;
    if (rate + spread <= leastRate + leastSpread) [leastRate, leastSpread] = [rate, spread];
    value = leastSpread === 0 ? 0 : (rate + spread - leastRate) / leastSpread;
    // A stream that has had no error at all has no spread to compare with: one error is no drift.
    if (leastSpread > 0 && rate + spread > leastRate + driftLevel * leastSpread) {
      return { level: 'drift', driftAt: index, warningAt: warningAt ?? index, value };
    }
    if (leastSpread > 0 && rate + spread > leastRate + warningLevel * leastSpread)
      warningAt ??= index;
    else warningAt = null;
  }
  return { level: warningAt === null ? 'stable' : 'warning', driftAt: null, warningAt, value };
}

export interface ConceptDrift {
  readonly drift: boolean;
  readonly ddm: StreamVerdict;
  readonly pageHinkley: StreamVerdict;
  /** Two-proportion test of the errors after the suspected change against those before; null without one. */
  readonly pValue: number | null;
}

/** Rows on each side of a suspected change without which it cannot be confirmed. */
const MIN_SIDE = 20;
/** The place was chosen because it looked bad: chance must be ruled out more strictly than once. */
const CONFIRM_BELOW = 0.001;

/**
 * Both detectors, each confirmed by a test of the errors after its warning against those before. DDM
 * alone takes a lucky beginning for the normal state and cries drift when the luck ends.
 */
export function conceptDrift(
  errors: readonly number[],
  options: { readonly ddm?: DdmOptions; readonly pageHinkley?: PageHinkleyOptions } = {},
): ConceptDrift {
  const first = ddm(errors, options.ddm);
  const second = pageHinkley(errors, { threshold: 20, delta: 0.05, ...options.pageHinkley });
  const suspected = [first, second].filter((verdict) => verdict.level === 'drift');
  const pValues = suspected.map((verdict) => riseAfter(errors, verdict.warningAt as number));
  const pValue = pValues.length === 0 ? null : Math.min(...pValues);
  const drift = pValue !== null && pValue < CONFIRM_BELOW;
  return { drift, ddm: first, pageHinkley: second, pValue };
}

function riseAfter(errors: readonly number[], at: number): number {
  const [before, after] = [errors.slice(0, at), errors.slice(at)];
  if (before.length < MIN_SIDE || after.length < MIN_SIDE) return 1;
  const arm = (side: readonly number[]) => ({
    successes: side.reduce((sum, error) => sum + error, 0),
    samples: side.length,
  });
  const { difference, pValue } = compareShares(arm(before), arm(after), 0.05);
  return difference > 0 ? pValue : 1;
}

export interface PageHinkleyOptions {
  readonly minSamples?: number;
  /** Changes smaller than this are tolerated. */
  readonly delta?: number;
  readonly threshold?: number;
}

/** Detects a rise of the mean of any stream (errors, losses). */
export function pageHinkley(
  values: readonly number[],
  options: PageHinkleyOptions = {},
): StreamVerdict {
  const { minSamples = 30, delta = 0.005, threshold = 50 } = options;
  let [mean, sum, least, leastAt] = [0, 0, 0, 0];
  for (const [index, value] of values.entries()) {
    mean += (value - mean) / (index + 1);
    sum += value - mean - delta;
    if (sum <= least) [least, leastAt] = [sum, index];
    if (index + 1 >= minSamples && sum - least > threshold) {
      return { level: 'drift', driftAt: index, warningAt: leastAt, value: sum - least };
    }
  }
  return { level: 'stable', driftAt: null, warningAt: null, value: sum - least };
}
