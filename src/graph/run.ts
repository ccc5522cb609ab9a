/**
 * What a run did, state by state, read off its journal: how often a state was entered, how each visit
 * ended, how long they took and which ways were gone. Laid over a machine's graph by the pictures.
 */
import type { Fact } from '../core/fact.js';
import { type Visit, type VisitEnd, visitsOf } from '../core/visits.js';

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
