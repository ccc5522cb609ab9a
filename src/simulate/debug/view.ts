/** What a debugger shows at a stop: threads, the stack of one, and the scopes of a frame. */
import { explain, type VisitExplanation } from '../../explain/explain.js';
import { type Frame, ROOT_FRAME } from '../../core/state.js';
import type { FrameId } from '../../lib/brand.js';
import { fromEntries, type Json, type JsonObject } from '../../lib/json.js';
import type { Debugger } from './debugger.js';

/** A thread of control: the root, a branch, an iteration. */
export interface ThreadView {
  readonly frame: FrameId;
  /** `root`, `root › Each[2]`. */
  readonly place: string;
  readonly state: string;
  readonly phase: Frame['phase']['is'];
}

/** Those that still go on, outer ones first; all that ended stay out but the root. */
export function threadsOf(session: Debugger): readonly ThreadView[] {
  const places = session.places();
  return [...(session.execution?.frames.values() ?? [])]
    .filter(
      ({ id, phase }) => id === ROOT_FRAME || (phase.is !== 'ended' && phase.is !== 'aborted'),
    )
    .map(({ id, state, phase }) => ({
      frame: id,
      place: places.get(id) ?? 'root',
      state,
      phase: phase.is,
    }));
}

/** The frame itself, then those around it. */
export function stackOf(session: Debugger, of: FrameId): readonly ThreadView[] {
  const places = session.places();
  const stack: ThreadView[] = [];
  for (let id: FrameId | null = of; id !== null; ) {
    const frame: Frame | undefined = session.execution?.frames.get(id);
    if (frame === undefined) break;
    stack.push({
      frame: id,
      place: places.get(id) ?? 'root',
      state: frame.state,
      phase: frame.phase.is,
    });
    id = frame.parent;
  }
  return stack;
}

export interface Scopes {
  readonly Input: Json;
  /** What the state before gave; of an execution that is over, its output. */
  readonly Output: Json;
  readonly Variables: JsonObject;
  readonly Context: JsonObject;
  /** Every field of the data flow of the last state of the frame. */
  readonly 'Data flow': JsonObject;
}

export async function scopesOf(session: Debugger, of: FrameId): Promise<Scopes | null> {
  const frame = session.execution?.frames.get(of);
  if (frame === undefined) return null;
  const exited = session.lastExit(of);
  const outcome = frame.id === ROOT_FRAME ? session.execution?.outcome : null;
  return {
    Input: frame.value,
    Output: outcome?.ok ? outcome.output : exited === null ? null : frame.value,
    Variables: frame.variables,
    Context: session.context(of),
    'Data flow': await flowOf(session, of),
  };
}

/** The last visit of the frame that is known, ended or under way. */
export async function lastVisit(session: Debugger, of: FrameId): Promise<VisitExplanation | null> {
  const { facts, machine } = session;
  const entered = facts.findLast((fact) => fact.type === 'StateEntered' && fact.frame === of);
  if (entered?.type !== 'StateEntered') return null;
  const visits = await explain(machine, facts, { state: entered.name, fromSeq: entered.seq });
  return visits.findLast(({ eventId }) => eventId === entered.event?.id) ?? null;
}

async function flowOf(session: Debugger, of: FrameId): Promise<JsonObject> {
  const visit = await lastVisit(session, of);
  if (visit === null) return {};
  const stages = visit.stages.map(({ stage, value }): [string, Json] => [stage, value]);
  return fromEntries([['state', visit.state], ...stages]);
}
