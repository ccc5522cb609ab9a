/**
 * The laws every execution upholds, as checks over what the store returns. Each takes a finished or
 * an open journal and throws a sentence that says which law is broken.
 */
import { effectsOf, pendingEnds } from '../../src/core/effects.js';
import { evolve, fold } from '../../src/core/evolve.js';
import type { Fact } from '../../src/core/fact.js';
import type { ExecutionState, Frame } from '../../src/core/state.js';
import { parseTimer } from '../../src/core/stimulus.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { Store } from '../../src/store/store.js';
import { projectHistory } from '../../src/wire/history.js';

export function foldOf(facts: readonly Fact[]): ExecutionState {
  const state = fold(facts);
  if (state === null) throw new Error('An empty journal has no state.');
  return state;
}

/** fold of any prefix never throws, and folding step by step is folding at once. */
export function assertPrefixesFold(facts: readonly Fact[]): void {
  let state: ExecutionState | null = null;
  for (const fact of facts) state = evolve(state, fact);
  assertSame(state, fold(facts), 'Folding step by step differs from folding at once.');
}

/** Projected ids are 1…n and point backwards. */
export function assertHistoryIsValid(facts: readonly Fact[]): void {
  const events = projectHistory(facts);
  events.forEach((event, index) => {
    if (event.id !== index + 1) throw new Error(`Event ${index + 1} has id ${event.id}.`);
    if (event.previousEventId < 0 || event.previousEventId >= event.id) {
      throw new Error(`Event ${event.id} points to ${event.previousEventId}.`);
    }
  });
  facts.forEach((fact, index) => {
    if (fact.seq !== index + 1) throw new Error(`Fact ${index + 1} has seq ${fact.seq}.`);
    const before = facts[index - 1];
    if (before !== undefined && fact.at < before.at) throw new Error(`Fact ${fact.seq} goes back.`);
  });
}

/** Nothing follows the end except a redrive. */
export function assertEndIsTheEnd(facts: readonly Fact[]): void {
  const end = facts.findIndex((fact) => fact.type === 'ExecutionEnded');
  const after = facts[end + 1];
  if (end !== -1 && after !== undefined && after.type !== 'ExecutionRedriven') {
    throw new Error(`${after.type} follows ExecutionEnded.`);
  }
}

export interface Indexes {
  readonly timers: readonly string[];
  readonly outbox: readonly string[];
}

/** Effects of the whole journal minus the drops: what should be live. */
export function derivedIndexes(facts: readonly Fact[]): Indexes {
  const state = foldOf(facts);
  const timers = new Set<string>();
  const outbox = new Set<string>();
  const effects = facts.flatMap((fact) => effectsOf(fact));
  if (state.status !== 'RUNNING') effects.push(...pendingEnds(state));
  for (const effect of effects) {
    if (effect.do === 'set-timer') timers.add(effect.key);
    if (effect.do === 'drop-timer') timers.delete(effect.key);
    if (effect.do === 'begin') outbox.add(`work:${effect.by}`);
    if (effect.do === 'finish') outbox.delete(`work:${effect.by}`);
  }
  // A timer that has fired is gone with the turn it caused.
  for (const key of timers) if (isSpentTimer(state, key)) timers.delete(key);
  if (state.status === 'RUNNING' && state.ready.size > 0) outbox.add('continue');
  return { timers: [...timers].sort(), outbox: [...outbox].sort() };
}

export function isSpentTimer(state: ExecutionState, key: string): boolean {
  const timer = parseTimer(key);
  if (timer === null) return false;
  const phase = state.frames.get(timer.frame)?.phase;
  if (timer.kind === 'wait') return !(phase?.is === 'waiting' && phase.setBy === timer.setBy);
  return !(phase?.is === 'task' && phase.scheduled === timer.setBy);
}

export async function liveIndexes(store: Store, arn: ExecutionArn): Promise<Indexes> {
  const { timers, outbox } = await store.care.pending(arn);
  return {
    timers: timers.map(({ key }) => key).sort(),
    outbox: outbox.map(({ key }) => key).sort(),
  };
}

/** No stuck runs: every frame of a running execution has something that wakes it. */
export function assertNothingIsStuck(state: ExecutionState, indexes: Indexes): void {
  if (state.status !== 'RUNNING') return;
  for (const frame of state.frames.values()) {
    if (!isWoken(frame, state, indexes)) {
      throw new Error(`Frame ${frame.id} in '${frame.state}' (${frame.phase.is}) is never woken.`);
    }
  }
}

function isWoken(frame: Frame, state: ExecutionState, indexes: Indexes): boolean {
  const { phase } = frame;
  switch (phase.is) {
    case 'ready':
      return state.ready.has(frame.id) && indexes.outbox.includes('continue');
    case 'entered':
      return false;
    case 'waiting':
      return indexes.timers.includes(`wait:${phase.setBy}:${frame.id}`);
    case 'task':
      return (
        indexes.outbox.includes(`work:${phase.scheduled}`) ||
        phase.resource.kind === 'activity' ||
        phase.submission !== undefined
      );
    case 'fan-out':
      return phase.live > 0 || state.ready.has(frame.id);
    case 'map-run':
      return indexes.outbox.includes(`work:${phase.by}`);
    case 'ended':
    case 'aborted':
      return true;
  }
}

/** Live children never exceed the limit of their fan-out. */
export function assertLimitsHold(facts: readonly Fact[]): void {
  let state: ExecutionState | null = null;
  for (const fact of facts) {
    state = evolve(state, fact);
    const phase = state.frames.get(fact.frame)?.phase;
    if (phase?.is === 'fan-out' && phase.live > phase.limit) {
      throw new Error(
        `Frame ${fact.frame} has ${phase.live} children, its limit is ${phase.limit}.`,
      );
    }
  }
}

/** All laws that a journal alone can be held to. */
export function assertJournalLaws(facts: readonly Fact[]): void {
  assertPrefixesFold(facts);
  assertHistoryIsValid(facts);
  assertEndIsTheEnd(facts);
  assertLimitsHold(facts);
}

/** Plain data of a state, for comparing: Maps and Sets become lists. */
export function plain(state: ExecutionState | null): unknown {
  if (state === null) return null;
  return JSON.parse(
    JSON.stringify({ ...state, frames: [...state.frames.values()], ready: [...state.ready] }),
  );
}

export function assertSame(
  a: ExecutionState | null,
  b: ExecutionState | null,
  sentence: string,
): void {
  if (isSame(a, b)) return;
  throw new Error(`${sentence}\n${JSON.stringify(plain(a))}\n${JSON.stringify(plain(b))}`);
}

/** Of data with Maps and Sets in it; a member that is undefined is absent. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => isSame(item, b[index]));
  }
  if (a instanceof Map || a instanceof Set) {
    if (a.constructor !== b.constructor || a.size !== (b as Set<unknown>).size) return false;
    return isSame([...a], [...(b as Set<unknown>)]);
  }
  for (const key in b) {
    if (b[key as never] !== undefined && a[key as never] === undefined) return false;
  }
  for (const key in a) if (!isSame(a[key as never], b[key as never])) return false;
  return true;
}
