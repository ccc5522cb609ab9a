/**
 * What the engine offers to everything around it (api, cli, simulate, schedule): start, look, stop,
 * answer callbacks. Every method that promises something resolves after the commit is durable.
 */
import type { QuarantineNote } from './quarantine.js';
import type { EpochMs, ExecutionArn, RevisionId } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import type { ExecutionIdentity, Fact, Failure } from '../core/fact.js';
import type { PreparedFork } from '../core/fork/prepare.js';
import type { ExecutionState } from '../core/state.js';
import type { HistoryEvent } from '../wire/history.js';
import type { MapRun } from '../wire/map-run.js';
import type { ExecutionFilter, ExecutionRow, Page } from '../store/store.js';

/** An immutable definition with what of its settings matters while it runs. */
export interface Revision {
  readonly id: RevisionId;
  /** The definition text exactly as given. */
  readonly definition: string;
  readonly type: 'STANDARD' | 'EXPRESS';
}

export interface StartRequest {
  readonly identity: ExecutionIdentity;
  readonly revision: Revision;
  readonly input: Json;
  readonly traceHeader: string | null;
}

export interface Started {
  /** `exists`: an execution of this ARN is there already; nothing was changed. */
  readonly is: 'started' | 'exists';
  /** After the turn of the start: what waits for nothing outside is over by then. */
  readonly state: ExecutionState;
}

export type TokenAnswer =
  | 'accepted'
  /** Not a token of this engine, or malformed. */
  | 'invalid'
  /** The token was valid once; its task, state or execution is over. */
  | 'timed-out';

export interface ActivityTask {
  readonly taskToken: string;
  readonly input: Json;
}

/** Map Runs, with their counts as they are now. */
export interface MapRunsFace {
  get(mapRunArn: string): Promise<MapRun | null>;
  /** Of one execution, oldest first. */
  list(executionArn: string, limit: number, token: string | null): Promise<Page<MapRun>>;
  /** Children of a redriven run that wait for their turn. */
  pendingRedrive(mapRunArn: string): readonly ExecutionArn[];
  /** Applies to children that start from now on; `over` when the run is not RUNNING. */
  update(mapRunArn: string, change: MapRunChange): Promise<'updated' | 'unknown' | 'over'>;
}

export interface MapRunChange {
  readonly maxConcurrency?: number | undefined;
  readonly toleratedFailurePercentage?: number | undefined;
  readonly toleratedFailureCount?: number | undefined;
}

export interface ForkRequest {
  readonly prepared: PreparedFork;
  /** What the fork goes on with; the prepared facts name it. */
  readonly revision: Revision;
}

export interface HistoryPageRequest {
  /** First id of the page; null: the first, or the last when newest first. */
  readonly from: number | null;
  readonly limit: number;
  readonly newestFirst: boolean;
}

export interface HistoryPage {
  readonly events: readonly HistoryEvent[];
  /** Events of the whole history. */
  readonly total: number;
}

export interface Engine {
  readonly mapRuns: MapRunsFace;
  start(request: StartRequest): Promise<Started>;
  /** A new execution that takes over facts of another one and goes on from there by itself. */
  fork(request: ForkRequest): Promise<Started>;
  /** State folded from the journal, or null when there is no such execution. */
  state(arn: ExecutionArn): Promise<ExecutionState | null>;
  facts(arn: ExecutionArn): Promise<readonly Fact[] | null>;
  /** AWS events, ids 1…n. */
  history(arn: ExecutionArn): Promise<readonly HistoryEvent[] | null>;
  /** Those of `limit` events with ids from `from` up, or from `from` down, and how many there are in all. */
  historyPage(arn: ExecutionArn, page: HistoryPageRequest): Promise<HistoryPage | null>;
  revision(id: RevisionId): Promise<Revision | null>;
  list(filter: ExecutionFilter, limit: number, token: string | null): Promise<Page<ExecutionRow>>;
  /** Aborts; resolves to the stop instant, or null when the execution is over or unknown. */
  stop(arn: ExecutionArn, failure: Failure): Promise<EpochMs | null>;
  redrive(arn: ExecutionArn): Promise<EpochMs>;
  /** The index entry, which is there even when the journal cannot be read. */
  row(arn: ExecutionArn): Promise<ExecutionRow | null>;
  /** Why the execution is not driven; null when it is. */
  quarantined(arn: ExecutionArn): Promise<QuarantineNote | null>;
  /** Drives a quarantined execution again; false when it was not quarantined. */
  release(arn: ExecutionArn): Promise<boolean>;
  /** An engine that drives only some executions drives this one too, with what it has pending. */
  adopt(arn: ExecutionArn): Promise<void>;
  /** Resolves when the execution is over (its state), or rejects on abort of `signal`. */
  ended(arn: ExecutionArn, signal?: AbortSignal): Promise<ExecutionState>;
  /** Facts as they are committed, for live views; returns the unsubscribe function. */
  subscribe(
    arn: ExecutionArn | null,
    listener: (arn: ExecutionArn, facts: readonly Fact[]) => void,
  ): () => void;
  /** Whether this engine made the token; says nothing of whether its task still waits. */
  isTaskToken(token: string): boolean;
  taskSucceeded(token: string, output: Json): Promise<TokenAnswer>;
  taskFailed(token: string, failure: Failure): Promise<TokenAnswer>;
  taskHeartbeat(token: string): Promise<TokenAnswer>;
  /** Long poll of an activity worker: the oldest scheduled task, or null when `signal` aborts first. */
  activityTask(
    activityArn: string,
    workerName: string | null,
    signal: AbortSignal,
  ): Promise<ActivityTask | null>;
  /** Takes no new work, aborts local tasks, waits for running turns. */
  close(): Promise<void>;
}
