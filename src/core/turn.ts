/**
 * One turn: the facts that follow from one stimulus, and the draft state they lead to. Emitting a
 * fact numbers it, applies it to the draft and keeps it; nothing is visible outside before the
 * whole turn is committed.
 */
import { assert } from '../lib/assert.js';
import type { EpochMs, FrameId, Seq } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { Env } from './env.js';
import { Draft } from './draft.js';
import { apply } from './evolve.js';
import type { EventRef, Fact, FactBody, StateKind } from './fact.js';
import type { Machine } from './machine.js';
import { type ExecutionState, type Frame, ROOT_FRAME } from './state.js';

/** Thrown when the next event would pass the history limit; decide turns it into the end. */
export class HistoryLimitReached extends Error {
  override readonly name = 'HistoryLimitReached';
}

/** How a state is left; `output` undefined: its raw input passes on unchanged. */
export interface StateExit {
  readonly kind: StateKind;
  readonly name: string;
  readonly output: Json | undefined;
  readonly assigned: JsonObject | null;
  readonly next: string | null;
  /** Of a Choice: the rule that held, null for Default. */
  readonly rule?: number | null | undefined;
}

export class Turn {
  readonly facts: Fact[] = [];
  private current: Draft | null;

  constructor(
    readonly machine: Machine,
    state: ExecutionState | null,
    readonly env: Env,
  ) {
    this.current = state === null ? null : new Draft(state);
  }

  get state(): ExecutionState {
    assert(this.current !== null, 'The execution has begun.');
    return this.current;
  }

  get result(): ExecutionState | null {
    return this.current;
  }

  frame(id: FrameId): Frame {
    assert(this.current !== null, 'The execution has begun.');
    return this.current.frame(id);
  }

  /** The instant of this turn's facts: never before a fact that is there already. */
  get now(): EpochMs {
    const { now } = this.env;
    return this.current !== null && this.current.lastAt > now ? this.current.lastAt : now;
  }

  /** Seq the next fact will have. */
  get nextSeq(): Seq {
    return ((this.current?.seq ?? 0) + 1) as Seq;
  }

  /** A fact that AWS shows as an event, pointing to the frame's last one or to `previousId`. */
  event(frame: FrameId, body: FactBody, previousId?: number): Fact {
    return this.add(frame, body, this.nextEvent(frame, body.type, previousId));
  }

  // Entering and leaving are most of all facts: built in one piece, without a copy.

  entered(frame: FrameId, kind: StateKind, name: string): Fact {
    const type = 'StateEntered';
    const event = this.nextEvent(frame, type);
    return this.keep({ seq: this.nextSeq, at: this.now, frame, event, type, kind, name });
  }

  exited(frame: FrameId, exit: StateExit): Fact {
    const type = 'StateExited';
    const { kind, name, output, assigned, next } = exit;
    const event = this.nextEvent(frame, type);
    const seq = this.nextSeq;
    const at = this.now;
    if (exit.rule !== undefined) return this.chosen(frame, exit, exit.rule, event);
    if (assigned !== null) {
      const changed = output === undefined ? { assigned } : { output, assigned };
      return this.keep({ seq, at, frame, event, type, kind, name, ...changed, next });
    }
    return this.keep(
      output === undefined
        ? { seq, at, frame, event, type, kind, name, next }
        : { seq, at, frame, event, type, kind, name, output, next },
    );
  }

  private chosen(
    frame: FrameId,
    { kind, name, output, assigned, next }: StateExit,
    rule: number | null,
    event: EventRef,
  ): Fact {
    return this.keep({
      seq: this.nextSeq,
      at: this.now,
      frame,
      event,
      type: 'StateExited',
      kind,
      name,
      ...(output === undefined ? {} : { output }),
      ...(assigned === null ? {} : { assigned }),
      next,
      rule,
    });
  }

  /** A fact that only the journal shows. */
  note(frame: FrameId, body: FactBody): Fact {
    return this.add(frame, body, null);
  }

  private nextEvent(frame: FrameId, type: Fact['type'], previousId?: number): EventRef {
    const id = (this.current?.eventCount ?? 0) + 1;
    const limit = this.env.limits.historyEvents;
    if (id >= limit && !(id === limit && type === 'ExecutionEnded')) {
      throw new HistoryLimitReached();
    }
    const previous = previousId ?? (this.current === null ? 0 : this.frame(frame).lastEventId);
    return { id, previousId: previous };
  }

  private add(frame: FrameId, body: FactBody, event: EventRef | null): Fact {
    return this.keep({ seq: this.nextSeq, at: this.now, frame, event, ...body });
  }

  private keep(fact: Fact): Fact {
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
