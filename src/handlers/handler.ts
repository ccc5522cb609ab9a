/**
 * What a resource handler is and all it may know of the world. A handler never sees the engine:
 * it gets JSON parameters and a HandlerContext, and returns JSON or throws a TaskFailure.
 * A result counts once; a run is at-least-once unless the handler says otherwise.
 */
import type { Json, JsonObject } from '../lib/json.js';

export interface Handler {
  /** `ml:ingest`, `sns:publish`, `arn:aws:states:::sagemaker:createTrainingJob.sync`, … */
  readonly resource: string;
  /** One sentence for `stepwell handlers`. */
  readonly description: string;
  /** JSON Schema (ajv) of the parameters; checked before `run`. */
  readonly parameters: JsonObject;
  /**
   * What happens to an attempt whose worker was lost: `rerun` starts the same attempt again with the
   * same idempotency key, `fail` ends it as `States.TaskFailed`.
   */
  readonly onWorkerLost: 'rerun' | 'fail';
  run(parameters: Json, context: HandlerContext): Promise<Json>;
}

export interface HandlerContext {
  /** Aborted on timeout, stop, lost lease and shutdown; `signal.reason` says which. */
  readonly signal: AbortSignal;
  /** The same for every re-run of one attempt; another one for the next attempt. */
  readonly idempotencyKey: string;
  /** The same for every attempt of one visit to the state: names resumable work. */
  readonly visitKey: string;
  readonly task: TaskIdentity;
  /** Resets the heartbeat timer of the state. */
  heartbeat(): void;
  /** Shows a person how far the work is; also counts as a heartbeat. */
  progress(done: number, total: number, note?: string, details?: JsonObject): void;
  /**
   * Durable answer of a submit step (`.sync`): recorded as TaskSubmitted. After a worker loss the
   * re-run finds it in `submission` and polls instead of submitting again.
   */
  submitted(output: Json): Promise<void>;
  readonly submission: Json | null;
  /** Callback token when the resource ends in `.waitForTaskToken`, else null. */
  readonly taskToken: string | null;
  /** The state's `Credentials`, evaluated; absent or null when it has none. */
  readonly credentials?: JsonObject | null;
  readonly log: Logger;
  /** `fetch` behind the egress guard: refuses internal addresses that the configuration does not allow. */
  readonly fetch: typeof globalThis.fetch;
  readonly files: GuardedFiles;
  readonly artifacts: ArtifactStore;
  /** A folder that outlives the attempt: checkpoints of this visit lie here. Created on first use. */
  scratch(): Promise<string>;
  /** Value of a configured secret; throws a TaskFailure that names the missing one. */
  secret(name: string): string;
}

/**
 * The same context with other members. A context's members may lie on its prototype, where a spread
 * does not find them.
 */
export function narrowed(
  context: HandlerContext,
  changes: Partial<HandlerContext>,
): HandlerContext {
  return Object.create(context, Object.getOwnPropertyDescriptors(changes)) as HandlerContext;
}

export interface TaskIdentity {
  readonly executionArn: string;
  readonly executionName: string;
  readonly stateMachineName: string;
  readonly stateName: string;
  /** The `Resource` as written. */
  readonly resource: string;
  /** 0 for the first attempt of a visit. */
  readonly attempt: number;
  /** The role of the execution; only AWS, asked to assume another one, cares. */
  readonly roleArn?: string;
  /** The branches and iterations of this execution around the state, outermost first. */
  readonly scopes?: readonly TaskScope[];
}

/** One branch of a Parallel or one iteration of a Map. */
export interface TaskScope {
  /** The Parallel or Map state. */
  readonly state: string;
  readonly kind: 'Parallel' | 'Map';
  readonly index: number;
  /** `Map.Item.Value` of an iteration. */
  readonly item?: Json;
}

/** `signal.reason` when the worker stops: the attempt stays open, so what it started goes on. */
export const SHUTDOWN = new Error('The engine is shutting down.');
/** `signal.reason` when a task token has answered for the handler: what it started goes on too. */
export const ANSWERED = new Error('A task token has answered for the task.');
/** `signal.reason` when nobody wants the work any more: what the handler started is to be stopped. */
export const CANCELLED = new Error('The task was cancelled.');

export interface Logger {
  debug(message: string, fields?: JsonObject): void;
  info(message: string, fields?: JsonObject): void;
  warn(message: string, fields?: JsonObject): void;
  error(message: string, fields?: JsonObject): void;
}

/** File access kept inside configured roots; symbolic links that leave a root are refused. */
export interface GuardedFiles {
  /** Absolute path of `path` (relative to the machine's base folder) if it may be read. */
  resolveReadable(path: string): Promise<string>;
  /** Absolute path of `path` if it may be written; parent folders are created. */
  resolveWritable(path: string): Promise<string>;
}

/**
 * Content-addressed artifacts: `artifact://sha256/<hex>[/<file name>]`. The same bytes have the same
 * address; a write is atomic (temporary name, fsync, rename).
 */
export interface ArtifactStore {
  /** Stores a stream or buffer; returns its address and size. */
  put(
    content: Uint8Array | AsyncIterable<Uint8Array>,
    options: { readonly name: string },
  ): Promise<ArtifactRef>;
  /** Stores a finished folder (a model) as one artifact; the hash covers names and contents. */
  putFolder(folder: string, options: { readonly name: string }): Promise<ArtifactRef>;
  /** Local path of an artifact's file or folder; throws a TaskFailure when it is absent. */
  path(uri: string): Promise<string>;
  readonly root: string;
}

export interface ArtifactRef {
  readonly uri: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** A failure of the task itself: becomes the state's Error and Cause, can be retried and caught. */
export class TaskFailure extends Error {
  override readonly name = 'TaskFailure';
  constructor(
    readonly error: string,
    readonly reason: string,
  ) {
    super(`${error}: ${reason}`);
  }
}
