/**
 * Between facts and the store: one execution's journal, loaded, checked and appended to by
 * compare-and-set. The digest chain makes a changed, cut or swapped journal visible before any of it
 * is executed.
 */
import type { Effect } from '../core/effects.js';
import { effectsOf, pendingEnds } from '../core/effects.js';
import type { Fact } from '../core/fact.js';
import type { ExecutionState } from '../core/state.js';
import type { TimerName } from '../core/stimulus.js';
import type { Digest, EpochMs, ExecutionArn, Seq } from '../lib/brand.js';
import { chainDigest, EMPTY_DIGEST } from '../lib/digest.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { JournalHead } from '../store/care.js';
import type {
  Commit,
  ExecutionRow,
  JournalCommit,
  OutboxChange,
  Store,
  TimerChange,
} from '../store/store.js';
import { factsText } from './fact-text.js';

/** The stored journal is not what this engine wrote: never executed, always reported. */
export class JournalCorrupt extends Error {
  override readonly name = 'JournalCorrupt';
  constructor(
    arn: string,
    readonly reason: string,
  ) {
    super(`The journal of ${arn} is damaged: ${reason}. The execution is quarantined.`);
  }
}

export interface LoadedJournal {
  readonly facts: readonly Fact[];
  readonly digest: Digest;
}

/**
 * The journal of `arn`, verified from its first fact to the head that the store keeps beside it; null
 * when there is no such execution. Throws JournalCorrupt for anything this engine has not written.
 */
export async function loadJournal(store: Store, arn: ExecutionArn): Promise<LoadedJournal | null> {
  const [head, commits] = await Promise.all([store.care.head(arn), store.load(arn)]);
  const journal = verifyJournal(arn, commits);
  if (head === null && journal === null) return null;
  if (journal !== null && head?.seq === journal.facts.length && head.digest === journal.digest) {
    return journal;
  }
  return loadWhileOthersWrite(store, arn);
}

/**
 * Another process may commit or remove in between, which only ever makes a journal longer, or nothing:
 * what was the head before must be in the journal, and the head after must not lie before its end.
 */
async function loadWhileOthersWrite(
  store: Store,
  arn: ExecutionArn,
): Promise<LoadedJournal | null> {
  const before = await store.care.head(arn);
  const commits = await store.load(arn);
  const after = await store.care.head(arn);
  const journal = verifyJournal(arn, commits);
  if (after === null && journal === null) return null;
  if (journal === null) throw new JournalCorrupt(arn, 'it is gone, and its head is still there');
  const { length } = journal.facts;
  const holds = before === null || reaches(commits, before);
  const ends =
    after !== null &&
    (after.seq > length || (after.seq === length && after.digest === journal.digest));
  if (holds && ends) return journal;
  throw new JournalCorrupt(arn, `it does not end at its head (fact ${after?.seq ?? 'unknown'})`);
}

/** True when one of the commits ends exactly at the head. */
function reaches(commits: readonly JournalCommit[], head: JournalHead): boolean {
  return commits.some(
    ({ after, count, digest }) => after + count === head.seq && digest === head.digest,
  );
}

/** Checks a journal by itself; null when it is empty. */
export function verifyJournal(
  arn: ExecutionArn,
  commits: readonly JournalCommit[],
): LoadedJournal | null {
  if (commits.length === 0) return null;
  const facts: Fact[] = [];
  let digest = EMPTY_DIGEST;
  for (const commit of commits) {
    digest = chainDigest(digest, commit.facts);
    if (digest !== commit.digest) throw new JournalCorrupt(arn, brokenChain(commit.facts));
    if (commit.after !== facts.length) throw new JournalCorrupt(arn, 'a commit is out of order');
    for (const fact of parseFacts(arn, commit.facts)) {
      if (fact.seq !== facts.length + 1) throw new JournalCorrupt(arn, 'a fact is out of order');
      facts.push(fact);
    }
    if (commit.after + commit.count !== facts.length) {
      throw new JournalCorrupt(arn, 'a commit counts its facts wrongly');
    }
  }
  const first = facts[0];
  if (first?.type !== 'ExecutionStarted' || first.identity.arn !== arn) {
    throw new JournalCorrupt(arn, 'it belongs to another execution');
  }
  return { facts, digest };
}

/** A reference that no value was put back for is still in the text (store/claims.ts). */
function brokenChain(text: string): string {
  const claim = /\{ "\$claim": "([0-9a-f]{64})"/.exec(text);
  return claim === null
    ? 'the digest chain is broken'
    : `the payload ${claim[1]} is missing or damaged`;
}

function parseFacts(arn: string, text: string): Fact[] {
  try {
    return JSON.parse(text) as Fact[];
  } catch {
    throw new JournalCorrupt(arn, 'a commit is not JSON');
  }
}

/** The process that commits: it holds the effects, and the timers due until then. */
export interface Holder {
  readonly id: string;
  readonly until: EpochMs;
}

/** Where the journal ends now. */
export interface Previous {
  readonly seq: Seq;
  readonly digest: Digest;
  /** Null for a new execution: nothing of it is in the store. */
  readonly state: ExecutionState | null;
}

export interface Prepared {
  readonly commit: Commit;
  readonly effects: readonly Effect[];
}

/**
 * Turns a turn's facts into one commit: journal, row, timers and outbox together. Facts taken over from
 * another execution come first; what they promised was kept there.
 *
 * Two processes may decide the very same in the same millisecond. The first fact says whose commit it
 * is, so that its digest is nobody else's and a lost race is never taken for a lost reply.
 */
export function prepareCommit(
  previous: Previous,
  { taken, facts }: { readonly taken: readonly Fact[]; readonly facts: readonly Fact[] },
  state: ExecutionState,
  firedTimers: readonly string[],
  holder: Holder | null = null,
): Prepared {
  const written = taken.length === 0 ? facts : [...taken, ...facts];
  const text = factsText(written, holder?.id ?? null);
  const effects: Effect[] = [];
  for (const fact of facts) for (const effect of effectsOf(fact)) effects.push(effect);
  if (state.status !== 'RUNNING') effects.push(...pendingEnds(state));
  const commit: Commit = {
    arn: state.identity.arn as ExecutionArn,
    after: previous.seq,
    previousDigest: previous.digest,
    facts: text,
    count: written.length,
    digest: chainDigest(previous.digest, text),
    row: rowOf(state),
    timers: timerChanges(previous.state, effects, firedTimers, holder),
    outbox: outboxChanges(previous.state, effects, state, holder),
  };
  return { commit, effects };
}

function goesOn(state: ExecutionState): boolean {
  return state.status === 'RUNNING' && state.ready.size > 0;
}

export const CONTINUE_KEY = 'continue';

export function outboxKey(by: Seq): string {
  return `work:${by}`;
}

/** Whether the store holds this timer before the commit: a drop of any other is no work for it. */
function hasTimer(before: ExecutionState | null, timer: TimerName | null): boolean {
  if (before === null) return false;
  if (timer === null) return before.deadlineAt !== null;
  const phase = before.frames.get(timer.frame)?.phase;
  if (timer.kind === 'wait') return phase?.is === 'waiting' && phase.setBy === timer.setBy;
  if (phase?.is !== 'task' || phase.scheduled !== timer.setBy) return false;
  return (timer.kind === 'timeout' ? phase.timeoutAt : phase.heartbeatSeconds) !== null;
}

const NO_TIMERS: readonly TimerChange[] = [];

/** Most tasks have no timers: what drops those is no work for the store. */
function changesTimers(before: ExecutionState | null, effect: Effect): boolean {
  return (
    effect.do === 'set-timer' || (effect.do === 'drop-timer' && hasTimer(before, effect.timer))
  );
}

function timerChanges(
  before: ExecutionState | null,
  effects: readonly Effect[],
  fired: readonly string[],
  holder: Holder | null,
): readonly TimerChange[] {
  const quiet = fired.length === 0 && !effects.some((effect) => changesTimers(before, effect));
  if (quiet) return NO_TIMERS;
  const changes = new Map<string, TimerChange>();
  for (const key of fired) changes.set(key, { key, dueAt: null });
  for (const effect of effects) {
    if (effect.do === 'set-timer') {
      const { key, dueAt } = effect;
      const held = holder !== null && dueAt <= holder.until;
      changes.set(key, held ? { key, dueAt, holder: holder.id } : { key, dueAt });
    }
    if (effect.do !== 'drop-timer') continue;
    const { key, timer } = effect;
    if (hasTimer(before, timer)) changes.set(key, { key, dueAt: null });
    else if (!fired.includes(key)) changes.delete(key);
  }
  return [...changes.values()];
}

function outboxChanges(
  before: ExecutionState | null,
  effects: readonly Effect[],
  state: ExecutionState,
  holder: Holder | null,
): OutboxChange[] {
  const on = holder === null ? {} : { on: holder.id };
  const changes = new Map<string, Json | null>();
  for (const effect of effects) {
    if (effect.do === 'begin') {
      const { what, frame, by } = effect;
      changes.set(outboxKey(by), { what, frame, by, ...on });
    }
    if (effect.do !== 'finish') continue;
    // Begun and over in one turn: the store never hears of it.
    if (before !== null && effect.by <= before.seq) changes.set(outboxKey(effect.by), null);
    else changes.delete(outboxKey(effect.by));
  }
  if (goesOn(state)) changes.set(CONTINUE_KEY, { what: 'continue', ...on });
  else if (before !== null && goesOn(before)) changes.set(CONTINUE_KEY, null);
  return [...changes].map(([key, effect]) => ({ key, effect }));
}

/** The index entry derived from the state. */
export function rowOf(state: ExecutionState): ExecutionRow {
  const { identity } = state;
  const details: JsonObject = {
    revision: state.revision,
    eventCount: state.eventCount,
    type: identity.type,
  };
  return {
    arn: identity.arn as ExecutionArn,
    name: identity.name,
    stateMachineArn: identity.stateMachineArn,
    stateMachineVersionArn: identity.stateMachineVersionArn,
    stateMachineAliasArn: identity.stateMachineAliasArn,
    mapRunArn: identity.mapRunArn,
    status: state.status,
    startedAt: state.startedAt,
    stoppedAt: state.stoppedAt,
    redriveCount: state.redriveCount,
    redrivenAt: state.redrivenAt,
    details,
  };
}
