/** Breakpoints: before a state is entered, after it was left, after an attempt of it failed. */
import type { StatesBindings } from '../../core/bindings.js';
import type { FrameScope } from '../../core/context.js';
import type { Failure } from '../../core/fact.js';
import { errorOutput } from '../../core/retry.js';
import type { FrameId } from '../../lib/brand.js';
import type { Json } from '../../lib/json.js';
import { compileExpression, type Evaluate } from './expression.js';

export interface BreakpointWish {
  readonly on: 'entered' | 'exited' | 'failed';
  /** Null: any state. */
  readonly state: string | null;
  readonly condition?: string | null;
  /** `failed` only: failures that neither a retry nor a catcher takes. */
  readonly uncaught?: boolean;
  /** Stops from the n-th time on that everything else fits. */
  readonly hit?: number;
}

export interface Breakpoint extends Required<BreakpointWish> {
  readonly id: number;
  hits: number;
  readonly evaluate: Evaluate | null;
}

/** Something a breakpoint may be on. */
export interface Happening {
  readonly on: BreakpointWish['on'];
  readonly state: string;
  readonly frame: FrameId;
  readonly failure: Failure | null;
  readonly uncaught: boolean;
  readonly output?: Json;
  scope(): FrameScope;
}

/** Our reason: a session is a person's. */
export const MAX_BREAKPOINTS = 200;

export class Breakpoints {
  private next = 1;
  private readonly all = new Map<number, Breakpoint>();

  /** Throws a sentence when the condition cannot be read. */
  add(wish: BreakpointWish): Breakpoint {
    if (this.all.size >= MAX_BREAKPOINTS)
      throw new Error(`There are ${MAX_BREAKPOINTS} breakpoints already.`);
    const condition = wish.condition ?? null;
    const made: Breakpoint = {
      id: this.next++,
      on: wish.on,
      state: wish.state,
      condition,
      uncaught: wish.uncaught ?? false,
      hit: wish.hit ?? 1,
      hits: 0,
      evaluate: condition === null ? null : compileExpression(condition),
    };
    this.all.set(made.id, made);
    return made;
  }

  remove(id: number): boolean {
    return this.all.delete(id);
  }

  list(): readonly Breakpoint[] {
    return [...this.all.values()];
  }

  /** Ids of those that stop here; a condition that cannot be evaluated stops, too, and says why. */
  async at(
    happening: Happening,
  ): Promise<{ readonly ids: readonly number[]; readonly note: string | null }> {
    const ids: number[] = [];
    let note: string | null = null;
    for (const breakpoint of this.all.values()) {
      const { on, state, uncaught } = breakpoint;
      if (on !== happening.on || (state !== null && state !== happening.state)) continue;
      if (uncaught && !happening.uncaught) continue;
      const verdict = await judge(breakpoint, happening);
      if (verdict === false) continue;
      breakpoint.hits++;
      if (breakpoint.hits < breakpoint.hit) continue;
      if (typeof verdict === 'string') note = verdict;
      ids.push(breakpoint.id);
    }
    return { ids, note };
  }
}

async function judge(
  { evaluate, condition }: Breakpoint,
  happening: Happening,
): Promise<boolean | string> {
  if (evaluate === null) return true;
  const { failure, output } = happening;
  const more: StatesBindings = {
    ...(output === undefined ? {} : { result: output }),
    ...(failure === null ? {} : { errorOutput: errorOutput(failure) }),
  };
  try {
    return (await evaluate(happening.scope(), more)) === true;
  } catch (error) {
    return `The condition ${condition} cannot be evaluated: ${error instanceof Error ? error.message : String(error)}`;
  }
}
