/**
 * The store interface and its laws. A store keeps, per execution: the journal (commits of facts),
 * one row (the index entry that describe and list read), timers and the outbox of effects that were
 * promised but not yet done. One commit changes all four atomically, or nothing.
 *
 * Laws (test/store/conformance.ts is the specification):
 * 1. `commit` succeeds only if the journal's last seq and digest equal `after` and `previousDigest`;
 *    else it returns `conflict` and changes nothing. Applying the same commit twice = `conflict`.
 * 2. When `commit` resolves, it is durable as the store understands durable.
 * 3. `load` returns exactly the commits in order; the digest chain is verified by the caller.
 * 4. Lists are stable under paging: a page token names the last item seen.
 * 5. The store keeps the head of a journal (last seq and digest) beside it: a journal whose end is
 *    lost no longer reaches its head (runtime/journal.ts compares).
 */
import type { Digest, EpochMs, ExecutionArn, Seq } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { StoreCare } from './care.js';

export interface Commit {
  readonly arn: ExecutionArn;
  /** Seq of the last fact already in the journal, 0 for a new execution. */
  readonly after: Seq;
  readonly previousDigest: Digest;
  /** JSON text of the array of facts, stored as is; seqs are `after`+1 … `after`+`count`. */
  readonly facts: string;
  readonly count: number;
  readonly digest: Digest;
  readonly row: ExecutionRow;
  readonly timers: readonly TimerChange[];
  readonly outbox: readonly OutboxChange[];
}

/** The index entry of one execution: what describe and list need without reading the journal. */
export interface ExecutionRow {
  readonly arn: ExecutionArn;
  readonly name: string;
  readonly stateMachineArn: string;
  /** Version or alias the execution was started through. */
  readonly stateMachineVersionArn: string | null;
  readonly stateMachineAliasArn: string | null;
  readonly mapRunArn: string | null;
  readonly status: ExecutionStatus;
  readonly startedAt: EpochMs;
  readonly stoppedAt: EpochMs | null;
  readonly redriveCount: number;
  readonly redrivenAt: EpochMs | null;
  /** Anything else the runtime wants back with the row (revision id, input size, …). */
  readonly details: JsonObject;
}

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

/** `key` is unique per execution (the seq of the fact that set it). `dueAt` null drops the timer. */
export interface TimerChange {
  readonly key: string;
  readonly dueAt: EpochMs | null;
  /** Where several processes share the store: the one that holds the timer in memory. */
  readonly holder?: string;
}

/** `key` is unique per execution; `effect` null marks it done and removes it. */
export interface OutboxChange {
  readonly key: string;
  readonly effect: Json | null;
}

export interface DueTimer {
  readonly arn: ExecutionArn;
  readonly key: string;
  readonly dueAt: EpochMs;
  /** As the change that set it says. */
  readonly holder?: string;
}

export interface OutboxEntry {
  readonly arn: ExecutionArn;
  readonly key: string;
  readonly effect: Json;
}

export interface JournalCommit {
  readonly after: Seq;
  readonly facts: string;
  readonly count: number;
  readonly digest: Digest;
}

export interface ExecutionFilter {
  readonly stateMachineArn?: string;
  /** Matches rows started through this version or alias. */
  readonly stateMachineVersionArn?: string;
  readonly stateMachineAliasArn?: string;
  readonly mapRunArn?: string;
  readonly status?: ExecutionStatus;
  readonly redriven?: boolean;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Opaque; pass back to continue, null at the end. */
  readonly next: string | null;
}

export interface Store {
  /** Human-readable location, e.g. `sqlite:/path/stepwell.db`, and what a crash can lose. */
  readonly description: string;
  commit(commit: Commit): Promise<'committed' | 'conflict'>;
  load(arn: ExecutionArn): Promise<readonly JournalCommit[]>;
  row(arn: ExecutionArn): Promise<ExecutionRow | null>;
  /** Newest first. */
  list(filter: ExecutionFilter, limit: number, token: string | null): Promise<Page<ExecutionRow>>;
  /** Timers due at or before `now`, earliest first. */
  dueTimers(now: EpochMs, limit: number): Promise<readonly DueTimer[]>;
  nextTimer(): Promise<DueTimer | null>;
  /** Moves an existing timer (a heartbeat); no journal entry. Absent timers are ignored. */
  touchTimer(arn: ExecutionArn, key: string, dueAt: EpochMs, holder?: string): Promise<void>;
  /** All pending effects, oldest first: read once at start-up, to hand out what a crash held back. */
  pendingEffects(limit: number, token: string | null): Promise<Page<OutboxEntry>>;
  dropEffect(arn: ExecutionArn, key: string): Promise<void>;
  /** Executions in RUNNING, for recovery sweeps. */
  open(limit: number, token: string | null): Promise<Page<ExecutionRow>>;
  /** Deletes an ended execution with everything of it. */
  remove(arn: ExecutionArn): Promise<void>;

  /**
   * Calls `listener` when acknowledged writes may be gone, as after a failover: what memory holds is
   * void. Absent: this store never goes back.
   */
  onReset?(listener: () => void): void;

  /** Small documents beside executions: state machines, versions, aliases, activities, tags, map runs. */
  readonly documents: DocumentStore;
  /** What keeping a store needs beyond driving executions: checks, repair, backup, retention. */
  readonly care: StoreCare;
  close(): Promise<void>;
}

/** A store that several processes drive at a time: what they need to see of each other's work. */
export interface SharedStore extends Store {
  /** Last seq and digest of a journal; null when there is none. */
  head(arn: ExecutionArn): Promise<{ readonly seq: Seq; readonly digest: Digest } | null>;
  /** One pending effect, null when it is done. */
  effect(arn: ExecutionArn, key: string): Promise<Json>;
  /** When a timer is due; null when it is not set. */
  timer(arn: ExecutionArn, key: string): Promise<EpochMs | null>;
  /** Puts `after` in the place of `before`; false when the effect is another by now, or done. */
  replaceEffect(arn: ExecutionArn, key: string, before: Json, after: Json): Promise<boolean>;
}

/** Compare-and-set documents keyed by (kind, id). */
export interface DocumentStore {
  get(kind: string, id: string): Promise<Document | null>;
  /**
   * Writes when the stored revision equals `expected` (null: must be absent; 'any': unconditional);
   * returns the new revision, or `conflict`.
   */
  put(
    kind: string,
    id: string,
    body: Json,
    expected: number | null | 'any',
  ): Promise<number | 'conflict'>;
  remove(kind: string, id: string): Promise<boolean>;
  /** Ordered by id; `prefix` limits to ids that start with it. */
  list(
    kind: string,
    options: { readonly prefix?: string; readonly limit: number; readonly token: string | null },
  ): Promise<Page<Document>>;
}

export interface Document {
  readonly id: string;
  readonly revision: number;
  readonly body: Json;
}
