/**
 * What of a journal, up to some fact, another execution can take over: the facts of every state that
 * had ended, and of fan-outs that were open with the children that had ended in them. A state that was
 * under way at the cut is taken out with everything in it, so that what stays is a journal as the
 * engine itself writes it, with one exit for every state entered: its frame is about to enter the state
 * again. A failure that was on its way up is taken back to where it began.
 */
import type { FrameId, Seq } from '../../lib/brand.js';
import type { Json } from '../../lib/json.js';
import { fold, resumeOf } from '../evolve.js';
import type { Fact } from '../fact.js';
import { childId, type ExecutionState, type FanOut, type Frame } from '../state.js';
import { renumber } from './renumber.js';

export interface Reuse {
  /** Renumbered; the first is still the origin's own ExecutionStarted. */
  readonly facts: readonly Fact[];
  readonly state: ExecutionState;
  /** Seqs, in the origin, of the facts that were kept. */
  readonly kept: ReadonlySet<number>;
  /** The frame the cut was in, in the new numbering. */
  readonly frame: FrameId;
  /** A task or Map Run whose answer is there but was not worked on yet. */
  readonly result: { readonly frame: FrameId; readonly by: Seq; readonly output: Json } | null;
}

/** `through`: seq of the last fact of the origin to look at, at least 1. */
export function reuse(all: readonly Fact[], through: number): Reuse {
  const answered = answerAt(all, through);
  const cut = all.slice(0, answered?.before ?? endOfFrame(all, through));
  const state = fold(cut) as ExecutionState;
  const dropped = new Dropped(cut, state, answered?.frame ?? null);
  const { facts, frame, seq } = renumber(cut, (fact) => !dropped.has(fact));
  const kept = new Set(cut.filter((fact) => !dropped.has(fact)).map((fact) => fact.seq as number));
  return {
    facts,
    state: fold(facts) as ExecutionState,
    kept,
    frame: frame(frameAt(all[through - 1] as Fact, dropped.leaves)),
    result:
      answered === null
        ? null
        : { frame: frame(answered.frame), by: seq(answered.by), output: answered.output },
  };
}

interface Answer {
  /** How many facts are before the answer. */
  readonly before: number;
  readonly frame: FrameId;
  readonly by: Seq;
  readonly output: Json;
}

/** The cut is at an answer: it is given again, so that what follows from it is decided anew. */
function answerAt(all: readonly Fact[], through: number): Answer | null {
  let fact = all[through - 1];
  const before = all[through - 2];
  if (fact?.type === 'FanOutEnded' && fact.ok && before?.type === 'MapRunEnded') fact = before;
  if (fact?.type === 'TaskSucceeded') {
    return { before: fact.seq - 1, frame: fact.frame, by: fact.scheduled, output: fact.output };
  }
  if (fact?.type === 'MapRunEnded' && fact.outcome.ok) {
    const { frame, by, outcome } = fact;
    return { before: fact.seq - 1, frame, by, output: outcome.output };
  }
  return null;
}

/** A last state's exit and the end of its child belong together; a join is decided again. */
function endOfFrame(all: readonly Fact[], through: number): number {
  const fact = all[through - 1];
  const after = all[through];
  if (fact?.type === 'FanOutEnded' && fact.ok) return through - 1;
  const both =
    fact?.type === 'StateExited' &&
    fact.next === null &&
    after?.type === 'ChildEnded' &&
    after.child === fact.frame;
  return both ? through + 1 : through;
}

/** Whose input a change at this fact means; a failure stands for the one state it began in. */
function frameAt(fact: Fact, leaves: readonly FrameId[]): FrameId {
  if (fact.type === 'ChildStarted') return fact.child;
  if (fact.type === 'ChildEnded' && fact.outcome.ok) return fact.frame;
  if (leaves.includes(fact.frame)) return fact.frame;
  const failing =
    fact.type === 'ChildEnded' ||
    fact.type === 'FrameAborted' ||
    fact.type === 'ExecutionEnded' ||
    fact.type === 'AttemptFailed' ||
    (fact.type === 'FanOutEnded' && !fact.ok);
  const [only, second] = leaves;
  return failing && only !== undefined && second === undefined ? only : fact.frame;
}

class Dropped {
  private readonly seqs = new Set<number>();
  /** Frames that go back to before the state they were in because it had failed. */
  readonly leaves: FrameId[] = [];
  /** What happened before a redrive is closed: it stays as it is. */
  private readonly floor: number;
  private readonly ofFrame = new Map<FrameId, Fact[]>();

  constructor(
    private readonly facts: readonly Fact[],
    private readonly state: ExecutionState,
    private readonly answered: FrameId | null,
  ) {
    this.floor = facts.findLast(({ type }) => type === 'ExecutionRedriven')?.seq ?? 0;
    for (const fact of facts) {
      const known = this.ofFrame.get(fact.frame);
      if (known === undefined) this.ofFrame.set(fact.frame, [fact]);
      else known.push(fact);
    }
    for (const frame of state.frames.values()) if (frame.parent === null) this.rewind(frame);
    this.dropEnds();
  }

  has(fact: Fact): boolean {
    return this.seqs.has(fact.seq);
  }

  private of(id: FrameId): readonly Fact[] {
    return this.ofFrame.get(id) ?? [];
  }

  private rewind(frame: Frame): void {
    const { phase, id } = frame;
    if (phase.is === 'ready' || id === this.answered) return;
    if (phase.is === 'ended' && phase.outcome.ok) return;
    const resume = resumeOf(phase);
    if (resume?.is === 'fan-out') return this.reopen(id, resume);
    if (this.hasRaised(id)) this.leaves.push(id);
    const entered = this.of(id).findLast(
      ({ type, seq }) => type === 'StateEntered' && seq > this.floor,
    );
    if (entered !== undefined) this.dropFrom(id, entered.seq);
  }

  private hasRaised(id: FrameId): boolean {
    return this.of(id).some(
      (fact) =>
        fact.type === 'AttemptFailed' && fact.recovery.do === 'raise' && fact.seq > this.floor,
    );
  }

  /** The fan-out stays open: its own failure goes, and each child goes back by itself. */
  private reopen(id: FrameId, fanOut: FanOut): void {
    for (const fact of this.of(id)) {
      const failure =
        fact.type === 'FanOutEnded' ||
        fact.type === 'AttemptFailed' ||
        fact.type === 'EvaluationFailed';
      if (failure && fact.seq > fanOut.by && fact.seq > this.floor) {
        this.seqs.add(fact.seq);
      }
    }
    for (let index = 0; index < fanOut.next; index++) {
      const child = this.state.frames.get(childId(fanOut.by, index));
      if (child !== undefined) this.rewind(child);
    }
  }

  /** A frame's facts from `from` on, and all of the children it started since. */
  private dropFrom(id: FrameId, from: number): void {
    for (const fact of this.of(id)) {
      if (fact.seq < from) continue;
      this.seqs.add(fact.seq);
      if (fact.type === 'ChildStarted') this.dropFrom(fact.child, 0);
    }
  }

  /** Ends of frames that live on, and of the execution. */
  private dropEnds(): void {
    for (const fact of this.facts) {
      if (fact.seq <= this.floor) continue;
      const failed = fact.type === 'ChildEnded' && !fact.outcome.ok;
      const over = failed || fact.type === 'FrameAborted';
      if (over && this.state.frames.has(fact.child)) this.seqs.add(fact.seq);
      // Frames of a state that was taken out are gone with it, whoever wrote of their end.
      if (over && this.isGone(fact.child)) this.seqs.add(fact.seq);
      if (fact.type === 'ExecutionEnded') this.seqs.add(fact.seq);
    }
  }

  private isGone(child: FrameId): boolean {
    const by = Number(child.slice(0, child.indexOf('.')));
    return this.seqs.has(by);
  }
}
