/** Why and where a debugger stands still: before a state is entered, or after something happened. */
import type { Fact, FactOf } from '../../core/fact.js';
import type { Machine } from '../../core/machine.js';
import { scopeOf } from '../../explain/explain.js';
import type { FrameId } from '../../lib/brand.js';
import type { Breakpoints, Happening } from './breakpoints.js';
import type { Cursor } from './cursor.js';
import type { Chunk } from './timeline.js';

export type StopReason = 'entry' | 'step' | 'breakpoint' | 'failed' | 'pause' | 'waits' | 'ended';

export interface Stop {
  readonly reason: StopReason;
  /** The frame that is looked at; the root when there is none of its own. */
  readonly frame: FrameId;
  readonly state: string;
  /** `before` a state is entered, `after` something happened. */
  readonly when: 'before' | 'after';
  readonly breakpoints: readonly number[];
  readonly text: string;
}

/** Makes stops out of what is at the cursor, and asks the breakpoints whether there is one. */
export class Stops {
  constructor(
    private readonly breakpoints: Breakpoints,
    private readonly cursor: Cursor,
    private readonly machine: Machine,
  ) {}

  before(
    entering: FactOf<'StateEntered'>,
    reason: StopReason,
    breakpoints: readonly number[],
  ): Stop {
    const { frame, name: state, kind } = entering;
    return {
      reason,
      frame,
      state,
      when: 'before',
      breakpoints,
      text: `Before ${state} (${kind}).`,
    };
  }

  after(
    frame: FrameId,
    reason: StopReason,
    text: string,
    breakpoints: readonly number[] = [],
  ): Stop {
    const state = this.cursor.state?.frames.get(frame)?.state ?? '';
    return { reason, frame, state, when: 'after', breakpoints, text };
  }

  /** Null where no breakpoint is hit. */
  async hitBefore(entering: FactOf<'StateEntered'>): Promise<Stop | null> {
    const { ids, note } = await this.breakpoints.at(
      this.happening('entered', entering, entering.name),
    );
    if (ids.length === 0) return null;
    const stop = this.before(entering, 'breakpoint', ids);
    return note === null ? stop : { ...stop, text: note };
  }

  async hitAfter(chunk: Chunk): Promise<Stop | null> {
    for (const fact of chunk) {
      if (fact.type === 'AttemptFailed') {
        const name = this.cursor.nameOf(fact.frame);
        const { ids, note } = await this.breakpoints.at(this.happening('failed', fact, name));
        if (ids.length === 0) continue;
        const { error, cause } = fact.failure;
        const text =
          note ??
          `${name} failed: ${error ?? 'no error name'}${cause === null ? '' : `: ${cause}`} (${fact.recovery.do}).`;
        return { ...this.after(fact.frame, 'failed', text, ids), state: name };
      }
      if (fact.type !== 'StateExited') continue;
      const { ids, note } = await this.breakpoints.at(this.happening('exited', fact, fact.name));
      if (ids.length > 0) {
        return {
          ...this.after(fact.frame, 'breakpoint', note ?? `After ${fact.name}.`, ids),
          state: fact.name,
        };
      }
    }
    return null;
  }

  private happening(on: Happening['on'], fact: Fact, name: string): Happening {
    const failed = fact.type === 'AttemptFailed' ? fact : null;
    return {
      on,
      state: name,
      frame: fact.frame,
      failure: failed?.failure ?? null,
      uncaught: failed?.recovery.do === 'raise',
      ...(fact.type === 'StateExited'
        ? { output: this.cursor.state?.frames.get(fact.frame)?.value ?? null }
        : {}),
      scope: () => {
        const { frame, state } = this.cursor.frameOf(fact.frame);
        return scopeOf(this.machine, state, frame);
      },
    };
  }
}

export function enteredAt(chunk: Chunk | null | undefined): FactOf<'StateEntered'> | null {
  const [first] = chunk ?? [];
  return first?.type === 'StateEntered' ? first : null;
}
