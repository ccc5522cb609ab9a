/**
 * What AWS would bill of a run, read off its journals: a state entered is a transition, and so is every
 * retry; the children of a Map Run are executions of their own type.
 */
import type { Fact } from '../../core/fact.js';

export interface StateUsage {
  readonly state: string;
  entered: number;
  retries: number;
}

export interface Usage {
  readonly byState: readonly StateUsage[];
  /** Entered and retried, without the starts of children. */
  readonly transitions: number;
  readonly retries: number;
  readonly childStarts: number;
  /** Children that run as Express executions: they are billed by time. */
  readonly expressChildren: readonly number[];
  /** Milliseconds from start to end. */
  readonly durationMs: number;
}

/** `journals`: the execution's own first, then its Map Runs' children. */
export function usageOf(journals: readonly (readonly Fact[])[]): Usage {
  const states = new Map<string, StateUsage>();
  const expressChildren: number[] = [];
  let childStarts = 0;
  for (const [index, facts] of journals.entries()) {
    const [first] = facts;
    if (first?.type !== 'ExecutionStarted') continue;
    if (index > 0) childStarts++;
    if (index > 0 && first.identity.type === 'EXPRESS') {
      expressChildren.push(durationOf(facts));
      continue;
    }
    count(facts, states);
  }
  const byState = [...states.values()];
  const retries = byState.reduce((sum, one) => sum + one.retries, 0);
  const entered = byState.reduce((sum, one) => sum + one.entered, 0);
  return {
    byState,
    transitions: entered + retries,
    retries,
    childStarts,
    expressChildren,
    durationMs: durationOf(journals[0] ?? []),
  };
}

function count(facts: readonly Fact[], states: Map<string, StateUsage>): void {
  const current = new Map<string, StateUsage>();
  for (const fact of facts) {
    if (fact.type === 'StateEntered') {
      const usage = states.get(fact.name) ?? { state: fact.name, entered: 0, retries: 0 };
      usage.entered++;
      states.set(fact.name, usage);
      current.set(fact.frame, usage);
    }
    if (fact.type === 'AttemptFailed' && fact.recovery.do === 'retry') {
      const usage = current.get(fact.frame);
      if (usage !== undefined) usage.retries++;
    }
  }
}

function durationOf(facts: readonly Fact[]): number {
  const [first] = facts;
  const last = facts.at(-1);
  return first === undefined || last === undefined ? 0 : last.at - first.at;
}
