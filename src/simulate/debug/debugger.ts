/**
 * The debugger: a cursor on a timeline. Going forward lets the next chunk happen, or follows what is
 * recorded; going back folds a shorter prefix of the journal. It stops before states are entered, so that
 * their input can still be changed, and after they were left or failed.
 */
import type { Fact, FactOf } from '../../core/fact.js';
import type { Machine } from '../../core/machine.js';
import { type ExecutionState, ROOT_FRAME } from '../../core/state.js';
import type { FrameEdit } from '../../core/stimulus.js';
import { placesOf } from '../../core/visits.js';
import { compileReferencePath } from '../../expr/path.js';
import { scopeOf } from '../../explain/explain.js';
import type { FrameId } from '../../lib/brand.js';
import type { Json, JsonObject } from '../../lib/json.js';
import { Breakpoints } from './breakpoints.js';
import { Cursor } from './cursor.js';
import { compileExpression } from './expression.js';
import { enteredAt, type Stop, type StopReason, Stops } from './stops.js';
import { type Chunk, Immutable, type Override, type Timeline } from './timeline.js';

/** How long attaching to a live execution waits for what comes next. */
const SOON_MS = 300;

/** Our reason: a run without a stop is a run for ever; then it pauses. */
const MAX_CHUNKS = 1_000_000;

export class Debugger {
  readonly breakpoints = new Breakpoints();
  private readonly cursor: Cursor;
  private readonly stops: Stops;
  private last: Stop | null = null;
  private pausing = new AbortController();

  constructor(
    readonly timeline: Timeline,
    readonly machine: Machine,
  ) {
    this.cursor = new Cursor(timeline);
    this.stops = new Stops(this.breakpoints, this.cursor, machine);
  }

  /** Everything up to the cursor. */
  get facts(): readonly Fact[] {
    return this.cursor.facts;
  }

  get execution(): ExecutionState | null {
    return this.cursor.state;
  }

  get stop(): Stop | null {
    return this.last;
  }

  /** Whether what is looked at is not the end of what is known. */
  get isBack(): boolean {
    return this.cursor.isBack;
  }

  /** To the first state, which is not entered yet; a live execution, where it stands. */
  async begin(): Promise<Stop> {
    const { kind, chunks } = this.timeline;
    if (kind === 'live' && chunks.length > 0) {
      this.cursor.goTo(chunks.length);
      // It may wait for days: only what is about to happen anyway is waited for.
      return this.stopped(await this.look('entry', AbortSignal.timeout(SOON_MS)));
    }
    if ((await this.cursor.upcoming(this.pausing.signal)) !== null) await this.cursor.forward();
    return this.stopped(await this.look('entry'));
  }

  async continue(): Promise<Stop> {
    return this.run(async () => null);
  }

  /** `over`: the frame's next state. `in`: also states of its branches and iterations. `out`: its parent's. */
  async step(how: 'over' | 'in' | 'out', of: FrameId = this.focus()): Promise<Stop> {
    let target = how === 'out' ? this.cursor.parentOf(of) : of;
    return this.run(async (entering) => {
      target = this.cursor.living(target);
      const { frame } = entering;
      return frame === target || (how === 'in' && this.cursor.isWithin(frame, target))
        ? 'step'
        : null;
    });
  }

  /** `over`: to the state before, of this frame or around it. `in`: to whatever was entered before. */
  async back(how: 'over' | 'in' = 'over', of: FrameId = this.focus()): Promise<Stop> {
    for (let at = this.cursor.at - 1; at > 0; at--) {
      const entered = enteredAt(this.timeline.chunks[at]);
      if (entered === null) continue;
      const { frame } = entered;
      if (how === 'over' && frame !== of && !this.cursor.isWithin(of, frame)) continue;
      this.cursor.goTo(at);
      return this.stopped(this.stops.before(entered, 'step', []));
    }
    return this.toStart();
  }

  /** Back to the breakpoint before, or to the start. */
  async reverseContinue(): Promise<Stop> {
    const end = this.cursor.at;
    let found: { readonly at: number; readonly stop: Stop } | null = null;
    this.cursor.goTo(Math.min(1, end));
    while (this.cursor.at < end) {
      const chunk = this.timeline.chunks[this.cursor.at] as Chunk;
      const entered = enteredAt(chunk);
      const hit = entered === null ? null : await this.stops.hitBefore(entered);
      if (hit !== null) found = { at: this.cursor.at, stop: hit };
      this.cursor.goTo(this.cursor.at + 1);
      const after = this.cursor.at < end ? await this.stops.hitAfter(chunk) : null;
      if (after !== null) found = { at: this.cursor.at, stop: after };
    }
    if (found === null) return this.toStart();
    this.cursor.goTo(found.at);
    return this.stopped(found.stop);
  }

  private toStart(): Stop {
    this.cursor.goTo(Math.min(1, this.timeline.chunks.length));
    const entered = enteredAt(this.timeline.chunks[this.cursor.at]);
    const stop =
      entered === null
        ? this.stops.after(ROOT_FRAME, 'entry', 'The beginning.')
        : this.stops.before(entered, 'entry', []);
    return this.stopped(stop);
  }

  /** Makes a run stop at the next opportunity, also one that waits for real work. */
  pause(): void {
    this.pausing.abort();
  }

  /** Changes what the frame that is about to enter a state holds; later chunks are forgotten. */
  async edit(edit: FrameEdit): Promise<void> {
    if (this.isBack) await this.timeline.rewind(this.cursor.at);
    // A held commit is decided again after the change: let it be there.
    if (this.timeline.kind === 'simulation') await this.cursor.upcoming(this.pausing.signal);
    await this.timeline.edit(edit);
    this.cursor.refold(this.timeline.chunks.length);
    if (this.last !== null) this.last = { ...this.last, frame: edit.frame };
  }

  /** The same for a part of the input. */
  async patch(frame: FrameId, path: string, value: Json): Promise<void> {
    const { frame: held } = this.cursor.frameOf(frame);
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
    if (this.isBack) await this.timeline.rewind(this.cursor.at);
    this.timeline.override(state, override);
  }

  async evaluate(text: string, of: FrameId = this.focus()): Promise<Json> {
    const { frame, state } = this.cursor.frameOf(of);
    const left = this.cursor.lastExit(of);
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
    return this.cursor.state?.frames.has(frame) ? frame : ROOT_FRAME;
  }

  /** The state that comes next where one looks. */
  ahead(of: FrameId = this.focus()): string {
    const stop = this.last;
    if (stop !== null && stop.frame === of && stop.when === 'before') return stop.state;
    return this.cursor.state?.frames.get(of)?.state ?? '';
  }

  lastExit(of: FrameId): FactOf<'StateExited'> | null {
    return this.cursor.lastExit(of);
  }

  places(): ReadonlyMap<FrameId, string> {
    return placesOf(this.facts);
  }

  context(of: FrameId): JsonObject {
    const { frame, state } = this.cursor.frameOf(of);
    return scopeOf(this.machine, state, frame).context;
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
      const next = await this.cursor.upcoming(signal);
      if (next === null) return this.stopped(await this.look(signal.aborted ? 'pause' : 'waits'));
      const entering = enteredAt(next);
      if (entering !== null && count > 0) {
        const reason = await wanted(entering);
        const hit = await this.stops.hitBefore(entering);
        if (hit !== null) return this.stopped(hit);
        if (reason !== null) return this.stopped(this.stops.before(entering, reason, []));
        if (signal.aborted) return this.stopped(this.stops.before(entering, 'pause', []));
      }
      await this.cursor.forward();
      const hit = await this.stops.hitAfter(next);
      if (hit !== null) return this.stopped(hit);
      // Other work of the process goes on during a long run.
      if (count % 200 === 199) await new Promise((resolve) => setImmediate(resolve));
    }
    return this.stopped(await this.look('pause'));
  }

  private stopped(stop: Stop): Stop {
    this.last = stop;
    return stop;
  }

  /** Where things stand, when no breakpoint says it. */
  private async look(reason: StopReason, signal = this.pausing.signal): Promise<Stop> {
    const { state } = this.cursor;
    if (state !== null && state.status !== 'RUNNING') {
      return this.stops.after(ROOT_FRAME, 'ended', `The execution ${state.status}.`);
    }
    const entering =
      reason === 'waits' || reason === 'pause'
        ? null
        : enteredAt(await this.cursor.upcoming(signal));
    if (entering !== null) return this.stops.before(entering, reason, []);
    const waiting = [...(state?.frames.values() ?? [])].find(
      ({ phase }) => phase.is === 'task' || phase.is === 'waiting',
    );
    const text = waiting === undefined ? 'Nothing has begun.' : `'${waiting.state}' waits.`;
    return this.stops.after(waiting?.id ?? this.focus(), reason, text);
  }
}
