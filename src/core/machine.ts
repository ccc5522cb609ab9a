/**
 * A compiled machine: every expression parsed once, every state a value with its behaviour.
 * Frames name a block (one `States` map) and a state in it.
 */
import { InvariantError } from '../lib/assert.js';
import type { FrameId } from '../lib/brand.js';
import type { Eventually } from '../lib/eventually.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { FrameScope } from './context.js';
import type { DataFlow } from './data-flow.js';
import type { StateKind } from './fact.js';
import type { Catcher, Retrier } from './retry.js';
import type { Turn } from './turn.js';

export interface Machine {
  readonly root: Block;
  /** By block id: '' is the machine's own States, `/Name` a Map's, `/Name/0` a branch's. */
  readonly blocks: ReadonlyMap<string, Block>;
  readonly timeoutSeconds: number | null;
  readonly definition: JsonObject;
}

export interface Block {
  readonly id: string;
  readonly start: string;
  readonly states: ReadonlyMap<string, State>;
}

/** What a Map Run needs of the definition beside its request. */
export interface MapRunPlan {
  /** The ItemProcessor: the children's machine. */
  readonly processor: JsonObject;
  /** Input of a child, or of its batch, for one item; null: the item itself. */
  readonly select: ((scope: FrameScope) => Eventually<Json>) | null;
}

export interface State {
  readonly kind: StateKind;
  readonly name: string;
  readonly block: string;
  /** Null ends the block. */
  readonly next: string | null;
  readonly flow: DataFlow;
  readonly retriers: readonly Retrier[];
  readonly catchers: readonly Catcher[];
  readonly definition: JsonObject;
  /** Distributed Map only. */
  readonly mapRun?: MapRunPlan;
  /**
   * Does the state's work after it was entered, and again for each retry: emits facts until the
   * state is finished or waits for the outside. Throws a StatesError or StateFailure when it fails.
   */
  start(turn: Turn, frame: FrameId): Eventually<void>;
  /** Map and Parallel: starts children while the limit allows, joins when all have ended. */
  advance?(turn: Turn, frame: FrameId): Eventually<void>;
}

export function blockOf(machine: Machine, id: string): Block {
  const block = machine.blocks.get(id);
  if (block === undefined) throw new InvariantError(`No block '${id}' in this definition.`);
  return block;
}

export function stateOf(turn: Turn, id: FrameId): State {
  const frame = turn.frame(id);
  const state = blockOf(turn.machine, frame.block).states.get(frame.state);
  if (state === undefined) {
    throw new InvariantError(`No state '${frame.state}' in block '${frame.block}'.`);
  }
  return state;
}

export function isRetryable(kind: StateKind): boolean {
  return kind === 'Task' || kind === 'Parallel' || kind === 'Map';
}
