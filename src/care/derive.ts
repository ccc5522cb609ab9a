/**
 * Everything a store keeps of an execution beside its journal, computed from the journal alone: the
 * row, the timers that will wake it, the work it has promised. Doctor compares with it, rebuild writes it.
 */
import { effectsOf, pendingEnds } from '../core/effects.js';
import { fold } from '../core/evolve.js';
import type { Fact } from '../core/fact.js';
import type { ExecutionState } from '../core/state.js';
import { parseTimer } from '../core/stimulus.js';
import { assert } from '../lib/assert.js';
import type { EpochMs } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import { CONTINUE_KEY, outboxKey, rowOf } from '../runtime/journal.js';
import type { Derived } from '../store/care.js';

/** `now` gives every heartbeat a whole interval: heartbeats are not in the journal. */
export function derive(facts: readonly Fact[], now: EpochMs): Derived {
  const state = fold(facts);
  assert(state !== null, 'A journal that is derived from has a fact.');
  const timers = new Map<string, EpochMs>();
  const outbox = new Map<string, Json>();
  const effects = facts.flatMap((fact) => effectsOf(fact));
  if (state.status !== 'RUNNING') effects.push(...pendingEnds(state));
  for (const effect of effects) {
    if (effect.do === 'set-timer') timers.set(effect.key, effect.dueAt);
    if (effect.do === 'drop-timer') timers.delete(effect.key);
    if (effect.do === 'begin') {
      const { what, frame, by } = effect;
      outbox.set(outboxKey(by), { what, frame, by });
    }
    if (effect.do === 'finish') outbox.delete(outboxKey(effect.by));
  }
  if (state.status === 'RUNNING' && state.ready.size > 0) {
    outbox.set(CONTINUE_KEY, { what: 'continue' });
  }
  return {
    row: rowOf(state),
    timers: [...timers].flatMap(([key, dueAt]) => liveTimer(state, key, dueAt, now)).sort(byKey),
    outbox: [...outbox].map(([key, effect]) => ({ key, effect })).sort(byKey),
  };
}

/** A timer that has fired is gone with the turn it caused. */
function liveTimer(state: ExecutionState, key: string, dueAt: EpochMs, now: EpochMs) {
  const timer = parseTimer(key);
  if (timer === null) return [{ key, dueAt }];
  const phase = state.frames.get(timer.frame)?.phase;
  if (timer.kind === 'wait') {
    return phase?.is === 'waiting' && phase.setBy === timer.setBy ? [{ key, dueAt }] : [];
  }
  if (phase?.is !== 'task' || phase.scheduled !== timer.setBy) return [];
  if (timer.kind === 'timeout' || phase.heartbeatSeconds === null) return [{ key, dueAt }];
  return [{ key, dueAt: Math.max(dueAt, now + phase.heartbeatSeconds * 1000) as EpochMs }];
}

function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : 1;
}
