/**
 * What a person wants to know of an execution at 3 a.m.: what it waits for and since when, when the next
 * timer is due, how large it has become, how far past AWS's limits it is, why it is not driven.
 */
import { MAX_HISTORY_EVENTS, MAX_PAYLOAD_BYTES } from '../core/limits.js';
import type { Fact } from '../core/fact.js';
import type { ExecutionState, Frame } from '../core/state.js';
import type { ExecutionArn } from '../lib/brand.js';
import { type Json, jsonBytes } from '../lib/json.js';
import { loadJournal } from '../runtime/journal.js';
import { type QuarantineNote, quarantineNote } from '../runtime/quarantine.js';
import type { PendingTimer } from '../store/care.js';
import type { ExecutionRow, Store } from '../store/store.js';

export interface Waiting {
  readonly state: string;
  /** A Wait, a task, a Map Run, or the delay before a retry. */
  readonly for: 'wait' | 'retry' | 'task' | 'callback' | 'activity' | 'map-run';
  readonly resource?: string;
  readonly since: string;
  readonly until?: string;
  readonly timeoutAt?: string;
  /** Tries used before this one. */
  readonly retries?: number;
}

export interface Size {
  readonly events: number;
  readonly facts: number;
  readonly commits: number;
  readonly journalBytes: number;
  readonly largestPayloadBytes: number;
}

/** Present where AWS would have refused to go on. */
export interface BeyondAws {
  readonly events?: { readonly used: number; readonly limit: number };
  readonly payloadBytes?: { readonly used: number; readonly limit: number };
}

export function waitingOf(state: ExecutionState): readonly Waiting[] {
  if (state.status !== 'RUNNING') return [];
  return [...state.frames.values()].flatMap((frame) => {
    const found = waitOf(frame);
    return found === null ? [] : [found];
  });
}

function waitOf(frame: Frame): Waiting | null {
  const { phase, state } = frame;
  const since = iso(frame.enteredAt);
  const used = frame.attempts.reduce((sum, one) => sum + one, 0);
  const retries = used === 0 ? {} : { retries: used };
  if (phase.is === 'waiting') {
    const kind = phase.onDue === 'exit' ? 'wait' : 'retry';
    return { state, for: kind, since, until: iso(phase.until), ...retries };
  }
  if (phase.is === 'map-run') {
    return { state, for: 'map-run', resource: phase.request.mapRunArn, since };
  }
  if (phase.is !== 'task') return null;
  const { resource, timeoutAt } = phase;
  const callback = resource.pattern === 'wait-for-task-token';
  return {
    state,
    for: resource.kind === 'activity' ? 'activity' : callback ? 'callback' : 'task',
    resource: resource.arn,
    since,
    ...(timeoutAt === null ? {} : { timeoutAt: iso(timeoutAt) }),
    ...retries,
  };
}

export async function sizeOf(
  store: Store,
  arn: ExecutionArn,
  facts: readonly Fact[],
  state: ExecutionState,
): Promise<Size> {
  const commits = await store.load(arn);
  return {
    events: state.eventCount,
    facts: facts.length,
    commits: commits.length,
    journalBytes: commits.reduce((sum, commit) => sum + Buffer.byteLength(commit.facts), 0),
    largestPayloadBytes: facts.reduce((most, fact) => Math.max(most, largestIn(fact)), 0),
  };
}

/** Inputs, outputs, parameters and variables that a fact carries. */
function largestIn(fact: Fact): number {
  const carried = fact as {
    readonly input?: Json;
    readonly output?: Json;
    readonly parameters?: Json;
    readonly assigned?: Json;
    readonly outcome?: { readonly output?: Json };
  };
  const { input, output, parameters, assigned, outcome } = carried;
  const values = [input, output, parameters, assigned, outcome?.output];
  return Math.max(0, ...values.map((value) => (value === undefined ? 0 : jsonBytes(value))));
}

export function beyondAws({ events, largestPayloadBytes }: Size): BeyondAws | null {
  const tooLong = events > MAX_HISTORY_EVENTS;
  const tooLarge = largestPayloadBytes > MAX_PAYLOAD_BYTES;
  if (!tooLong && !tooLarge) return null;
  return {
    ...(tooLong ? { events: { used: events, limit: MAX_HISTORY_EVENTS } } : {}),
    ...(tooLarge ? { payloadBytes: { used: largestPayloadBytes, limit: MAX_PAYLOAD_BYTES } } : {}),
  };
}

export interface Beside {
  readonly timers: readonly { readonly key: string; readonly dueAt: string }[];
  readonly quarantine: QuarantineNote | null;
}

export async function besideOf(store: Store, arn: ExecutionArn): Promise<Beside> {
  const [{ timers }, quarantine] = await Promise.all([
    store.care.pending(arn),
    quarantineNote(store.documents, arn),
  ]);
  const ordered = [...timers].sort((a: PendingTimer, b: PendingTimer) => a.dueAt - b.dueAt);
  return {
    timers: ordered.map(({ key, dueAt }) => ({ key, dueAt: iso(dueAt) })),
    quarantine,
  };
}

/** Why the journal of an execution cannot be read; null when it can. */
export async function damageOf(store: Store, row: ExecutionRow): Promise<string | null> {
  try {
    await loadJournal(store, row.arn);
    return null;
  } catch (error) {
    if (error instanceof Error && error.name === 'JournalCorrupt') return error.message;
    throw error;
  }
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
