/**
 * The debugger: a cursor on a timeline. Going forward lets the next chunk happen, or follows what is
 * recorded; going back folds a shorter prefix of the journal. It stops before states are entered, so that
 * their input can still be changed, and after they were left or failed.
 */
import type { Draft } from '../../core/draft.js';
import { apply } from '../../core/evolve.js';
import type { Fact, FactOf } from '../../core/fact.js';
import type { Machine } from '../../core/machine.js';
import { type ExecutionState, type Frame, ROOT_FRAME } from '../../core/state.js';
import type { FrameEdit } from '../../core/stimulus.js';
import { placesOf } from '../../core/visits.js';
import { compileReferencePath } from '../../expr/path.js';
import { scopeOf } from '../../explain/explain.js';
import type { FrameId } from '../../lib/brand.js';
import type { Json, JsonObject } from '../../lib/json.js';
import { Breakpoints, type Happening } from './breakpoints.js';
import { compileExpression } from './expression.js';
import { type Chunk, Immutable, type Override, type Timeline } from './timeline.js';

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

/** How long attaching to a live execution waits for what comes next. */
const SOON_MS = 300;

/** Our reason: a run without a stop is a run for ever; then it pauses. */
const MAX_CHUNKS = 1_000_000;

export class Debugger {
  readonly breakpoints = new Breakpoints();
  private cursor = 0;
  /** Facts up to the cursor, and their fold. */
  private applied: Fact[] = [];
  private state: Draft | null = null;
  private last: Stop | null = null;
  private pausing = new AbortController();

  constructor(
    readonly timeline: Timeline,
    readonly machine: Machine,
  ) {}

  /** Everything up to the cursor. */
  get facts(): readonly Fact[] {
    return this.applied;
  }

  get execution(): ExecutionState | null {
    return this.state;
  }

  get stop(): Stop | null {
    return this.last;
  }

  /** Whether what is looked at is not the end of what is known. */
  get isBack(): boolean {
    return this.cursor < this.timeline.chunks.length;
  }

  /** To the first state, which is not entered yet; a live execution, where it stands. */
  async begin(): Promise<Stop> {
    const { kind, chunks } = this.timeline;
    if (kind === 'live' && chunks.length > 0) {
      this.goTo(chunks.length);
      // It may wait for days: only what is about to happen anyway is waited for.
      return this.stopped(await this.look('entry', AbortSignal.timeout(SOON_MS)));
    }
    if ((await this.upcoming()) !== null) await this.forward();
    return this.stopped(await this.look('entry'));
  }

  async continue(): Promise<Stop> {
    return this.run(async () => null);
  }

  /** `over`: the frame's next state. `in`: also states of its branches and iterations. `out`: its parent's. */
  async step(how: 'over' | 'in' | 'out', of: FrameId = this.focus()): Promise<Stop> {
    let target = how === 'out' ? this.parentOf(of) : of;
    return this.run(async (entering) => {
      target = this.living(target);
      const { frame } = entering;
      return frame === target || (how === 'in' && this.isWithin(frame, target)) ? 'step' : null;
    });
  }

  /** `over`: to the state before, of this frame or around it. `in`: to whatever was entered before. */
  async back(how: 'over' | 'in' = 'over', of: FrameId = this.focus()): Promise<Stop> {
    for (let at = this.cursor - 1; at > 0; at--) {
      const entered = enteredAt(this.timeline.chunks[at]);
      if (entered === null) continue;
      const { frame } = entered;
      if (how === 'over' && frame !== of && !this.isWithin(of, frame)) continue;
      this.goTo(at);
      return this.stopped(this.before(entered, 'step', []));
    }
    return this.toStart();
  }

  /** Back to the breakpoint before, or to the start. */
  async reverseContinue(): Promise<Stop> {
    const end = this.cursor;
    let found: { readonly at: number; readonly stop: Stop } | null = null;
    this.goTo(Math.min(1, end));
    while (this.cursor < end) {
      const chunk = this.timeline.chunks[this.cursor] as Chunk;
      const entered = enteredAt(chunk);
      const hit = entered === null ? null : await this.hitBefore(entered);
      if (hit !== null) found = { at: this.cursor, stop: hit };
      this.goTo(this.cursor + 1);
      const after = this.cursor < end ? await this.hitAfter(chunk) : null;
      if (after !== null) found = { at: this.cursor, stop: after };
    }
    if (found === null) return this.toStart();
    this.goTo(found.at);
    return this.stopped(found.stop);
  }

  private toStart(): Stop {
    this.goTo(Math.min(1, this.timeline.chunks.length));
    const entered = enteredAt(this.timeline.chunks[this.cursor]);
    const stop =
      entered === null
        ? this.after(ROOT_FRAME, 'entry', 'The beginning.')
        : this.before(entered, 'entry', []);
    return this.stopped(stop);
  }

  /** Makes a run stop at the next opportunity, also one that waits for real work. */
  pause(): void {
    this.pausing.abort();
  }

  /** Changes what the frame that is about to enter a state holds; later chunks are forgotten. */
  async edit(edit: FrameEdit): Promise<void> {
    if (this.isBack) await this.timeline.rewind(this.cursor);
    // A held commit is decided again after the change: let it be there.
    if (this.timeline.kind === 'simulation') await this.upcoming();
    await this.timeline.edit(edit);
    this.refold(this.timeline.chunks.length);
    if (this.last !== null) this.last = { ...this.last, frame: edit.frame };
  }

  /** The same for a part of the input. */
  async patch(frame: FrameId, path: string, value: Json): Promise<void> {
    const { frame: held } = this.frameOf(frame);
    await this.edit({ frame, value: compileReferencePath(path).write(held.value, value) });
  }

  /** The state's work will not be done the next time, but answered with this. */
  async override(state: string, override: Override): Promise<void> {
    const known = [...this.machine.blocks.values()].some(
      (block) => block.states.get(state)?.kind === 'Task',
    );
    if (!known)
      throw new Immutable(
        `'${state}' is no Task of this machine.`,
        'Only the result of a Task can be given.',
      );
    if (this.isBack) await this.timeline.rewind(this.cursor);
    this.timeline.override(state, override);
  }

  async evaluate(text: string, of: FrameId = this.focus()): Promise<Json> {
    const { frame, state } = this.frameOf(of);
    const left = this.lastExit(of);
    const failed = this.facts.findLast(
      (fact): fact is FactOf<'AttemptFailed'> => fact.type === 'AttemptFailed' && fact.frame === of,
    );
    return compileExpression(text)(scopeOf(this.machine, state, frame), {
      ...(left === null ? {} : { result: frame.value }),
      ...(failed === undefined
        ? {}
        : { errorOutput: { Error: failed.failure.error, Cause: failed.failure.cause } }),
    });
  }

  /** The frame of the last stop, or the root when it is gone. */
  focus(): FrameId {
    const frame = this.last?.frame ?? ROOT_FRAME;
    return this.state?.frames.has(frame) ? frame : ROOT_FRAME;
  }

  /** The state that comes next where one looks. */
  ahead(of: FrameId = this.focus()): string {
    const stop = this.last;
    if (stop !== null && stop.frame === of && stop.when === 'before') return stop.state;
    return this.state?.frames.get(of)?.state ?? '';
  }

  lastExit(of: FrameId): FactOf<'StateExited'> | null {
    return (
      this.facts.findLast(
        (fact): fact is FactOf<'StateExited'> => fact.type === 'StateExited' && fact.frame === of,
      ) ?? null
    );
  }

  places(): ReadonlyMap<FrameId, string> {
    return placesOf(this.facts);
  }

  context(of: FrameId): JsonObject {
    const { frame, state } = this.frameOf(of);
    return scopeOf(this.machine, state, frame).context;
  }

  private frameOf(of: FrameId): { readonly frame: Frame; readonly state: ExecutionState } {
    const { state } = this;
    const frame = state?.frames.get(of) ?? state?.frames.get(ROOT_FRAME);
    if (state === null || frame === undefined) throw new Error('The execution has not begun.');
    return { frame, state };
  }

  async close(stop: boolean): Promise<void> {
    this.pause();
    await this.timeline.close(stop);
  }

  private async run(
    wanted: (entering: FactOf<'StateEntered'>) => Promise<StopReason | null>,
  ): Promise<Stop> {
    this.pausing = new AbortController();
    const { signal } = this.pausing;
    for (let count = 0; count < MAX_CHUNKS; count++) {
      const next = await this.upcoming();
      if (next === null) return this.stopped(await this.look(signal.aborted ? 'pause' : 'waits'));
      const entering = enteredAt(next);
      if (entering !== null && count > 0) {
        const reason = await wanted(entering);
        const hit = await this.hitBefore(entering);
        if (hit !== null) return this.stopped(hit);
        if (reason !== null) return this.stopped(this.before(entering, reason, []));
        if (signal.aborted) return this.stopped(this.before(entering, 'pause', []));
      }
      await this.forward();
      const hit = await this.hitAfter(next);
      if (hit !== null) return this.stopped(hit);
      // Other work of the process goes on during a long run.
      if (count % 200 === 199) await new Promise((resolve) => setImmediate(resolve));
    }
    return this.stopped(await this.look('pause'));
  }

  private async upcoming(signal = this.pausing.signal): Promise<Chunk | null> {
    const known = this.timeline.chunks[this.cursor];
    return known ?? this.timeline.peek(signal);
  }

  private async forward(): Promise<void> {
    if (!this.isBack) {
      const before = this.timeline.chunks.length;
      await this.timeline.take();
      // Another engine wrote meanwhile: all of it is new.
      if (this.timeline.chunks.length !== before + 1)
        return this.refold(this.timeline.chunks.length);
    }
    this.goTo(this.cursor + 1);
  }

  private goTo(count: number): void {
    if (count < this.cursor) {
      // Back: the journal's prefix is folded anew.
      this.cursor = 0;
      this.applied = [];
      this.state = null;
    }
    for (; this.cursor < count; this.cursor++) {
      for (const fact of this.timeline.chunks[this.cursor] ?? []) {
        this.applied.push(fact);
        this.state = apply(this.state, fact);
      }
    }
  }

  /** The timeline has another past than before. */
  private refold(count: number): void {
    this.goTo(0);
    this.goTo(count);
  }

  private stopped(stop: Stop): Stop {
    this.last = stop;
    return stop;
  }

  /** Where things stand, when no breakpoint says it. */
  private async look(reason: StopReason, signal = this.pausing.signal): Promise<Stop> {
    const { state } = this;
    if (state !== null && state.status !== 'RUNNING') {
      return this.after(ROOT_FRAME, 'ended', `The execution ${state.status}.`);
    }
    const entering =
      reason === 'waits' || reason === 'pause' ? null : enteredAt(await this.upcoming(signal));
    if (entering !== null) return this.before(entering, reason, []);
    const waiting = [...(state?.frames.values() ?? [])].find(
      ({ phase }) => phase.is === 'task' || phase.is === 'waiting',
    );
    const text = waiting === undefined ? 'Nothing has begun.' : `'${waiting.state}' waits.`;
    return this.after(waiting?.id ?? this.focus(), reason, text);
  }

  private before(
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

  private after(
    frame: FrameId,
    reason: StopReason,
    text: string,
    breakpoints: readonly number[] = [],
  ): Stop {
    const state = this.state?.frames.get(frame)?.state ?? '';
    return { reason, frame, state, when: 'after', breakpoints, text };
  }

  private async hitBefore(entering: FactOf<'StateEntered'>): Promise<Stop | null> {
    const { ids, note } = await this.breakpoints.at(
      this.happening('entered', entering, entering.name),
    );
    if (ids.length === 0) return null;
    const stop = this.before(entering, 'breakpoint', ids);
    return note === null ? stop : { ...stop, text: note };
  }

  private async hitAfter(chunk: Chunk): Promise<Stop | null> {
    for (const fact of chunk) {
      if (fact.type === 'AttemptFailed') {
        const name = this.nameOf(fact.frame);
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

  /** The state a frame was in last. */
  private nameOf(frame: FrameId): string {
    const entered = this.facts.findLast(
      (fact) => fact.type === 'StateEntered' && fact.frame === frame,
    );
    return entered?.type === 'StateEntered' ? entered.name : '';
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
        ? { output: this.state?.frames.get(fact.frame)?.value ?? null }
        : {}),
      scope: () => {
        const { frame, state } = this.frameOf(fact.frame);
        return scopeOf(this.machine, state, frame);
      },
    };
  }

  private parentOf(of: FrameId): FrameId {
    return this.state?.frames.get(of)?.parent ?? ROOT_FRAME;
  }

  /** The frame itself while it goes on, else the nearest around it that does. */
  private living(of: FrameId): FrameId {
    let id: FrameId = of;
    for (;;) {
      const frame = this.state?.frames.get(id);
      if (frame === undefined) return ROOT_FRAME;
      const over = frame.phase.is === 'ended' || frame.phase.is === 'aborted';
      if (!over || frame.parent === null) return id;
      id = frame.parent;
    }
  }

  private isWithin(inner: FrameId, outer: FrameId): boolean {
    for (let id = this.state?.frames.get(inner)?.parent ?? null; id !== null; ) {
      if (id === outer) return true;
      id = this.state?.frames.get(id)?.parent ?? null;
    }
    return false;
  }
}

function enteredAt(chunk: Chunk | null | undefined): FactOf<'StateEntered'> | null {
  const [first] = chunk ?? [];
  return first?.type === 'StateEntered' ? first : null;
}
