/**
 * A simulated execution under a debugger: the world of the simulator with a gate in front of its store.
 * Virtual time passes only while the debugger waits for the next chunk. Going back rebuilds the world and
 * lets the same chunks happen again, which the same seed makes the same.
 */
import { compileMachine } from '../../core/compiler.js';
import { fold } from '../../core/evolve.js';
import { AWS_LIMITS } from '../../core/limits.js';
import type { Machine } from '../../core/machine.js';
import type { ExecutionState } from '../../core/state.js';
import type { FrameEdit } from '../../core/stimulus.js';
import { assert } from '../../lib/assert.js';
import type { ExecutionArn } from '../../lib/brand.js';
import type { JsonObject } from '../../lib/json.js';
import { MemoryStore } from '../../store/memory.js';
import type { Answer, Call, NamedResponder } from '../call.js';
import {
  openWorld,
  type StartOptions,
  startRequestOf,
  type World,
  type WorldOptions,
} from '../world.js';
import { commitEdit } from './edit-commit.js';
import { type Gate, Gates } from './gates.js';
import type { Chunk, Override, Timeline } from './timeline.js';

export interface SimulationOptions extends StartOptions {
  /** Made anew for every rebuilt world: mocks may count calls. */
  readonly responders: () => readonly NamedResponder[];
  readonly world?: Omit<WorldOptions, 'responders' | 'store' | 'speed' | 'onCall' | 'onFacts'>;
}

/** What a person did, and after how many chunks: done again when the world is rebuilt. */
type Action = { readonly at: number } & (
  | { readonly edit: FrameEdit }
  | { readonly state: string; readonly override: Override }
);

export async function simulatedTimeline(options: SimulationOptions): Promise<Timeline> {
  const timeline = new SimulatedTimeline(options);
  await timeline.open();
  return timeline;
}

class SimulatedTimeline implements Timeline {
  readonly kind = 'simulation';
  readonly arn: ExecutionArn;
  chunks: Chunk[] = [];
  private readonly machine: Machine;
  private actions: Action[] = [];
  private overrides = new Map<string, Override>();
  private store = new MemoryStore();
  private gates = new Gates();
  private gate: Gate | null = null;
  private world: World | null = null;

  constructor(private readonly options: SimulationOptions) {
    this.machine = compileMachine(JSON.parse(options.definition) as JsonObject);
    this.arn = startRequestOf(options).identity.arn as ExecutionArn;
  }

  async open(): Promise<void> {
    this.chunks = [];
    this.overrides = new Map();
    this.store = new MemoryStore();
    this.gates = new Gates();
    this.gate = this.gates.attach(this.arn);
    const own: NamedResponder = { name: 'debugger', answer: (call) => this.answer(call) };
    this.world = await openWorld({
      ...this.options.world,
      responders: [own, ...this.options.responders()],
      store: this.gates.over(this.store),
      limits: { ...(this.options.world?.limits ?? AWS_LIMITS), factsPerTurn: 1 },
    });
    // Resolves when the debugger lets the start happen; a closed world never does.
    this.world.engine.start(startRequestOf(this.options)).catch(() => undefined);
  }

  private answer(call: Call): Answer | null {
    const made = this.overrides.get(call.state);
    if (made === undefined || call.executionArn !== this.arn) return null;
    this.overrides.delete(call.state);
    return 'output' in made
      ? { return: made.output }
      : { throw: { error: made.failure.error ?? '', cause: made.failure.cause } };
  }

  private parts(): { readonly world: World; readonly gate: Gate } {
    const { world, gate } = this;
    assert(world !== null && gate !== null, 'The timeline is open.');
    return { world, gate };
  }

  async peek(signal: AbortSignal): Promise<Chunk | null> {
    const { world, gate } = this.parts();
    while (!signal.aborted) {
      await world.clock.settle();
      if (gate.held !== null) return gate.held.facts;
      if (this.isOver() || !world.clock.advance()) return null;
    }
    return null;
  }

  private isOver(): boolean {
    return this.chunks.at(-1)?.some(({ type }) => type === 'ExecutionEnded') ?? false;
  }

  async take(): Promise<void> {
    const { gate } = this.parts();
    const { held } = gate;
    assert(held !== null, 'Only what was peeked can be taken.');
    const answer = await held.release();
    assert(answer === 'committed', 'Nobody else writes to a simulated store.');
    this.chunks.push(held.facts);
  }

  async edit(edit: FrameEdit): Promise<void> {
    const at = this.chunks.length;
    await this.applyEdit(edit);
    this.actions.push({ at, edit });
  }

  private async applyEdit(edit: FrameEdit): Promise<void> {
    const { world, gate } = this.parts();
    const state = fold(this.chunks.flat()) as ExecutionState;
    const { machine, store } = this;
    const facts = await commitEdit({ store, gate, machine, state, now: world.clock.now() }, edit);
    this.chunks.push(facts);
    // What was decided before the change meets a conflict and is decided again.
    await gate.held?.release();
  }

  override(state: string, override: Override): void {
    this.overrides.set(state, override);
    this.actions.push({ at: this.chunks.length, state, override });
  }

  async rewind(count: number): Promise<void> {
    const again = this.actions.filter(({ at }) => at < count);
    await this.close(true);
    await this.open();
    this.actions = [];
    const never = new AbortController().signal;
    while (this.chunks.length < count) {
      const due = again.filter(({ at }) => at === this.chunks.length);
      for (const action of due) {
        if ('override' in action) this.override(action.state, action.override);
        else {
          // The world has to stand where it stood: with its next step held.
          await this.peek(never);
          await this.edit(action.edit);
        }
      }
      if (this.chunks.length >= count) break;
      const next = await this.peek(never);
      assert(next !== null, 'What happened once happens again.');
      await this.take();
    }
  }

  async close(_stop: boolean): Promise<void> {
    const { world } = this;
    if (world === null) return;
    this.world = null;
    const closing = world.close();
    this.gates.detach(this.arn);
    await closing;
  }
}
