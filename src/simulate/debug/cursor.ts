/**
 * Where on its timeline the debugger looks: the facts up to there, and what they fold to. Going forward
 * adds the next chunk; going back folds a shorter prefix of the journal anew.
 */
import type { Draft } from '../../core/draft.js';
import { apply } from '../../core/evolve.js';
import type { Fact, FactOf } from '../../core/fact.js';
import { type ExecutionState, type Frame, ROOT_FRAME } from '../../core/state.js';
import type { FrameId } from '../../lib/brand.js';
import type { Chunk, Timeline } from './timeline.js';

export class Cursor {
  /** Chunks up to here are applied. */
  at = 0;
  private applied: Fact[] = [];
  private folded: Draft | null = null;

  constructor(readonly timeline: Timeline) {}

  get facts(): readonly Fact[] {
    return this.applied;
  }

  get state(): ExecutionState | null {
    return this.folded;
  }

  /** Whether what is looked at is not the end of what is known. */
  get isBack(): boolean {
    return this.at < this.timeline.chunks.length;
  }

  /** The next chunk, waited for where it is not known yet; null when nothing will happen by itself. */
  async upcoming(signal: AbortSignal): Promise<Chunk | null> {
    const known = this.timeline.chunks[this.at];
    return known ?? this.timeline.peek(signal);
  }

  async forward(): Promise<void> {
    if (!this.isBack) {
      const before = this.timeline.chunks.length;
      await this.timeline.take();
      // Another engine wrote meanwhile: all of it is new.
      if (this.timeline.chunks.length !== before + 1)
        return this.refold(this.timeline.chunks.length);
    }
    this.goTo(this.at + 1);
  }

  goTo(count: number): void {
    if (count < this.at) {
      // Back: the journal's prefix is folded anew.
      this.at = 0;
      this.applied = [];
      this.folded = null;
    }
    for (; this.at < count; this.at++) {
      for (const fact of this.timeline.chunks[this.at] ?? []) {
        this.applied.push(fact);
        this.folded = apply(this.folded, fact);
      }
    }
  }

  /** The timeline has another past than before. */
  refold(count: number): void {
    this.goTo(0);
    this.goTo(count);
  }

  /** A frame, or the root when it is gone. Throws before the beginning. */
  frameOf(of: FrameId): { readonly frame: Frame; readonly state: ExecutionState } {
    const { state } = this;
    const frame = state?.frames.get(of) ?? state?.frames.get(ROOT_FRAME);
    if (state === null || frame === undefined) throw new Error('The execution has not begun.');
    return { frame, state };
  }

  /** The state a frame was in last. */
  nameOf(frame: FrameId): string {
    const entered = this.facts.findLast(
      (fact) => fact.type === 'StateEntered' && fact.frame === frame,
    );
    return entered?.type === 'StateEntered' ? entered.name : '';
  }

  lastExit(of: FrameId): FactOf<'StateExited'> | null {
    return (
      this.facts.findLast(
        (fact): fact is FactOf<'StateExited'> => fact.type === 'StateExited' && fact.frame === of,
      ) ?? null
    );
  }

  parentOf(of: FrameId): FrameId {
    return this.state?.frames.get(of)?.parent ?? ROOT_FRAME;
  }

  /** The frame itself while it goes on, else the nearest around it that does. */
  living(of: FrameId): FrameId {
    let id: FrameId = of;
    for (;;) {
      const frame = this.state?.frames.get(id);
      if (frame === undefined) return ROOT_FRAME;
      const over = frame.phase.is === 'ended' || frame.phase.is === 'aborted';
      if (!over || frame.parent === null) return id;
      id = frame.parent;
    }
  }

  /** Whether `outer` is a frame around `inner`. */
  isWithin(inner: FrameId, outer: FrameId): boolean {
    for (let id = this.state?.frames.get(inner)?.parent ?? null; id !== null; ) {
      if (id === outer) return true;
      id = this.state?.frames.get(id)?.parent ?? null;
    }
    return false;
  }
}
