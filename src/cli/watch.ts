/**
 * Follows one execution's facts without a gap: those of before are handed over as known, every later
 * one once and in order, also those that came while the engine was starting.
 */
import type { Fact } from '../core/fact.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { Engine } from '../runtime/face.js';

export interface Watcher {
  /** What the journal held before this run; called once, first. */
  known(facts: readonly Fact[]): void;
  news(facts: readonly Fact[]): void;
}

/** `knownCount`: facts in the journal before the engine was opened. Returns how to stop. */
export async function watch(
  engine: Engine,
  arn: ExecutionArn,
  knownCount: number,
  watcher: Watcher,
): Promise<() => void> {
  let waiting: Fact[] | null = [];
  let last = 0;
  const stop = engine.subscribe(arn, (_arn, facts) => {
    if (waiting !== null) waiting.push(...facts);
    else tell(facts);
  });
  // Facts of another process may be told by it and found by this one.
  const tell = (facts: readonly Fact[]): void => {
    const fresh = facts.filter(({ seq }) => seq > last);
    last = Math.max(last, fresh.at(-1)?.seq ?? 0);
    if (fresh.length > 0) watcher.news(fresh);
  };
  const kept = (await engine.facts(arn)) ?? [];
  const late = waiting.filter((fact) => fact.seq > kept.length);
  waiting = null;
  watcher.known(kept.slice(0, knownCount));
  last = knownCount;
  tell([...kept.slice(knownCount), ...late]);
  return stop;
}
