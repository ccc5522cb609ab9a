/**
 * Hands scheduled tasks to the handlers of this process and brings their answers back. It keeps the
 * cancellation of each running attempt; a result counts once because the engine checks the nonce.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FactOf, Outcome } from '../core/fact.js';
import type { ExecutionState } from '../core/state.js';
import type { TaskRef } from '../core/stimulus.js';
import type { ArtifactStore, GuardedFiles, Handler, Logger } from '../handlers/handler.js';
import { CANCELLED, SHUTDOWN, TaskFailure } from '../handlers/handler.js';
import { assert } from '../lib/assert.js';
import type { ExecutionArn, Seq } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import { Cancellation } from './cancellation.js';
import { type Lent, TaskContext, visitKeyOf } from './task-context.js';

/** Finds what does a resource; `handler` null means that workers poll for it. */
export interface Resources {
  resolve(resource: string): { readonly handler: Handler | null } | null;
  explainUnknown(resource: string): string;
}

/** What the composition root lends to every handler. */
export interface HandlerServices {
  readonly artifacts: ArtifactStore;
  readonly files: GuardedFiles;
  readonly fetch: typeof globalThis.fetch;
  secret(name: string): string;
  /** Scratch folders lie under here; null: no handler of this engine keeps one. */
  readonly scratchRoot: string | null;
  readonly log: Logger;
}

/** How far a running task is, for people. */
export interface TaskProgress {
  readonly arn: ExecutionArn;
  readonly stateName: string;
  readonly done: number;
  readonly total: number;
  readonly note: string | null;
  readonly details: JsonObject | null;
}

/** Where answers go. */
export interface TaskReceiver {
  result(
    arn: ExecutionArn,
    task: TaskRef,
    outcome: Outcome,
    stage: 'run' | 'schedule',
  ): Promise<void>;
  submitted(arn: ExecutionArn, task: TaskRef, output: Json): Promise<void>;
  heartbeat(arn: ExecutionArn, task: TaskRef): void;
  progress(progress: TaskProgress): void;
  /** Resolves after `ms`, or when everything stops. */
  pause(ms: number): Promise<void>;
}

/** Before a task whose store was away runs again. */
const STORE_PAUSE_MS = 1_000;

export interface TaskOrder {
  readonly state: ExecutionState;
  readonly scheduled: FactOf<'TaskScheduled'>;
  readonly stateName: string;
  readonly visit: number;
  readonly attempt: number;
  readonly submission: Json | null;
  readonly taskToken: string | null;
  /** The worker of an earlier try was lost: only handlers that allow it run again. */
  readonly recovered: boolean;
}

interface Running {
  readonly arn: ExecutionArn;
  readonly by: Seq;
  readonly nonce: string;
  readonly cancellation: Cancellation;
  readonly over: Promise<void>;
}

interface Attempt {
  readonly order: TaskOrder;
  readonly arn: ExecutionArn;
  readonly task: TaskRef;
  readonly cancellation: Cancellation;
  readonly worked: () => void;
}

export class Dispatcher {
  private readonly running = new Map<string, Running>();

  private readonly lent: Lent;

  /** Scratch folders made here for work that is not over. */
  private readonly folders = new Set<string>();

  constructor(
    private readonly resources: Resources,
    private readonly services: HandlerServices,
    private readonly receiver: TaskReceiver,
  ) {
    this.lent = { services, receiver, scratch: (...visit) => this.makeScratch(...visit) };
  }

  /**
   * Starts the work of one attempt; resolves when it is over, and never rejects. `worked` is called when
   * the handler has done its part: bringing its answer back takes the store's time, not the handler's.
   */
  start(order: TaskOrder, worked: () => void = () => undefined): Promise<void> {
    const { scheduled, state } = order;
    const arn = state.identity.arn as ExecutionArn;
    const task: TaskRef = {
      frame: scheduled.frame,
      scheduled: scheduled.seq,
      nonce: scheduled.nonce,
    };
    const name = runName(arn, scheduled.seq);
    const known = this.running.get(name);
    if (known?.nonce === task.nonce && known.cancellation.reason === null) return known.over;
    // Scheduled anew after a store went back: nobody waits for the other attempt any more.
    known?.cancellation.abort(CANCELLED);
    const cancellation = new Cancellation();
    const over = this.runToEnd(name, { order, arn, task, cancellation, worked });
    this.running.set(name, { arn, by: scheduled.seq, nonce: task.nonce, cancellation, over });
    return over;
  }

  private async runToEnd(name: string, attempt: Attempt): Promise<void> {
    const { arn, cancellation } = attempt;
    try {
      await this.run(attempt);
    } catch (error) {
      this.services.log.error('A task could not be answered.', { arn, error: String(error) });
    } finally {
      if (this.running.get(name)?.cancellation === cancellation) this.running.delete(name);
    }
  }

  private async run(attempt: Attempt): Promise<void> {
    const { order, arn, task, cancellation } = attempt;
    const { resource } = order.scheduled;
    const found = this.resources.resolve(resource.arn);
    if (found === null || found.handler === null) {
      const reason = this.resources.explainUnknown(resource.arn);
      return this.receiver.result(arn, task, failure('States.TaskFailed', reason), 'run');
    }
    const { handler } = found;
    if (order.recovered && handler.onWorkerLost === 'fail' && order.submission === null) {
      const reason = `The worker that ran ${resource.arn} was lost, and the handler must not run twice.`;
      return this.receiver.result(arn, task, failure('States.TaskFailed', reason), 'run');
    }
    let outcome: Outcome;
    try {
      const context = new TaskContext(this.lent, order, arn, task, cancellation);
      outcome = { ok: true, output: await handler.run(order.scheduled.parameters, context) };
    } catch (error) {
      // Told to stop: that is no failure of the task. Mostly nobody waits for it any more; where somebody
      // does, after a shutdown or because the store went back behind the cancel, it is begun again.
      if (cancellation.reason !== null) return;
      // Our own store was away, which is no failure of the task: as if the worker had been lost.
      if (isStoreUnavailable(error) && handler.onWorkerLost === 'rerun') {
        this.services.log.warn('A task waits for the store.', { arn, error: messageOf(error) });
        await this.receiver.pause(STORE_PAUSE_MS);
        if (cancellation.reason !== null) return;
        return this.run({ ...attempt, order: { ...order, recovered: true } });
      }
      if (error instanceof TaskFailure) outcome = failure(error.error, error.reason);
      else {
        this.services.log.error(`The handler of ${resource.arn} threw.`, { error: stackOf(error) });
        outcome = failure('States.TaskFailed', messageOf(error));
      }
    }
    attempt.worked();
    if (cancellation.reason === SHUTDOWN) return;
    if (outcome.ok && resource.pattern === 'wait-for-task-token') {
      return this.receiver.submitted(arn, task, outcome.output);
    }
    await this.receiver.result(arn, task, outcome, 'run');
    // The result is durable: what the visit kept for its own resumption is of no use any more.
    if (outcome.ok) await this.dropScratch(order, arn, task);
  }

  /** Most tasks have no folder, and nothing asks the disk about those. */
  private async dropScratch(order: TaskOrder, arn: ExecutionArn, task: TaskRef): Promise<void> {
    // One of an earlier process, or of an earlier attempt in it, is not known here.
    const maybe = this.folders.size > 0 || order.recovered || order.attempt > 0;
    const folder = maybe ? this.scratchOf(order, arn, task) : null;
    if (folder === null) return;
    if (!this.folders.delete(folder) && !order.recovered && order.attempt === 0) return;
    await rm(folder, { recursive: true, force: true });
  }

  private async makeScratch(order: TaskOrder, arn: ExecutionArn, task: TaskRef): Promise<string> {
    const folder = this.scratchOf(order, arn, task);
    assert(folder !== null, 'An engine without scratch folders has handlers that need none.');
    this.folders.add(folder);
    await mkdir(folder, { recursive: true });
    return folder;
  }

  private scratchOf(order: TaskOrder, arn: ExecutionArn, task: TaskRef): string | null {
    const { scratchRoot } = this.services;
    return scratchRoot === null
      ? null
      : join(scratchRoot, visitKeyOf(order, arn, task).slice(0, 32));
  }

  /** Tells a running attempt that nobody waits for it any more. */
  cancel(arn: ExecutionArn, by: number, reason: Error = CANCELLED): void {
    this.running.get(runName(arn, by))?.cancellation.abort(reason);
  }

  isRunning(arn: ExecutionArn, by: number): boolean {
    return this.running.has(runName(arn, by));
  }

  /** What runs here now. */
  list(): readonly { readonly arn: ExecutionArn; readonly by: Seq }[] {
    return [...this.running.values()].map(({ arn, by }) => ({ arn, by }));
  }

  /** Aborts everything; the attempts stay open in the journal. */
  close(): void {
    for (const { cancellation } of this.running.values()) cancellation.abort(SHUTDOWN);
  }

  get size(): number {
    return this.running.size;
  }
}

function runName(arn: string, by: number): string {
  return `${arn} ${by}`;
}

function failure(error: string, cause: string): Outcome {
  return { ok: false, failure: { error, cause } };
}

function isStoreUnavailable(error: unknown): boolean {
  return error instanceof Error && error.name === 'StoreUnavailable';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
