/**
 * The state of an execution while one turn or one fold changes it. The frame that was changed last is
 * a private copy and is changed in place; every other frame is shared with the states before and is
 * never changed. So a chain of facts about one frame costs one copy of it, and a state that anyone
 * else holds stays as it is.
 */
import { InvariantError } from '../lib/assert.js';
import type { FrameId } from '../lib/brand.js';
import type { ExecutionState, Frame, Phase } from './state.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export type OpenFrame = Mutable<Frame>;
type Fields = Mutable<Omit<ExecutionState, 'frames' | 'ready'>>;

// One shape for every draft: the fields are assigned in one order.
export interface Draft extends Fields {}
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor assigns every field.
export class Draft implements ExecutionState {
  readonly frames: Map<FrameId, Frame>;
  readonly ready: Set<FrameId>;
  #open: OpenFrame | null = null;

  constructor(state: ExecutionState) {
    this.status = state.status;
    this.seq = state.seq;
    this.eventCount = state.eventCount;
    this.lastAt = state.lastAt;
    this.identity = state.identity;
    this.revision = state.revision;
    this.input = state.input;
    this.startedAt = state.startedAt;
    this.stoppedAt = state.stoppedAt;
    this.deadlineAt = state.deadlineAt;
    this.traceHeader = state.traceHeader;
    this.redriveCount = state.redriveCount;
    this.redrivenAt = state.redrivenAt;
    this.outcome = state.outcome;
    this.forkedFrom = state.forkedFrom;
    this.frames = new Map(state.frames);
    this.ready = new Set(state.ready);
  }

  frame(id: FrameId): Frame {
    const open = this.#open;
    if (open !== null && open.id === id) return open;
    const frame = this.frames.get(id);
    if (frame === undefined) throw new InvariantError(`No frame ${id}.`);
    return frame;
  }

  /** The frame, private to this draft until another one is opened. */
  open(id: FrameId): OpenFrame {
    const open = this.#open;
    if (open !== null && open.id === id) return open;
    const copy = copyOf(this.frame(id));
    this.frames.set(id, copy);
    this.#open = copy;
    return copy;
  }

  add(frame: Frame): void {
    this.frames.set(frame.id, frame);
    if (isReady(frame.phase)) this.ready.add(frame.id);
  }

  drop(id: FrameId): void {
    if (this.#open?.id === id) this.#open = null;
    this.frames.delete(id);
    this.ready.delete(id);
  }

  /**
   * A frame that is being worked on keeps its place among the ready ones, which it loses for the
   * last place when it becomes ready again: frames take turns.
   */
  setPhase(frame: OpenFrame, phase: Phase): void {
    const was = frame.phase;
    frame.phase = phase;
    if (phase.is === 'entered') return;
    const { ready } = this;
    if (!isReady(phase)) {
      ready.delete(frame.id);
      return;
    }
    if (was.is === 'entered' && ready.size > 1) ready.delete(frame.id);
    ready.add(frame.id);
  }
}

function isReady(phase: Phase): boolean {
  if (phase.is === 'ready') return true;
  if (phase.is !== 'fan-out') return false;
  return phase.next < phase.width ? phase.live < phase.limit : phase.live === 0;
}

function copyOf(frame: Frame): OpenFrame {
  return {
    id: frame.id,
    parent: frame.parent,
    index: frame.index,
    block: frame.block,
    state: frame.state,
    value: frame.value,
    variables: frame.variables,
    attempts: frame.attempts,
    enteredAt: frame.enteredAt,
    enteredEventId: frame.enteredEventId,
    enteredPreviousId: frame.enteredPreviousId,
    lastEventId: frame.lastEventId,
    phase: frame.phase,
  };
}
