/**
 * The children of one Map Run: which run, which wait for their redrive, how those that ended did, and
 * which index comes next. What is counted here is what DescribeMapRun shows.
 */
import {
  type ChildStatus,
  type Cursor,
  emptyCursor,
  type Progress,
  progressFrom,
  settle,
} from '../../core/map-run.js';
import type { ExecutionState } from '../../core/state.js';

export interface Child {
  readonly index: number;
  readonly items: number;
}

export class Roster {
  progress: Progress = progressFrom(emptyCursor());
  readonly running = new Map<string, Child>();
  nextIndex = 0;
  itemsTaken = 0;
  /** Failed before the Map Run was redriven; each runs again. */
  private waiting: Child[] = [];

  /** Everything below the cursor has ended and is counted. */
  begin(cursor: Cursor, totalItems: number | null): void {
    this.progress = progressFrom(cursor);
    this.progress.totalItems = totalItems;
  }

  /** The source has been read to its end. */
  complete(): void {
    this.progress.totalItems = this.itemsTaken;
    this.progress.totalChildren = this.nextIndex;
  }

  takes(index: number, items: number): void {
    this.nextIndex = Math.max(this.nextIndex, index + 1);
    this.itemsTaken += items;
  }

  runs(arn: string, { index, items }: Child): void {
    this.running.set(arn, { index, items });
    this.progress.runningChildren++;
    this.progress.runningItems += items;
  }

  awaitsRedrive(child: Child): void {
    this.waiting.push(child);
    this.progress.pendingRedriveChildren++;
    this.progress.pendingRedriveItems += child.items;
  }

  /** In order; one that is taken waits no longer. */
  nextToRedrive(): Child | null {
    const child = this.waiting.shift();
    if (child === undefined) return null;
    this.progress.pendingRedriveChildren--;
    this.progress.pendingRedriveItems -= child.items;
    return child;
  }

  get redrivesWaiting(): readonly Child[] {
    return this.waiting;
  }

  /** The child that ended, or null for what was not running (any more). */
  ended(state: ExecutionState): Child | null {
    const { arn } = state.identity;
    const child = this.running.get(arn);
    if (child === undefined || state.status === 'RUNNING') return null;
    this.running.delete(arn);
    this.progress.runningChildren--;
    this.progress.runningItems -= child.items;
    settle(this.progress, child.index, child.items, state.status as ChildStatus);
    return child;
  }
}
