/** A person's change as a commit of its own, written past the gate: what is held is decided again. */
import { decide } from '../../core/decide.js';
import type { Env } from '../../core/env.js';
import type { Fact } from '../../core/fact.js';
import { AWS_LIMITS } from '../../core/limits.js';
import type { Machine } from '../../core/machine.js';
import type { ExecutionState } from '../../core/state.js';
import type { FrameEdit } from '../../core/stimulus.js';
import type { EpochMs, Nonce } from '../../lib/brand.js';
import { prepareCommit } from '../../runtime/journal.js';
import type { Store } from '../../store/store.js';
import type { Gate } from './gates.js';
import { Immutable } from './timeline.js';

export interface EditTarget {
  /** The store behind the gate. */
  readonly store: Store;
  readonly gate: Gate;
  readonly machine: Machine;
  readonly state: ExecutionState;
  readonly now: EpochMs;
}

/** The facts that became durable. */
export async function commitEdit(target: EditTarget, edit: FrameEdit): Promise<readonly Fact[]> {
  const { store, gate, machine, state, now } = target;
  const env: Env = {
    now,
    limits: { ...AWS_LIMITS, factsPerTurn: 1 },
    random: () => 0,
    uuid: () => '',
    nonce: () => '' as Nonce,
    taskToken: () => '',
  };
  const { facts, state: edited } = await decide(machine, state, { type: 'Edit', edit }, env);
  if (facts.length === 0) {
    throw new Immutable(
      'Only a state that is about to be entered can be given another input or other variables.',
      'Go to a point before a state: step, or back.',
    );
  }
  const previous = { seq: gate.seq, digest: gate.digest, state };
  const { commit } = prepareCommit(previous, { taken: [], facts }, edited, []);
  if ((await store.commit(commit)) === 'conflict') {
    throw new Error('The execution has changed meanwhile: another engine drives it, too.');
  }
  gate.seq = edited.seq;
  gate.digest = commit.digest;
  return facts;
}
