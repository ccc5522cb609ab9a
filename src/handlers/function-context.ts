/**
 * What a function gets as second argument: the handler's world and the usual Lambda names. Every call
 * gets one and most functions look at nothing of it, so a member is made when it is asked for.
 */
import type {
  ArtifactStore,
  GuardedFiles,
  HandlerContext,
  Logger,
  TaskIdentity,
} from './handler.js';
import type { Json } from '../lib/json.js';

export class FunctionContext implements HandlerContext {
  readonly #context: HandlerContext;

  constructor(
    readonly functionName: string,
    context: HandlerContext,
  ) {
    this.#context = context;
  }

  get awsRequestId(): string {
    return this.#context.idempotencyKey;
  }

  get invokedFunctionArn(): string {
    return this.#context.task.resource;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  get idempotencyKey(): string {
    return this.#context.idempotencyKey;
  }

  get visitKey(): string {
    return this.#context.visitKey;
  }

  get task(): TaskIdentity {
    return this.#context.task;
  }

  get submission(): Json | null {
    return this.#context.submission;
  }

  get taskToken(): string | null {
    return this.#context.taskToken;
  }

  get log(): Logger {
    return this.#context.log;
  }

  get fetch(): typeof globalThis.fetch {
    return this.#context.fetch;
  }

  get files(): GuardedFiles {
    return this.#context.files;
  }

  get artifacts(): ArtifactStore {
    return this.#context.artifacts;
  }

  // A function may take the following apart from its context: they must not need it as `this`.

  get heartbeat(): HandlerContext['heartbeat'] {
    return () => this.#context.heartbeat();
  }

  get progress(): HandlerContext['progress'] {
    return (...report) => this.#context.progress(...report);
  }

  get submitted(): HandlerContext['submitted'] {
    return (output) => this.#context.submitted(output);
  }

  get scratch(): HandlerContext['scratch'] {
    return () => this.#context.scratch();
  }

  get secret(): HandlerContext['secret'] {
    return (name) => this.#context.secret(name);
  }
}
