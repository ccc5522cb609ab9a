/**
 * Other processes that drive the same store, as the engine sees them. Whoever commits a turn hands out
 * its effects and is named in them as their holder; when a holder is lost, another one takes them up.
 * All of this only saves work: the compare-and-set decides. `src/workers` implements it over Redis.
 */
import type { TaskRef } from '../core/stimulus.js';
import type { ExecutionArn, FrameId, Seq } from '../lib/brand.js';
import type { SharedStore } from '../store/store.js';

/** Work named by the fact that asked for it. */
export interface Work {
  readonly arn: ExecutionArn;
  readonly frame: FrameId;
  readonly by: Seq;
}

/** A task on its way to a process that serves its resource. */
export interface PooledTask extends Work {
  /** Who holds it until a worker has claimed it. */
  readonly from: string;
  /** Differs each time the holder hands the task over anew. */
  readonly handOver: number;
  readonly resource: string;
  /** An earlier worker may have begun it. */
  readonly recovered: boolean;
}

export type Notice =
  /** Facts up to `seq` are durable. */
  | { readonly is: 'facts'; readonly arn: ExecutionArn }
  | { readonly is: 'ended'; readonly arn: ExecutionArn; readonly mapRunArn: string | null }
  /** Nobody waits for this work any more. */
  | {
      readonly is: 'cancel';
      readonly arn: ExecutionArn;
      readonly by: Seq;
      readonly answered: boolean;
    }
  /** Somebody waits for facts of this execution. */
  | { readonly is: 'watch'; readonly arn: ExecutionArn };

/** What the engine of this process does for its peers. */
export interface LocalEngineFace {
  /** Claims and runs a task of a pool; `full`: no room here, `stale`: it is over or another's. */
  runPooled(task: PooledTask): Promise<'done' | 'stale' | 'full'>;
  noticed(notice: Notice): void;
  /** Goes on with an execution that nothing would wake otherwise. */
  wake(arn: ExecutionArn): Promise<void>;
  /** Somebody came or went: look for work without a holder. */
  changed(): void;
  /** Work that this process holds, to be checked against the store. */
  verify(): Promise<void>;
}

export interface ActivityOrder {
  readonly arn: ExecutionArn;
  readonly task: TaskRef;
}

/** Activity tasks that workers of any process may poll. */
export interface SharedActivities {
  offer(activityArn: string, order: ActivityOrder): Promise<void>;
  /** The oldest order or null; it comes back by itself unless `done` is called. */
  take(activityArn: string, signal: AbortSignal): Promise<ActivityOrder | null>;
  done(activityArn: string, order: ActivityOrder): Promise<void>;
}

export interface Peers {
  /** This process, among all that ever joined the store. */
  readonly id: string;
  readonly store: SharedStore;
  /** How often everything is looked at, lost holders or not; absent: every minute. */
  readonly sweepMs?: number | undefined;
  readonly activities: SharedActivities;
  /** Tells the others of this process and begins to hear of them. */
  join(local: LocalEngineFace): Promise<void>;
  isAlive(id: string): boolean;
  /** Whether this process is the one, of those alive, that takes up what has no holder. */
  isMine(arn: ExecutionArn): boolean;
  /** Whether tasks of this resource may run here. */
  serves(resource: string): boolean;
  /** Whether some process is known that serves what this one does not. */
  othersServe(resource: string): boolean;
  /** Room for one more task, or null; call the function when the task is over. */
  takeRoom(resource: string): (() => void) | null;
  /** Puts a task into the queue of a pool; rejects when no pool serves it, or the queue is away. */
  offer(task: PooledTask): Promise<void>;
  /** Puts executions into the queue of those that nothing else would wake. */
  wake(arns: readonly ExecutionArn[]): Promise<void>;
  tell(notice: Notice): void;
  /** Takes nothing new; tasks of pools may end. */
  stopTaking(): Promise<void>;
  /** Tells the others that what this process held is free. */
  leave(): Promise<void>;
}
