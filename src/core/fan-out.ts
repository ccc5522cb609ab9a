/**
 * Children of Parallel and Map: starting them while the limit allows, joining their outputs, and
 * stopping the siblings when one fails.
 */
import { assert } from '../lib/assert.js';
import type { FrameId, Seq } from '../lib/brand.js';
import { chain, type Eventually, repeat } from '../lib/eventually.js';
import type { Json } from '../lib/json.js';
import type { Failure } from './fact.js';
import { failState } from './finish.js';
import { type Block, stateOf } from './machine.js';
import { childId, type FanOut, type Frame } from './state.js';
import type { Turn } from './turn.js';

export function fanOutOf(turn: Turn, id: FrameId): FanOut {
  const { phase } = turn.frame(id);
  assert(phase.is === 'fan-out', 'The frame has children.');
  return phase;
}

/** Starts children until the limit or the end is reached. `inputOf` may fail the whole state. */
export function startChildren(
  turn: Turn,
  id: FrameId,
  blockFor: (index: number) => Block,
  inputOf: (index: number) => Eventually<Json>,
): Eventually<void> {
  return repeat(() => {
    const fanOut = fanOutOf(turn, id);
    if (fanOut.next >= fanOut.width || fanOut.live >= fanOut.limit) return false;
    const index = fanOut.next;
    return chain(inputOf(index), (input) => {
      startChild(turn, id, fanOut, blockFor(index), input);
      return true;
    });
  });
}

function startChild(turn: Turn, id: FrameId, fanOut: FanOut, block: Block, input: Json): void {
  const index = fanOut.next;
  const body = {
    type: 'ChildStarted',
    child: childId(fanOut.by, index),
    index,
    block: block.id,
    start: block.start,
    input,
  } as const;
  // AWS shows iterations, not branches. A first wave points to MapStateStarted, an iteration in a
  // freed slot to the last state event of the one before (AWS-BEHAVIOURS 7, 16).
  if (fanOut.kind === 'Map') turn.event(id, body, fanOut.slotEventId);
  else turn.note(id, body);
}

/** Outputs of all children in order. */
export function joinedOutputs(turn: Turn, fanOut: FanOut): Json[] {
  return Array.from({ length: fanOut.width }, (_, index) => {
    const { phase } = turn.frame(childId(fanOut.by, index));
    assert(phase.is === 'ended' && phase.outcome.ok, 'All children have succeeded at the join.');
    return phase.outcome.output;
  });
}

export function succeedChild(turn: Turn, id: FrameId): void {
  const { frame, parent, fanOut, phase } = childOf(turn, id);
  assert(phase.is === 'ended' && phase.outcome.ok, 'A child that succeeds has an output.');
  const body = {
    type: 'ChildEnded',
    child: id,
    index: frame.index,
    outcome: phase.outcome,
  } as const;
  if (fanOut.kind === 'Map') turn.event(parent, body, frame.lastEventId);
  else turn.note(parent, body);
}

/** A child failed for good: stops its siblings and fails the parent's state. */
export function failChild(turn: Turn, id: FrameId, failure: Failure): Eventually<void> {
  const { frame, parent, fanOut } = childOf(turn, id);
  const failing = frame.lastEventId;
  const wasIn = stateOf(turn, id).kind;
  const body = {
    type: 'ChildEnded',
    child: id,
    index: frame.index,
    outcome: { ok: false, failure },
  } as const;
  if (fanOut.kind === 'Map') turn.event(parent, body, failing);
  else turn.note(parent, body);
  // Recorded: the failing task itself is shown as aborted too (AWS-BEHAVIOURS 14, 15).
  if (wasIn === 'Task') abortFrame(turn, parent, id, 'Task', failing);
  for (let index = 0; index < fanOut.next; index++) {
    const sibling = childId(fanOut.by, index);
    if (sibling !== id) abortTree(turn, parent, sibling, fanOut.kind === 'Map', failing);
  }
  return failState(turn, parent, failure, { fromChild: true });
}

function childOf(
  turn: Turn,
  id: FrameId,
): { frame: Frame; parent: FrameId; fanOut: FanOut; phase: Frame['phase'] } {
  const frame = turn.frame(id);
  assert(frame.parent !== null, 'A child has a parent.');
  return { frame, parent: frame.parent, fanOut: fanOutOf(turn, frame.parent), phase: frame.phase };
}

/** Ends a live frame and everything under it. */
function abortTree(
  turn: Turn,
  parent: FrameId,
  id: FrameId,
  iteration: boolean,
  failing: number,
): void {
  const frame = turn.frame(id);
  const { phase } = frame;
  if (phase.is === 'ended' || phase.is === 'aborted') return;
  if (iteration) abortFrame(turn, parent, id, 'MapIteration', failing);
  if (phase.is === 'map-run') abortMapRun(turn, id, phase.by);
  if (phase.is === 'fan-out') {
    for (let index = 0; index < phase.next; index++) {
      abortTree(turn, id, childId(phase.by, index), phase.kind === 'Map', failing);
    }
  }
  const kind = phase.is === 'ready' ? null : stateOf(turn, id).kind;
  const shown = kind === 'Task' || kind === 'Wait' || kind === 'Map' || kind === 'Parallel';
  abortFrame(turn, parent, id, shown ? kind : null, failing, pendingOf(phase));
}

/** Shows that the Map Run a frame waits for is told to stop; its children are aborted in time. */
export function abortMapRun(turn: Turn, id: FrameId, by: Seq): void {
  const outcome = { ok: false, failure: { error: null, cause: null } } as const;
  turn.event(id, { type: 'MapRunEnded', by, outcome, aborted: true });
}

function abortFrame(
  turn: Turn,
  parent: FrameId,
  child: FrameId,
  what: 'Task' | 'Wait' | 'Map' | 'Parallel' | 'MapIteration' | null,
  failing: number,
  ends: Seq | null = null,
): void {
  const { index } = turn.frame(child);
  const body = { type: 'FrameAborted', child, what, index, ends } as const;
  if (what === null) turn.note(parent, body);
  else turn.event(parent, body, failing);
}

function pendingOf(phase: Frame['phase']): Seq | null {
  if (phase.is === 'waiting') return phase.setBy;
  if (phase.is === 'task') return phase.scheduled;
  if (phase.is === 'map-run') return phase.by;
  return null;
}
