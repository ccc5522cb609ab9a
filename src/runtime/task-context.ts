/**
 * What a handler gets to know of its attempt. Every task gets one and most handlers look at two or
 * three members, so a member is made when it is asked for. All lie on the prototype: a literal's own
 * getter would cost a hidden class each time, and V8 would keep what it closes over (the whole
 * execution) until it collects the old generation. Narrow one with `narrowed`; a spread loses all.
 */
import type { TaskRef } from '../core/stimulus.js';
import type {
  ArtifactStore,
  GuardedFiles,
  HandlerContext,
  Logger,
  TaskIdentity,
} from '../handlers/handler.js';
import type { ExecutionArn } from '../lib/brand.js';
import { sha256 } from '../lib/digest.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { Cancellation } from './cancellation.js';
import type { HandlerServices, TaskOrder, TaskReceiver } from './dispatcher.js';
import { scopesOf } from './scopes.js';

/** What every context of a dispatcher shares. */
export interface Lent {
  readonly services: HandlerServices;
  readonly receiver: TaskReceiver;
  /** Makes the folder of the visit and resolves with its path. */
  scratch(order: TaskOrder, arn: ExecutionArn, task: TaskRef): Promise<string>;
}

export class TaskContext implements HandlerContext {
  constructor(
    private readonly lent: Lent,
    private readonly order: TaskOrder,
    private readonly arn: ExecutionArn,
    private readonly ref: TaskRef,
    private readonly cancellation: Cancellation,
  ) {}

  get signal(): AbortSignal {
    return this.cancellation.signal;
  }

  get visitKey(): string {
    return visitKeyOf(this.order, this.arn, this.ref);
  }

  get idempotencyKey(): string {
    return sha256(`${this.visitKey}\n${this.ref.scheduled}\n${this.ref.nonce}`);
  }

  get task(): TaskIdentity {
    const { order, arn, ref } = this;
    const { identity } = order.state;
    return {
      executionArn: arn,
      executionName: identity.name,
      stateMachineName: identity.stateMachineName,
      stateName: order.stateName,
      resource: order.scheduled.resource.arn,
      attempt: order.attempt,
      roleArn: identity.roleArn,
      scopes: scopesOf(order.state, ref.frame),
    };
  }

  get credentials(): JsonObject | null {
    return this.order.scheduled.credentials ?? null;
  }

  get submission(): Json | null {
    return this.order.submission;
  }

  get taskToken(): string | null {
    return this.order.taskToken;
  }

  get log(): Logger {
    return this.lent.services.log;
  }

  get fetch(): typeof globalThis.fetch {
    return this.lent.services.fetch;
  }

  get files(): GuardedFiles {
    return this.lent.services.files;
  }

  get artifacts(): ArtifactStore {
    return this.lent.services.artifacts;
  }

  // The following are handed on without their context: they must not need it as `this`.

  get heartbeat(): HandlerContext['heartbeat'] {
    const { lent, arn, ref } = this;
    return () => lent.receiver.heartbeat(arn, ref);
  }

  get progress(): HandlerContext['progress'] {
    const { lent, arn, ref, order } = this;
    const { stateName } = order;
    return (done, total, note, details) => {
      lent.receiver.heartbeat(arn, ref);
      const report = { arn, stateName, done, total, note: note ?? null, details: details ?? null };
      lent.receiver.progress(report);
    };
  }

  get submitted(): HandlerContext['submitted'] {
    const { lent, arn, ref } = this;
    return (output) => lent.receiver.submitted(arn, ref, output);
  }

  get scratch(): HandlerContext['scratch'] {
    const { lent, order, arn, ref } = this;
    return () => lent.scratch(order, arn, ref);
  }

  get secret(): HandlerContext['secret'] {
    const { services } = this.lent;
    return (name) => services.secret(name);
  }
}

/** Names one visit to a state: the same for every attempt and every re-run of it. */
export function visitKeyOf(order: TaskOrder, arn: ExecutionArn, task: TaskRef): string {
  return sha256(`${arn}\n${order.stateName}\n${task.frame}\n${order.visit}`);
}
