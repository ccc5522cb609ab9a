/** Why a failed attempt went on as it did: every retrier and catcher, whether it fits, what it has left. */
import type { FactOf } from '../core/fact.js';
import type { State } from '../core/machine.js';
import { chooseRecovery } from '../core/retry.js';

export interface RuleFit {
  readonly kind: 'retrier' | 'catcher';
  readonly index: number;
  readonly errors: readonly string[];
  readonly fits: boolean;
  /** The rule that decided. */
  readonly chosen: boolean;
  /** `attempt 2 of 3`, `all 3 attempts are used`, `an earlier retrier decided`. */
  readonly said: string;
}

export interface AttemptExplanation {
  /** From 1. */
  readonly number: number;
  readonly at: number;
  readonly error: string | null;
  readonly cause: string | null;
  readonly decision: 'retry' | 'catch' | 'raise';
  /** The instant of the next attempt, jitter included. */
  readonly retryAt: number | null;
  readonly next: string | null;
  readonly rules: readonly RuleFit[];
}

/** `used`: attempts used before, by retrier. */
export function explainAttempt(
  state: State,
  fact: FactOf<'AttemptFailed'>,
  number: number,
  used: readonly number[],
): AttemptExplanation {
  const { failure, recovery } = fact;
  const isFit = (errors: readonly string[]): boolean => fitsAlone(errors, fact);
  let seen = false;
  const retriers = state.retriers.map((rule, index): RuleFit => {
    const fits = isFit(rule.errors);
    const chosen = recovery.do === 'retry' && recovery.retrier === index;
    const attempt = chosen && recovery.do === 'retry' ? recovery.attempt : (used[index] ?? 0);
    const said = !fits
      ? 'another error'
      : seen
        ? 'an earlier retrier decided'
        : chosen
          ? `retry ${attempt} of ${rule.maxAttempts}`
          : rule.maxAttempts === 0
            ? 'it allows no retry'
            : `all ${rule.maxAttempts} retries are used`;
    seen ||= fits;
    return { kind: 'retrier', index, errors: rule.errors, fits, chosen, said };
  });
  let caught = false;
  const catchers = state.catchers.map((rule, index): RuleFit => {
    const fits = isFit(rule.errors);
    const chosen = recovery.do === 'catch' && recovery.catcher === index;
    const said = !fits
      ? 'another error'
      : recovery.do === 'retry'
        ? 'a retry comes first'
        : caught
          ? 'an earlier catcher decided'
          : `goes on with ${rule.next}`;
    caught ||= fits;
    return { kind: 'catcher', index, errors: rule.errors, fits, chosen, said };
  });
  return {
    number,
    at: fact.at,
    error: failure.error,
    cause: failure.cause,
    decision: recovery.do,
    retryAt: recovery.do === 'retry' ? recovery.at : null,
    next: recovery.do === 'catch' ? (state.catchers[recovery.catcher]?.next ?? null) : null,
    rules: [...retriers, ...catchers],
  };
}

/** Asks the engine's own choice about one rule alone, so that there is no second reading of the rules. */
function fitsAlone(errors: readonly string[], fact: FactOf<'AttemptFailed'>): boolean {
  const catcher = { errors, next: '', complete: () => ({ output: null, assigned: null }) };
  const rules = { retriers: [], catchers: [catcher] };
  const chosen = chooseRecovery(fact.failure, rules, [], { now: fact.at, random: () => 0 });
  return chosen.do === 'catch';
}
