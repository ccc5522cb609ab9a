/**
 * Golden journals: what a release wrote, and what it made of it. Later releases must fold the same
 * journals to the same. Files are added with each release and never edited.
 */
import type { Fact } from '../../src/core/fact.js';
import { fold } from '../../src/core/evolve.js';
import { sha256 } from '../../src/lib/digest.js';
import { canonicalJson, type Json } from '../../src/lib/json.js';
import { projectHistory } from '../../src/wire/history.js';

export interface Golden {
  readonly name: string;
  readonly facts: readonly Fact[];
  /** Digest of what every release must agree on. */
  readonly state: string;
  readonly history: string;
}

export function goldenOf(name: string, facts: readonly Fact[]): Golden {
  return { name, facts, state: digestOf(stateOf(facts)), history: digestOf(projectHistory(facts)) };
}

function digestOf(value: unknown): string {
  return sha256(canonicalJson(JSON.parse(JSON.stringify(value)) as Json));
}

/** What an execution is to its users; fields of the engine's own may be added later. */
function stateOf(facts: readonly Fact[]): unknown {
  const state = fold(facts);
  if (state === null) throw new Error('An empty journal is no golden one.');
  const { status, seq, eventCount, input, outcome, startedAt, stoppedAt, redriveCount } = state;
  const frames = [...state.frames.values()].map((frame) => ({
    id: frame.id,
    state: frame.state,
    value: frame.value,
    variables: frame.variables,
    attempts: frame.attempts,
    phase: frame.phase.is,
  }));
  return { status, seq, eventCount, input, outcome, startedAt, stoppedAt, redriveCount, frames };
}
