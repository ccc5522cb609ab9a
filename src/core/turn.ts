/**
 * One turn: the facts that follow from one stimulus, and the draft state they lead to. Emitting a
 * fact numbers it, applies it to the draft and keeps it; nothing is visible outside before the
 * whole turn is committed.
 */
import { assert } from '../lib/assert.js';
import type { EpochMs, FrameId, Seq } from '../lib/brand.js';
import type { Env } from './env.js';
import { apply, type Draft, draftOf } from './evolve.js';
import type { EventRef, Fact, FactBody } from './fact.js';
import type { Machine } from './machine.js';
import { type ExecutionState, type Frame, ROOT_FRAME } from './state.js';

/** Thrown when the next event would pass the history limit; decide turns it into the end. */
export class HistoryLimitReached extends Error {
  override readonly name = 'HistoryLimitReached';
}

export class Turn {
  readonly facts: Fact[] = [];
  private current: Draft | null;

  constructor(
    readonly machine: Machine,
    state: ExecutionState | null,
    readonly env: Env,
  ) {
    this.current = state === null ? null : draftOf(state);
  }

  get state(): ExecutionState {
    assert(this.current !== null, 'The execution has begun.');
    return this.current;
  }

  get result(): ExecutionState | null {
    return this.current;
  }

  frame(id: FrameId): Frame {
    const frame = this.state.frames.get(id);
    assert(frame !== undefined, `No frame ${id}.`);
    return frame;
  }

  /** Seq the next fact will have. */
  get nextSeq(): Seq {
    return ((this.current?.seq ?? 0) + 1) as Seq;
  }

  /** A fact that AWS shows as an event, pointing to the frame's last one or to `previousId`. */
  event(frame: FrameId, body: FactBody, previousId?: number): Fact {
    const id = (this.current?.eventCount ?? 0) + 1;
    const limit = this.env.limits.historyEvents;
    if (id >= limit && !(id === limit && body.type === 'ExecutionEnded')) {
      throw new HistoryLimitReached();
    }
    const previous = previousId ?? (this.current === null ? 0 : this.frame(frame).lastEventId);
    return this.add(frame, body, { id, previousId: previous });
  }

  /** A fact that only the journal shows. */
  note(frame: FrameId, body: FactBody): Fact {
    return this.add(frame, body, null);
  }

  private add(frame: FrameId, body: FactBody, event: EventRef | null): Fact {
    const at = Math.max(this.env.now, this.current?.lastAt ?? 0) as EpochMs;
    const fact = { seq: this.nextSeq, at, frame, event, ...body } as Fact;
    this.current = apply(this.current, fact);
    this.facts.push(fact);
    return fact;
  }

  /** The next frame that can go on by itself, or null when all wait for the outside. */
  nextReady(): FrameId | null {
    if (this.state.status !== 'RUNNING') return null;
    for (const id of this.state.ready) return id;
    return null;
  }

  get root(): Frame {
    return this.frame(ROOT_FRAME);
  }
}
