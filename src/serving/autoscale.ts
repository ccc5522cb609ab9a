/**
 * Target tracking, as Application Auto Scaling does it: as many instances as bring the metric to its
 * target. Growing is quick; shrinking waits for its cool-down and for a metric well below the target,
 * so that a load at the edge does not make children come and go. Pure: the supervisor measures and acts.
 */
import type { Scaling } from './settings.js';

export interface ScaleInput {
  readonly scaling: Scaling;
  readonly current: number;
  /** The metric of the policy over the last interval; null when nothing was measured. */
  readonly metric: number | null;
  readonly now: number;
  readonly lastScaledAt: number;
}

/** Below this share of the target the variant may shrink (AWS's low alarm stands at 90 %). */
const SCALE_IN_BELOW = 0.9;

export function desiredInstances({
  scaling,
  current,
  metric,
  now,
  lastScaledAt,
}: ScaleInput): number {
  const { minInstances, maxInstances, targetValue } = scaling;
  const within = (count: number): number => Math.min(maxInstances, Math.max(minInstances, count));
  if (within(current) !== current) return within(current);
  const sinceMs = now - lastScaledAt;
  const ratio = (metric ?? 0) / targetValue;
  const wanted = within(Math.ceil(current * ratio - 1e-9));
  if (wanted > current) {
    return sinceMs >= scaling.scaleOutCooldownSeconds * 1000 ? wanted : current;
  }
  if (wanted < current && ratio < SCALE_IN_BELOW) {
    return sinceMs >= scaling.scaleInCooldownSeconds * 1000 ? within(Math.max(1, wanted)) : current;
  }
  return current;
}
