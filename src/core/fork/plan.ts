/** What a fork would do, for a person to look at first: what is reused, what runs again, what is next. */
import type { Fact } from '../fact.js';
import { parseResource } from '../resource.js';
import { placesOf, type Visit, visitsOf } from '../visits.js';
import type { Machine } from '../machine.js';
import { getOwn } from '../../lib/json.js';
import type { PreparedFork } from './prepare.js';

export interface PlannedVisit {
  readonly state: string;
  /** `root`, `root › Each[2]`. */
  readonly place: string;
  /** Id of the event with which the origin entered it. */
  readonly eventId: number;
  readonly tookMs: number;
  readonly end: Visit['end'];
  /** What the state calls: running it again does it again. */
  readonly resource: string | null;
}

export interface ForkPlan {
  readonly origin: { readonly arn: string; readonly eventId: number | null };
  readonly reused: readonly PlannedVisit[];
  /** Parallel and Map states that go on with the children that had ended. */
  readonly open: readonly PlannedVisit[];
  /** What the origin did that is not taken over: it is run again if the fork comes by. */
  readonly rerun: readonly PlannedVisit[];
  /** Where the fork goes on. */
  readonly next: readonly { readonly place: string; readonly state: string }[];
  /** A state whose recorded (or changed) result is worked on again. */
  readonly result: { readonly place: string; readonly state: string } | null;
}

export function planOf(all: readonly Fact[], prepared: PreparedFork, machine: Machine): ForkPlan {
  const { reuse, through } = prepared;
  const places = placesOf(all);
  const resources = resourcesOf(machine);
  const shown = (visit: Visit): PlannedVisit => ({
    state: visit.name,
    place: places.get(visit.frame) ?? 'root',
    eventId: visit.eventId,
    tookMs: (visit.endedAt ?? visit.enteredAt) - visit.enteredAt,
    end: visit.end,
    resource: resources.get(visit.name) ?? null,
  });
  const visits = visitsOf(all);
  const taken = visits.filter(({ entered }) => reuse.kept.has(entered));
  const isOver = (visit: Visit): boolean => reuse.kept.has(visit.lastSeq) && visit.endedAt !== null;
  const newPlaces = placesOf(reuse.facts);
  const frames = [...reuse.state.frames.values()];
  const resulting = frames.find(({ id }) => id === reuse.result?.frame);
  const [first] = all;
  return {
    origin: {
      arn: first?.type === 'ExecutionStarted' ? first.identity.arn : '',
      eventId: all.slice(0, through).findLast(({ event }) => event !== null)?.event?.id ?? null,
    },
    reused: taken.filter(isOver).map(shown),
    open: taken.filter((visit) => !isOver(visit) && visit.name !== resulting?.state).map(shown),
    rerun: visits.filter(({ entered }) => !reuse.kept.has(entered)).map(shown),
    next: frames
      .filter(({ phase }) => phase.is === 'ready')
      .map(({ id, state }) => ({
        place: newPlaces.get(id) ?? 'root',
        state: startOf(prepared, state),
      })),
    result:
      resulting === undefined
        ? null
        : { place: newPlaces.get(resulting.id) ?? 'root', state: resulting.state },
  };
}

/** A fork from the beginning enters the first state of its own definition. */
function startOf({ facts }: PreparedFork, state: string): string {
  const [first] = facts;
  return facts.length === 1 && first?.type === 'ExecutionStarted' ? first.start : state;
}

function resourcesOf(machine: Machine): ReadonlyMap<string, string> {
  const resources = new Map<string, string>();
  for (const block of machine.blocks.values()) {
    for (const [name, state] of block.states) {
      const resource = getOwn(state.definition, 'Resource');
      if (state.kind !== 'Task' || typeof resource !== 'string') continue;
      const { kind, type, action } = parseResource(resource);
      resources.set(name, kind === 'task' ? `${type}:${action}` : resource);
    }
  }
  return resources;
}
