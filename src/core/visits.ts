/** Visits: one stay of one frame in one state, read off a journal, and where frames are in the machine. */
import type { FrameId } from '../lib/brand.js';
import type { Fact, Failure } from './fact.js';
import { ROOT_FRAME } from './state.js';

export type VisitEnd = 'succeeded' | 'caught' | 'failed' | 'aborted' | 'running';

/** One stay of one frame in one state. */
export interface Visit {
  readonly name: string;
  readonly frame: FrameId;
  /** Seq of the StateEntered fact. */
  readonly entered: number;
  readonly enteredAt: number;
  readonly eventId: number;
  end: VisitEnd;
  endedAt: number | null;
  /** Seq of the last fact of the visit. */
  lastSeq: number;
  retries: number;
  failure: Failure | null;
  next: string | null;
}

/** Every visit in the order of entering. */
export function visitsOf(facts: readonly Fact[]): readonly Visit[] {
  const visits: Visit[] = [];
  const open = new Map<FrameId, Visit>();
  const close = (frame: FrameId, fact: Fact, end: VisitEnd): void => {
    const visit = open.get(frame);
    if (visit === undefined) return;
    visit.end = end;
    visit.endedAt = fact.at;
    visit.lastSeq = fact.seq;
    open.delete(frame);
  };
  for (const fact of facts) {
    const visit = open.get(fact.frame);
    if (visit !== undefined) visit.lastSeq = fact.seq;
    switch (fact.type) {
      case 'StateEntered': {
        const made = enter(fact, fact.name);
        visits.push(made);
        open.set(fact.frame, made);
        break;
      }
      case 'StateExited':
        if (visit !== undefined) visit.next = fact.next;
        close(fact.frame, fact, visit?.end === 'caught' ? 'caught' : 'succeeded');
        break;
      case 'AttemptFailed': {
        if (visit === undefined) break;
        visit.failure = fact.failure;
        if (fact.recovery.do === 'retry') visit.retries++;
        else if (fact.recovery.do === 'catch') visit.end = 'caught';
        else close(fact.frame, fact, 'failed');
        break;
      }
      case 'FrameAborted':
        close(fact.child, fact, 'aborted');
        break;
      case 'ExecutionEnded': {
        // A deadline or a stop ends what is under way; a failure has closed its states before.
        const end = fact.status === 'TIMED_OUT' || fact.status === 'ABORTED' ? 'aborted' : 'failed';
        for (const frame of [...open.keys()]) close(frame, fact, end);
        break;
      }
      default:
    }
  }
  return visits;
}

function enter(fact: Fact, name: string): Visit {
  return {
    name,
    frame: fact.frame,
    entered: fact.seq,
    enteredAt: fact.at,
    eventId: fact.event?.id ?? 0,
    end: 'running',
    endedAt: null,
    lastSeq: fact.seq,
    retries: 0,
    failure: null,
    next: null,
  };
}

/** Where each frame is: `root`, `root › Each[2]`, `root › Each[2] › Both[0]`. */
export function placesOf(facts: Iterable<Fact>): ReadonlyMap<FrameId, string> {
  const places = new Map<FrameId, string>([[ROOT_FRAME, 'root']]);
  const states = new Map<FrameId, string>();
  for (const fact of facts) {
    if (fact.type === 'StateEntered') states.set(fact.frame, fact.name);
    if (fact.type !== 'ChildStarted') continue;
    const parent = places.get(fact.frame) ?? 'root';
    places.set(fact.child, `${parent} › ${states.get(fact.frame) ?? ''}[${fact.index}]`);
  }
  return places;
}
