/**
 * One execution held against its journal: sound, or how it is not. A server may write meanwhile, so a
 * difference counts only when the head is the same before and after the look.
 */
import { parseTimer } from '../core/stimulus.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import { canonicalJson, type Json } from '../lib/json.js';
import { JournalCorrupt, type LoadedJournal, loadJournal } from '../runtime/journal.js';
import type { Derived, JournalHead, Pending } from '../store/care.js';
import type { ExecutionRow, Store } from '../store/store.js';
import { derive } from './derive.js';

const LOOKS = 4;

export type Examined =
  | Known<'sound'>
  | { readonly is: 'gone' }
  /** The journal is not what an engine wrote. */
  | { readonly is: 'damaged'; readonly reason: string }
  /** The journal is sound; what is kept beside it is not. */
  | (Known<'differs'> & {
      /** A part of it would never be woken. */
      readonly stuck: boolean;
      readonly what: readonly string[];
    });

interface Known<Verdict extends string> {
  readonly is: Verdict;
  readonly head: JournalHead | null;
  readonly journal: LoadedJournal;
  readonly derived: Derived;
}

export async function examine(store: Store, arn: ExecutionArn, now: EpochMs): Promise<Examined> {
  for (let look = 1; ; look++) {
    const before = await store.care.head(arn);
    const found = await lookAt(store, arn, now, before);
    if (found.is === 'sound' || found.is === 'gone' || look === LOOKS) return found;
    const after = await store.care.head(arn);
    if (after?.seq === before?.seq && after?.digest === before?.digest) return found;
  }
}

async function lookAt(
  store: Store,
  arn: ExecutionArn,
  now: EpochMs,
  head: JournalHead | null,
): Promise<Examined> {
  let journal: LoadedJournal | null;
  try {
    journal = await loadJournal(store, arn);
  } catch (error) {
    if (error instanceof JournalCorrupt) return { is: 'damaged', reason: error.reason };
    throw error;
  }
  if (journal === null) return { is: 'gone' };
  const [row, pending] = await Promise.all([store.row(arn), store.care.pending(arn)]);
  const derived = withHeartbeats(derive(journal.facts, now), pending);
  const missing = missingWakers(derived, pending);
  const what = [
    ...rowDifferences(derived.row, row),
    ...missing.map((key) => `${key} is missing`),
    ...surplus(derived, pending).map((key) => `${key} should be gone`),
    ...movedTimers(derived, pending).map((key) => `${key} is set to another instant`),
  ];
  if (what.length === 0) return { is: 'sound', head, journal, derived };
  return { is: 'differs', head, journal, derived, stuck: missing.length > 0, what };
}

function rowDifferences(should: ExecutionRow, is: ExecutionRow | null): string[] {
  if (is === null) return ['the row is missing'];
  const fields = Object.keys(should) as (keyof ExecutionRow)[];
  return fields
    .filter((field) => canonicalJson(should[field] as Json) !== canonicalJson(is[field] as Json))
    .map((field) => `the row's ${field} is ${JSON.stringify(is[field])}`);
}

function missingWakers(should: Derived, is: Pending): string[] {
  const timers = new Set(is.timers.map(({ key }) => key));
  const work = new Set(is.outbox.map(({ key }) => key));
  return [
    ...should.timers.filter(({ key }) => !timers.has(key)).map(({ key }) => `timer ${key}`),
    ...should.outbox.filter(({ key }) => !work.has(key)).map(({ key }) => `effect ${key}`),
  ];
}

function surplus(should: Derived, is: Pending): string[] {
  const timers = new Set(should.timers.map(({ key }) => key));
  const work = new Set(should.outbox.map(({ key }) => key));
  return [
    ...is.timers.filter(({ key }) => !timers.has(key)).map(({ key }) => `timer ${key}`),
    ...is.outbox.filter(({ key }) => !work.has(key)).map(({ key }) => `effect ${key}`),
  ];
}

/** Heartbeats move their timer without a fact: where it stands is right. */
function withHeartbeats(derived: Derived, pending: Pending): Derived {
  const instants = new Map(pending.timers.map(({ key, dueAt }) => [key, dueAt]));
  const timers = derived.timers.map(({ key, dueAt }) => {
    const beats = parseTimer(key)?.kind === 'heartbeat';
    return { key, dueAt: beats ? (instants.get(key) ?? dueAt) : dueAt };
  });
  return { ...derived, timers };
}

function movedTimers(should: Derived, is: Pending): string[] {
  const instants = new Map(should.timers.map(({ key, dueAt }) => [key, dueAt]));
  return is.timers
    .filter(({ key, dueAt }) => instants.has(key) && instants.get(key) !== dueAt)
    .map(({ key }) => `timer ${key}`);
}
