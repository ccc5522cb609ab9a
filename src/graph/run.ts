/**
 * What a run did, state by state, read off its journal: how often a state was entered, how each visit
 * ended, how long they took and which ways were gone. Laid over a machine's graph by the pictures.
 */
import type { Fact, Failure } from '../core/fact.js';
import type { FrameId } from '../lib/brand.js';

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

export type NodeStatus = VisitEnd | 'retried' | 'not-reached';

export interface NodeRun {
  readonly status: NodeStatus;
  readonly visits: number;
  readonly retries: number;
  /** Of all visits that are over, in milliseconds. */
  readonly totalMs: number;
  readonly failures: number;
}

export interface RunOverlay {
  readonly title: string;
  readonly status: string;
  readonly visits: readonly Visit[];
  readonly nodes: ReadonlyMap<string, NodeRun>;
  /** How often each way was gone, by `from\u0000to`. */
  readonly edges: ReadonlyMap<string, number>;
}

export function edgeKey(from: string, to: string): string {
  return `${from}\u0000${to}`;
}

export const NOT_REACHED: NodeRun = {
  status: 'not-reached',
  visits: 0,
  retries: 0,
  totalMs: 0,
  failures: 0,
};

export function overlayOf(facts: readonly Fact[]): RunOverlay {
  const visits = visitsOf(facts);
  const names = new Set(visits.map(({ name }) => name));
  const nodes = new Map<string, NodeRun>();
  for (const name of names) nodes.set(name, nodeRun(visits.filter((visit) => visit.name === name)));
  const edges = new Map<string, number>();
  for (const { name, next } of visits) {
    if (next === null) continue;
    const key = edgeKey(name, next);
    edges.set(key, (edges.get(key) ?? 0) + 1);
  }
  const [first] = facts;
  const last = facts.findLast((fact) => fact.type === 'ExecutionEnded');
  const isOver =
    last !== undefined &&
    !facts.some(({ type, seq }) => type === 'ExecutionRedriven' && seq > last.seq);
  return {
    title: first?.type === 'ExecutionStarted' ? first.identity.name : '',
    status: isOver && last.type === 'ExecutionEnded' ? last.status : 'RUNNING',
    visits,
    nodes,
    edges,
  };
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

const WORST: readonly VisitEnd[] = ['failed', 'running', 'caught', 'aborted', 'succeeded'];

function nodeRun(visits: readonly Visit[]): NodeRun {
  const retries = visits.reduce((sum, visit) => sum + visit.retries, 0);
  const worst = WORST.find((end) => visits.some((visit) => visit.end === end)) ?? 'running';
  return {
    status: worst === 'succeeded' && retries > 0 ? 'retried' : worst,
    visits: visits.length,
    retries,
    totalMs: visits.reduce(
      (sum, { enteredAt, endedAt }) => sum + ((endedAt ?? enteredAt) - enteredAt),
      0,
    ),
    failures: visits.filter(({ end }) => end === 'failed').length,
  };
}
