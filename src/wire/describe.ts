/**
 * Executions as the API shows them: the folded state (DescribeExecution), the index row
 * (ListExecutions) and events (GetExecutionHistory). Pure; dates in epoch seconds.
 */
import type { ExecutionState } from '../core/state.js';
import type { EpochMs } from '../lib/brand.js';
import { fromEntries, type Json, type JsonObject } from '../lib/json.js';
import { epochSeconds } from './dates.js';
import type { HistoryEvent } from './history.js';

/** AWS redrives an execution at most 14 days after it ended. */
const REDRIVABLE_MS = 14 * 24 * 3600 * 1000;

/** What of a row ListExecutions reads; a structural part of the store's ExecutionRow. */
export interface ListedExecution {
  readonly arn: string;
  readonly name: string;
  readonly stateMachineArn: string;
  readonly stateMachineVersionArn: string | null;
  readonly stateMachineAliasArn: string | null;
  readonly mapRunArn: string | null;
  readonly status: string;
  readonly startedAt: EpochMs;
  readonly stoppedAt: EpochMs | null;
  readonly redriveCount: number;
  readonly redrivenAt: EpochMs | null;
}

/** Members that are undefined are absent on the wire. */
export type WireObject = { readonly [member: string]: WireValue };
export type WireValue = Json | undefined | WireObject | readonly WireObject[];

export function describeExecution(
  state: ExecutionState,
  now: EpochMs,
  includeData = true,
): WireObject {
  const { identity, outcome } = state;
  return {
    executionArn: identity.arn,
    stateMachineArn: identity.stateMachineArn,
    name: identity.name,
    status: state.status,
    startDate: epochSeconds(state.startedAt),
    stopDate: seconds(state.stoppedAt),
    ...inputAndOutput(state, includeData),
    traceHeader: state.traceHeader ?? undefined,
    mapRunArn: identity.mapRunArn ?? undefined,
    ...(outcome !== null && !outcome.ok ? failureMembers(outcome.failure) : {}),
    stateMachineVersionArn: identity.stateMachineVersionArn ?? undefined,
    stateMachineAliasArn: identity.stateMachineAliasArn ?? undefined,
    redriveCount: state.redriveCount,
    redriveDate: seconds(state.redrivenAt),
    ...redriveStatus(state, now),
  };
}

/** What the row alone tells, when the journal cannot be read: input and output are left out. */
export function describeRow(row: ListedExecution): WireObject {
  return {
    ...listExecution(row),
    inputDetails: { included: false },
    redriveStatus: 'NOT_REDRIVABLE',
    redriveStatusReason: 'Execution is quarantined: its journal is damaged',
  };
}

export interface RedriveStatus {
  readonly redriveStatus: 'REDRIVABLE' | 'NOT_REDRIVABLE' | 'REDRIVABLE_BY_MAP_RUN';
  readonly redriveStatusReason?: string;
}

export function redriveStatus(state: ExecutionState, now: EpochMs): RedriveStatus {
  const refused = (why: string): RedriveStatus => ({
    redriveStatus: 'NOT_REDRIVABLE',
    redriveStatusReason: why,
  });
  if (state.status === 'SUCCEEDED' || state.status === 'RUNNING') {
    return refused(`Execution is ${state.status} and cannot be redriven`);
  }
  if (state.stoppedAt !== null && now - state.stoppedAt > REDRIVABLE_MS) {
    return refused('Execution redrive period exceeded');
  }
  if (state.identity.mapRunArn !== null) return { redriveStatus: 'REDRIVABLE_BY_MAP_RUN' };
  return { redriveStatus: 'REDRIVABLE' };
}

/** AWS bills Express workflows in steps of 100 ms and 64 MB. */
const BILLED_STEP_MS = 100;
const BILLED_STEP_MB = 64;

export function describeSyncExecution(state: ExecutionState, includeData = true): WireObject {
  const { identity, outcome } = state;
  const stoppedAt = state.stoppedAt ?? state.lastAt;
  const steps = Math.max(1, Math.ceil((stoppedAt - state.startedAt) / BILLED_STEP_MS));
  return {
    executionArn: identity.arn,
    stateMachineArn: identity.stateMachineArn,
    name: identity.name,
    startDate: epochSeconds(state.startedAt),
    stopDate: epochSeconds(stoppedAt),
    // A synchronous execution has no status for a stop by hand; AWS offers none either.
    status: state.status === 'ABORTED' ? 'FAILED' : state.status,
    ...(outcome !== null && !outcome.ok ? failureMembers(outcome.failure) : {}),
    ...inputAndOutput(state, includeData),
    // Recorded: present even when the execution failed without output.
    outputDetails: { included: includeData },
    traceHeader: state.traceHeader ?? undefined,
    billingDetails: {
      billedMemoryUsedInMB: BILLED_STEP_MB,
      billedDurationInMilliseconds: steps * BILLED_STEP_MS,
    },
  };
}

export function listExecution(row: ListedExecution): WireObject {
  return {
    executionArn: row.arn,
    stateMachineArn: row.stateMachineArn,
    name: row.name,
    status: row.status,
    startDate: epochSeconds(row.startedAt),
    stopDate: seconds(row.stoppedAt),
    mapRunArn: row.mapRunArn ?? undefined,
    stateMachineVersionArn: row.stateMachineVersionArn ?? undefined,
    stateMachineAliasArn: row.stateMachineAliasArn ?? undefined,
    redriveCount: row.redriveCount,
    redriveDate: seconds(row.redrivenAt),
  };
}

/** Members that hold execution data, as GetExecutionHistory and the log leave them out. */
const DATA_MEMBERS: ReadonlySet<string> = new Set([
  'input',
  'inputDetails',
  'output',
  'outputDetails',
  'parameters',
  'assignedVariables',
  'assignedVariablesDetails',
]);

export function historyEvent(event: HistoryEvent, includeData: boolean): WireObject {
  const head = {
    timestamp: event.timestamp / 1000,
    type: event.type,
    id: event.id,
    previousEventId: event.previousEventId,
  };
  if (event.details === null) return head;
  return { ...head, [event.details.name]: eventDetails(event, includeData) };
}

export function eventDetails(event: HistoryEvent, includeData: boolean): JsonObject {
  const value = event.details?.value ?? {};
  if (includeData) return value;
  return fromEntries(Object.entries(value).filter(([name]) => !DATA_MEMBERS.has(name)));
}

function inputAndOutput(state: ExecutionState, included: boolean): WireObject {
  const succeeded = state.outcome?.ok === true;
  const input = included ? JSON.stringify(state.input) : undefined;
  const output =
    included && state.outcome?.ok === true ? JSON.stringify(state.outcome.output) : undefined;
  return {
    input,
    inputDetails: { included },
    output,
    outputDetails: succeeded ? { included } : undefined,
  };
}

function failureMembers(failure: {
  readonly error: string | null;
  readonly cause: string | null;
}): WireObject {
  return { error: failure.error ?? undefined, cause: failure.cause ?? undefined };
}

function seconds(at: EpochMs | null): number | undefined {
  return at === null ? undefined : epochSeconds(at);
}
