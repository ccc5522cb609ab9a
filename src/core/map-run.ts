/**
 * A Map Run, the pure part: which child comes next, how children and items are counted, when too many
 * have failed, and how items are batched. What happens to the children is in their own journals; a Map
 * Run keeps a cursor (all children below it have ended and are counted) and counts the rest again from
 * the children after a restart, so a crash can neither lose nor double one.
 */
import { sha256 } from '../lib/digest.js';
import { type Json, jsonBytes, withKey } from '../lib/json.js';
import type { ExecutionIdentity, Failure, MapRunRequest } from './fact.js';
import { DISTRIBUTED_MAP_CONCURRENCY } from './limits.js';

export type ChildStatus = 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

/** What UpdateMapRun may change while the Map Run runs; null was never set. */
export interface MapRunSettings {
  readonly maxConcurrency: number;
  readonly toleratedCount: number | null;
  readonly toleratedPercentage: number | null;
}

export interface Tally {
  succeeded: number;
  failed: number;
  timedOut: number;
  aborted: number;
}

/** Children below `children` have all ended; they took the first `items` items of the source. */
export interface Cursor {
  children: number;
  items: number;
  readonly childTally: Tally;
  readonly itemTally: Tally;
}

export interface Progress {
  /** Counts and position up to the first child that has not ended: what is stored. */
  readonly cursor: Cursor;
  /** Children past the cursor that have ended. */
  readonly ahead: Map<number, { readonly items: number; readonly status: ChildStatus }>;
  /** Everything that has ended. */
  readonly childTally: Tally;
  readonly itemTally: Tally;
  runningChildren: number;
  runningItems: number;
  /** Failed before a redrive and not run again yet. */
  pendingRedriveChildren: number;
  pendingRedriveItems: number;
  /** How many there are in all; null while the source is still being read. */
  totalItems: number | null;
  totalChildren: number | null;
}

export function emptyTally(): Tally {
  return { succeeded: 0, failed: 0, timedOut: 0, aborted: 0 };
}

export function emptyCursor(): Cursor {
  return { children: 0, items: 0, childTally: emptyTally(), itemTally: emptyTally() };
}

export function progressFrom(cursor: Cursor): Progress {
  return {
    cursor: copyOf(cursor),
    ahead: new Map(),
    childTally: { ...cursor.childTally },
    itemTally: { ...cursor.itemTally },
    runningChildren: 0,
    runningItems: 0,
    pendingRedriveChildren: 0,
    pendingRedriveItems: 0,
    totalItems: null,
    totalChildren: null,
  };
}

export function copyOf(cursor: Cursor): Cursor {
  return {
    ...cursor,
    childTally: { ...cursor.childTally },
    itemTally: { ...cursor.itemTally },
  };
}

/** True when child `index` has ended and been counted. */
export function isSettled(progress: Progress, index: number): boolean {
  return index < progress.cursor.children || progress.ahead.has(index);
}

/** Counts the end of a child once, however often it is told. */
export function settle(
  progress: Progress,
  index: number,
  items: number,
  status: ChildStatus,
): boolean {
  if (isSettled(progress, index)) return false;
  count(progress, items, status);
  progress.ahead.set(index, { items, status });
  const { cursor } = progress;
  for (
    let next = progress.ahead.get(cursor.children);
    next !== undefined;
    next = progress.ahead.get(cursor.children)
  ) {
    progress.ahead.delete(cursor.children);
    cursor.children++;
    cursor.items += next.items;
    add(cursor.childTally, next.status, 1);
    add(cursor.itemTally, next.status, next.items);
  }
  return true;
}

function count(progress: Progress, items: number, status: ChildStatus): void {
  add(progress.childTally, status, 1);
  add(progress.itemTally, status, items);
}

function add(tally: Tally, status: ChildStatus, amount: number): void {
  if (status === 'SUCCEEDED') tally.succeeded += amount;
  else if (status === 'FAILED') tally.failed += amount;
  else if (status === 'TIMED_OUT') tally.timedOut += amount;
  else tally.aborted += amount;
}

export function concurrencyOf(settings: MapRunSettings): number {
  const { maxConcurrency } = settings;
  return maxConcurrency === 0
    ? DISTRIBUTED_MAP_CONCURRENCY
    : Math.min(maxConcurrency, DISTRIBUTED_MAP_CONCURRENCY);
}

export const THRESHOLD_EXCEEDED: Failure = {
  error: 'States.ExceedToleratedFailureThreshold',
  cause: 'The specified tolerated failure threshold was exceeded',
};

/**
 * Too many items have failed or timed out. Either threshold counts when it was set, none tolerates
 * nothing. A percentage is of all items, so it can be judged only once their number is known.
 */
export function isThresholdExceeded(settings: MapRunSettings, progress: Progress): boolean {
  const { toleratedCount, toleratedPercentage } = settings;
  const failed = progress.itemTally.failed + progress.itemTally.timedOut;
  if (failed === 0) return false;
  if (toleratedCount === null && toleratedPercentage === null) return true;
  if (toleratedCount !== null && failed > toleratedCount) return true;
  if (toleratedPercentage === null) return false;
  if (toleratedPercentage === 0) return true;
  return progress.totalItems !== null && (failed / progress.totalItems) * 100 > toleratedPercentage;
}

/** The same digits for the same seed, in the form of a version 4 UUID. */
export function uuidFrom(seed: string): string {
  const hex = sha256(seed);
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join('-');
}

/** `arn:<partition>:states:<region>:<account>` of an execution. */
function scopeOfArn(arn: string): string {
  return arn.split(':', 5).join(':');
}

/** The machine's own name: a child of a Map Run is called `<machine>/<label>`. */
function baseName(identity: ExecutionIdentity): string {
  return identity.stateMachineName.split('/', 1)[0] ?? identity.stateMachineName;
}

export function mapRunArnOf(identity: ExecutionIdentity, label: string, uuid: string): string {
  return `${scopeOfArn(identity.arn)}:mapRun:${baseName(identity)}/${label}:${uuid}`;
}

export function uuidOfMapRun(mapRunArn: string): string {
  return mapRunArn.slice(mapRunArn.lastIndexOf(':') + 1);
}

/** Child `index` of a Map Run: named by both, so that starting it twice starts it once. */
export function childIdentity(
  parent: ExecutionIdentity,
  request: MapRunRequest,
  index: number,
): ExecutionIdentity {
  const scope = scopeOfArn(parent.arn);
  const machine = `${baseName(parent)}/${request.label}`;
  const run = uuidOfMapRun(request.mapRunArn);
  const name = uuidFrom(`${run}\n${index}`);
  const express = request.executionType === 'EXPRESS';
  return {
    arn: express
      ? `${scope}:express:${machine}:${name}:${uuidFrom(`${run}\n${index}\nexpress`)}`
      : `${scope}:execution:${machine}:${name}`,
    name,
    stateMachineArn: `${scope}:stateMachine:${machine}`,
    stateMachineName: machine,
    stateMachineVersionArn: null,
    stateMachineAliasArn: null,
    mapRunArn: request.mapRunArn,
    roleArn: parent.roleArn,
    type: request.executionType,
  };
}

export interface Batch {
  readonly items: number;
  readonly input: Json;
}

export interface Batcher {
  /** The batches that are full now that `item` has come. */
  add(item: Json): Batch | null;
  /** What is left at the end. */
  flush(): Batch | null;
}

/**
 * Child inputs from items: each item by itself, or `{BatchInput?, Items}`. Both limits may be set, the
 * smaller one closes the batch; a batch never grows past the payload limit. One item that is larger
 * than the limit makes a batch of its own.
 */
export function createBatcher(rule: MapRunRequest['batch'], payloadBytes: number): Batcher {
  if (rule === null) {
    return { add: (item) => ({ items: 1, input: item }), flush: () => null };
  }
  const maxItems = rule.maxItems ?? Number.POSITIVE_INFINITY;
  const maxBytes = Math.min(rule.maxBytes ?? payloadBytes, payloadBytes);
  const head = rule.input === null ? {} : { BatchInput: rule.input };
  const emptyBytes = jsonBytes(withKey(head, 'Items', []));
  let open: Json[] = [];
  let bytes = emptyBytes;
  const close = (): Batch | null => {
    if (open.length === 0) return null;
    const batch = { items: open.length, input: withKey(head, 'Items', open) };
    open = [];
    bytes = emptyBytes;
    return batch;
  };
  return {
    add: (item) => {
      const size = jsonBytes(item) + 1;
      const full = open.length > 0 && bytes + size - 1 > maxBytes ? close() : null;
      open.push(item);
      bytes += size;
      return full ?? (open.length >= maxItems ? close() : null);
    },
    flush: close,
  };
}
