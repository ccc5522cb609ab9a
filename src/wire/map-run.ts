/** A Map Run as documents and the API hold it: written by the runtime, read and updated by the api. */
import type { EpochMs } from '../lib/brand.js';
import { epochSeconds } from './dates.js';
import type { WireObject } from './describe.js';

export interface MapRunCounts {
  readonly pending: number;
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly timedOut: number;
  readonly aborted: number;
  readonly total: number;
  readonly resultsWritten: number;
  readonly failuresNotRedrivable?: number;
  readonly pendingRedrive?: number;
}

export interface MapRun {
  readonly arn: string;
  readonly executionArn: string;
  /** `machine/label`: the state machine of the children. */
  readonly stateMachineArn: string;
  readonly status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'ABORTED';
  readonly startedAt: EpochMs;
  readonly stoppedAt: EpochMs | null;
  readonly maxConcurrency: number;
  readonly toleratedFailurePercentage: number;
  readonly toleratedFailureCount: number;
  readonly itemCounts: MapRunCounts;
  readonly executionCounts: MapRunCounts;
  readonly redriveCount: number;
  readonly redrivenAt: EpochMs | null;
}

export function describeMapRun(run: MapRun): WireObject {
  return {
    mapRunArn: run.arn,
    executionArn: run.executionArn,
    status: run.status,
    startDate: epochSeconds(run.startedAt),
    stopDate: run.stoppedAt === null ? undefined : epochSeconds(run.stoppedAt),
    maxConcurrency: run.maxConcurrency,
    toleratedFailurePercentage: run.toleratedFailurePercentage,
    toleratedFailureCount: run.toleratedFailureCount,
    itemCounts: { ...run.itemCounts },
    executionCounts: { ...run.executionCounts },
    redriveCount: run.redriveCount,
    redriveDate: run.redrivenAt === null ? undefined : epochSeconds(run.redrivenAt),
  };
}

export function listMapRun(run: MapRun): WireObject {
  return {
    executionArn: run.executionArn,
    mapRunArn: run.arn,
    stateMachineArn: run.stateMachineArn,
    startDate: epochSeconds(run.startedAt),
    stopDate: run.stoppedAt === null ? undefined : epochSeconds(run.stoppedAt),
  };
}
