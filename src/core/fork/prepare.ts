/**
 * A fork, from a wish to what the engine commits: where in the origin, which facts are taken over, what
 * is changed, and whether the machine it goes on with knows every place it goes on from. Refuses what
 * cannot go on, naming the place and the mend, before anything is written.
 */
import type { EpochMs, FrameId, Seq } from '../../lib/brand.js';
import { compileReferencePath } from '../../expr/path.js';
import { sha256 } from '../../lib/digest.js';
import { fromEntries, type Json, type JsonObject } from '../../lib/json.js';
import type { ExecutionIdentity, Fact, ForkOrigin } from '../fact.js';
import type { Machine } from '../machine.js';
import { exceedsBytes } from '../payload.js';
import { MAX_PAYLOAD_BYTES } from '../limits.js';
import { type ExecutionState, type Frame, ROOT_FRAME } from '../state.js';
import type { FrameEdit, Stimulus } from '../stimulus.js';
import type { RevisionId } from '../../lib/brand.js';
import { type Reuse, reuse } from './reuse.js';

/** A wish that cannot be met; `mend` says what to do instead. */
export class ForkRefused extends Error {
  override readonly name = 'ForkRefused';
  constructor(
    message: string,
    readonly mend: string,
  ) {
    super(message);
  }
}

/** After an event of the origin's history, or before the last visit of a state. */
export type ForkPoint = { readonly event: number } | { readonly state: string };

export interface ForkWish {
  readonly at: ForkPoint;
  /** Input of the state that comes next; at the first event, of the whole execution. */
  readonly input?: Json;
  readonly variables?: JsonObject;
  /** Values at reference paths of that input, such as `$.gate.minimumAccuracy`; after `input`. */
  readonly patches?: readonly (readonly [path: string, value: Json])[];
  /** In place of the answer of the task the point is at. */
  readonly result?: Json;
}

export interface PreparedFork {
  /** The journal the fork begins with: the origin's facts under its own name. */
  readonly facts: readonly Fact[];
  readonly stimulus: Extract<Stimulus, { type: 'Fork' }>;
  readonly reuse: Reuse;
  /** Seq, in the origin, of the last fact that was looked at. */
  readonly through: number;
}

export interface ForkTarget {
  readonly identity: ExecutionIdentity;
  readonly revision: RevisionId;
  readonly machine: Machine;
  readonly now: EpochMs;
}

export function prepareFork(
  all: readonly Fact[],
  wish: ForkWish,
  target: ForkTarget,
): PreparedFork {
  const through = seqOf(all, wish.at);
  const reused = reuse(all, through);
  checkMachine(reused, target.machine);
  // Nothing is taken over: it is a new execution, and the input is that of the whole.
  const anew = reused.facts.length === 1;
  const input = patchedInput(wish, reused);
  const { input: _whole, ...others } = wish;
  const edit = editOf(anew || input === undefined ? others : { ...wish, input }, reused);
  const facts = takenOver(reused.facts, target, anew ? input : undefined);
  const [first] = all;
  const origin: ForkOrigin = {
    arn: first?.type === 'ExecutionStarted' ? first.identity.arn : '',
    seq: through as Seq,
    digest: sha256(JSON.stringify(all.slice(0, through))),
  };
  const seconds = target.machine.timeoutSeconds;
  return {
    facts,
    reuse: reused,
    through,
    stimulus: {
      type: 'Fork',
      origin,
      deadlineAt: seconds === null ? null : ((target.now + seconds * 1000) as EpochMs),
      edit,
      result: resultOf(wish, reused),
    },
  };
}

/** The origin's facts under the new name; the deadline is the fork's own. */
function takenOver(facts: readonly Fact[], target: ForkTarget, input: Json | undefined): Fact[] {
  return facts.map((fact) =>
    fact.type === 'ExecutionStarted'
      ? {
          ...fact,
          identity: target.identity,
          revision: target.revision,
          start: facts.length === 1 ? target.machine.root.start : fact.start,
          deadlineAt: null,
          ...(input === undefined ? {} : { input }),
        }
      : fact,
  );
}

function seqOf(all: readonly Fact[], at: ForkPoint): number {
  if ('event' in at) {
    const found = all.find(({ event }) => event?.id === at.event);
    if (found !== undefined) return found.seq;
    const last = all.findLast(({ event }) => event !== null)?.event?.id ?? 0;
    throw new ForkRefused(`The origin has no event ${at.event}.`, `Its events are 1 to ${last}.`);
  }
  const entered = all.findLast((fact) => fact.type === 'StateEntered' && fact.name === at.state);
  if (entered !== undefined) return entered.seq;
  const names = new Set(all.flatMap((fact) => (fact.type === 'StateEntered' ? [fact.name] : [])));
  throw new ForkRefused(
    `The origin never entered a state '${at.state}'.`,
    `It entered ${[...names].join(', ') || 'none'}.`,
  );
}

/** What the frame is to hold: the input given, or its own, with the patches written in. */
function patchedInput(
  { input, patches = [] }: ForkWish,
  { state, frame }: Reuse,
): Json | undefined {
  if (patches.length === 0) return input;
  let value = input ?? state.frames.get(frame)?.value ?? null;
  for (const [path, made] of patches) {
    try {
      value = compileReferencePath(path).write(value, made);
    } catch (error) {
      throw new ForkRefused(
        `'${path}' cannot be set: ${error instanceof Error ? error.message : String(error)}`,
        'Use a path of names and indexes, such as $.gate.minimumAccuracy or $.items[0].',
      );
    }
  }
  return value;
}

function resultOf(wish: ForkWish, { result }: Reuse): Reuse['result'] {
  if (wish.result === undefined) return result;
  if (result === null) {
    throw new ForkRefused(
      'There is no result to change at this point.',
      'Fork at the event with which a task succeeded.',
    );
  }
  return { ...result, output: wish.result };
}

function editOf(wish: ForkWish, reused: Reuse): FrameEdit | null {
  const { input, variables } = wish;
  if (input === undefined && variables === undefined) return null;
  for (const [name, value] of Object.entries({ input, variables })) {
    if (value !== undefined && exceedsBytes(value, MAX_PAYLOAD_BYTES)) {
      throw new ForkRefused(
        `The new ${name} is larger than a state may have.`,
        `Keep it below ${MAX_PAYLOAD_BYTES} bytes.`,
      );
    }
  }
  const { frame, state } = reused;
  const held = state.frames.get(frame);
  if (held?.phase.is === 'ready') {
    return {
      frame,
      ...(input === undefined ? {} : { value: input }),
      ...(variables === undefined ? {} : { variables: known(variables) }),
    };
  }
  if (reused.result !== null) {
    throw new ForkRefused(
      `At this point the result of state '${held?.state}' is reused: its input and variables stay.`,
      `Fork at the state (--at ${held?.state}) to run it again, or change the result (--result).`,
    );
  }
  const ready = [...state.frames.values()].filter(({ phase }) => phase.is === 'ready');
  const names = [...new Set(ready.map((one) => one.state))];
  throw new ForkRefused(
    held?.phase.is === 'ended'
      ? 'At this point everything is done: there is no state whose input could be changed.'
      : `At this point state '${held?.state}' is under way with its branches or items: it has no one input.`,
    names.length === 0
      ? 'Fork at an earlier event.'
      : `Fork at one of ${names.map((name) => `'${name}'`).join(', ')}, or at '${held?.state}' itself.`,
  );
}

function known(variables: JsonObject): JsonObject {
  for (const name of Object.keys(variables)) {
    if (!/^[\p{ID_Start}_][\p{ID_Continue}_]{0,79}$/u.test(name) || name === 'states') {
      throw new ForkRefused(
        `'${name}' is no name of a variable.`,
        'Use letters, digits and _, at most 80, not beginning with a digit.',
      );
    }
  }
  return fromEntries(Object.entries(variables));
}

/** Every frame that goes on must find its block and its state, and an open fan-out one of its kind. */
function checkMachine({ state, result }: Reuse, machine: Machine): void {
  for (const frame of state.frames.values()) {
    if (frame.phase.is === 'ended') continue;
    if (frame.id === ROOT_FRAME && state.seq === 1) continue;
    const place = `/States${`${frame.block}/${frame.state}`}`;
    const found = machine.blocks.get(frame.block)?.states.get(frame.state);
    const { is } = frame.phase;
    const mend = `Keep a state of this name in the definition, or fork at an earlier event.`;
    if (found === undefined) {
      throw new ForkRefused(`The definition has no state ${place}, where the fork goes on.`, mend);
    }
    if (is === 'fan-out' && found.kind !== frame.phase.kind) {
      throw new ForkRefused(
        `State ${place} is no ${frame.phase.kind} in the definition, but its children are under way.`,
        mend,
      );
    }
    if (is === 'fan-out') checkChildren(frame, state, machine, place);
    if (frame.id === result?.frame && found.kind !== (is === 'map-run' ? 'Map' : 'Task')) {
      throw new ForkRefused(
        `State ${place} is no Task in the definition, but a task's result is reused.`,
        mend,
      );
    }
  }
}

function checkChildren(frame: Frame, state: ExecutionState, machine: Machine, place: string): void {
  if (frame.phase.is !== 'fan-out') return;
  const { by, width, kind } = frame.phase;
  const blocks = [...machine.blocks.keys()].filter((id) =>
    id.startsWith(`${frame.block}/${frame.state}`),
  );
  const missing = Array.from({ length: width }, (_, index) => {
    const child = state.frames.get(`${by}.${index}` as FrameId);
    return (
      child?.block ??
      (kind === 'Map' ? `${frame.block}/${frame.state}` : `${frame.block}/${frame.state}/${index}`)
    );
  }).find((block) => !blocks.includes(block));
  if (missing !== undefined) {
    throw new ForkRefused(
      `State ${place} has no block ${missing} in the definition, but a branch of it is under way or still to come.`,
      'Keep its branches, or fork at the state itself to run all of it again.',
    );
  }
}
