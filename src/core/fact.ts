/**
 * Facts: what happened to one execution, in order. The journal of facts is the ground truth; state,
 * history, indexes and timers are derived from it. A fact records a decision with everything needed
 * to apply it, so that nothing is ever decided twice.
 *
 * Law: additive only. A field is never renamed or re-used; `factVersion` in ExecutionStarted rises
 * when an upcaster is needed at load.
 *
 * Values that equal what the frame already holds are left out (`output` absent = the frame's value):
 * it keeps journals small and the hot path free of copies.
 */
import type { EpochMs, FrameId, Nonce, RevisionId, Seq } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';

export type StateKind =
  | 'Task'
  | 'Parallel'
  | 'Map'
  | 'Pass'
  | 'Wait'
  | 'Choice'
  | 'Succeed'
  | 'Fail';

/** Public numbering of a fact that AWS shows as an event; null marks a private fact. */
export interface EventRef {
  readonly id: number;
  readonly previousId: number;
}

/** What went wrong in a user's run. Null members were not given. */
export interface Failure {
  readonly error: string | null;
  readonly cause: string | null;
}

export type Outcome =
  | { readonly ok: true; readonly output: Json }
  | { readonly ok: false; readonly failure: Failure };

/** How a failed attempt goes on; chosen once, recorded, never chosen again. */
export type Recovery =
  | {
      readonly do: 'retry';
      readonly retrier: number;
      readonly attempt: number;
      readonly at: EpochMs;
    }
  | { readonly do: 'catch'; readonly catcher: number }
  | { readonly do: 'raise' };

/** A resource as the interpreter sees it: what to call, and how AWS names it in events. */
export interface TaskResource {
  /** The `Resource` field as written. */
  readonly arn: string;
  readonly kind: 'lambda-function' | 'activity' | 'task';
  /** `lambda`, `sqs`, `aws-sdk:s3`, `ml`, …; empty for function and activity ARNs. */
  readonly type: string;
  /** `invoke`, `sendMessage.waitForTaskToken`, …; the ARN for function and activity ARNs. */
  readonly action: string;
  readonly pattern: 'request-response' | 'sync' | 'wait-for-task-token';
}

export interface ExecutionIdentity {
  readonly arn: string;
  readonly name: string;
  readonly stateMachineArn: string;
  readonly stateMachineName: string;
  readonly stateMachineVersionArn: string | null;
  readonly stateMachineAliasArn: string | null;
  readonly mapRunArn: string | null;
  readonly roleArn: string;
  readonly type: 'STANDARD' | 'EXPRESS';
  /** StartSyncExecution and TestState: their Context Object has no RedriveCount (recorded). */
  readonly synchronous?: boolean;
}

/** What a Distributed Map hands to its Map Run. Everything is evaluated already but ItemSelector. */
export interface MapRunRequest {
  readonly mapRunArn: string;
  /** Names the children's machine: `<machine>/<label>`. */
  readonly label: string;
  readonly executionType: 'STANDARD' | 'EXPRESS';
  /** Items of the state's input (array, or object: one item per member), null: a reader brings them. */
  readonly items: Json | null;
  readonly reader: {
    readonly resource: string;
    readonly parameters: Json;
    readonly config: JsonObject;
    /** Zero or null: all. */
    readonly maxItems: number | null;
  } | null;
  readonly writer: {
    /** Null: WriterConfig alone shapes the state's own result. */
    readonly resource: string | null;
    readonly parameters: Json;
    readonly config: JsonObject;
  } | null;
  readonly batch: {
    readonly maxItems: number | null;
    readonly maxBytes: number | null;
    readonly input: Json | null;
  } | null;
  /** As declared: 0 for as many as the engine allows. */
  readonly maxConcurrency: number;
  readonly toleratedCount: number | null;
  readonly toleratedPercentage: number | null;
}

/** Where a forked execution comes from. */
export interface ForkOrigin {
  readonly arn: string;
  /** Seq of the last fact of the origin that was looked at. */
  readonly seq: Seq;
  /** SHA-256 of the JSON text of the origin's facts up to `seq`. */
  readonly digest: string;
}

export interface FactHead {
  /** Of the first fact of a commit, where several processes share the store: whose commit it is. */
  readonly on?: string;
  readonly seq: Seq;
  readonly at: EpochMs;
  readonly frame: FrameId;
  readonly event: EventRef | null;
}

export type FactBody =
  | {
      readonly type: 'ExecutionStarted';
      readonly factVersion: 1;
      readonly identity: ExecutionIdentity;
      readonly revision: RevisionId;
      /** First state of the machine. */
      readonly start: string;
      readonly input: Json;
      readonly deadlineAt: EpochMs | null;
      readonly traceHeader: string | null;
    }
  | { readonly type: 'StateEntered'; readonly kind: StateKind; readonly name: string }
  | {
      readonly type: 'StateExited';
      readonly kind: StateKind;
      readonly name: string;
      /** Absent: the state's raw input passes on unchanged. */
      readonly output?: Json;
      readonly assigned?: JsonObject;
      /** Null ends the frame. */
      readonly next: string | null;
      /** Of a Choice: index of the rule that held, null for Default; absent in journals of 0.1. */
      readonly rule?: number | null;
    }
  | { readonly type: 'WaitStarted'; readonly until: EpochMs }
  | {
      readonly type: 'TaskScheduled';
      readonly resource: TaskResource;
      readonly parameters: Json;
      readonly credentials: JsonObject | null;
      readonly nonce: Nonce;
      readonly timeoutSeconds: number | null;
      readonly heartbeatSeconds: number | null;
      readonly timeoutAt: EpochMs | null;
    }
  | { readonly type: 'TaskStarted'; readonly workerName: string | null }
  | {
      readonly type: 'TaskSubmitted';
      readonly scheduled: Seq;
      readonly output: Json;
      /** The submit step was all this worker had to do: a callback brings the result. */
      readonly handedOver: boolean;
    }
  | { readonly type: 'TaskSucceeded'; readonly scheduled: Seq; readonly output: Json }
  | {
      readonly type: 'TaskFailed';
      readonly scheduled: Seq;
      readonly failure: Failure;
      /** Which event AWS shows for it. */
      readonly stage: 'run' | 'timeout' | 'schedule' | 'start' | 'submit';
    }
  | {
      readonly type: 'EvaluationFailed';
      readonly failure: Failure;
      readonly location: string | null;
      readonly state: string;
    }
  | { readonly type: 'AttemptFailed'; readonly failure: Failure; readonly recovery: Recovery }
  | { readonly type: 'RetryStarted' }
  | {
      readonly type: 'FanOutStarted';
      readonly kind: 'Parallel' | 'Map';
      readonly width: number;
      readonly items: readonly Json[] | null;
      /** Input of every branch (Parallel); what ItemSelector sees as `$` (Map). */
      readonly input: Json;
      readonly limit: number;
    }
  | {
      readonly type: 'ChildStarted';
      readonly child: FrameId;
      readonly index: number;
      readonly block: string;
      readonly start: string;
      readonly input: Json;
    }
  | {
      readonly type: 'ChildEnded';
      readonly child: FrameId;
      readonly index: number;
      readonly outcome: Outcome;
    }
  | {
      /** A frame stopped because a sibling failed; `what` names the state or iteration AWS shows. */
      readonly type: 'FrameAborted';
      readonly child: FrameId;
      readonly what: 'Task' | 'Wait' | 'Map' | 'Parallel' | 'MapIteration' | null;
      readonly index: number;
      /** Seq of the timer or task that ends with it. */
      readonly ends: Seq | null;
    }
  | {
      readonly type: 'FanOutEnded';
      readonly kind: 'Parallel' | 'Map';
      readonly ok: boolean;
      /** False when the failure goes on upwards: a redrive resumes the children. */
      readonly discard: boolean;
    }
  /** A Distributed Map has its items (0 when a reader brings them); the Map Run follows. */
  | { readonly type: 'MapStateStarted'; readonly length: number }
  | { readonly type: 'MapRunStarted'; readonly request: MapRunRequest }
  | {
      readonly type: 'MapRunRedriven';
      /** Seq of the MapRunStarted it goes on from. */
      readonly by: Seq;
      readonly mapRunArn: string;
      readonly redriveCount: number;
    }
  | {
      readonly type: 'MapRunEnded';
      readonly by: Seq;
      readonly outcome: Outcome;
      readonly aborted: boolean;
    }
  | {
      readonly type: 'ExecutionEnded';
      readonly status: 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';
      /** Present when it succeeded and differs from the root frame's last output. */
      readonly output?: Json;
      readonly failure: Failure | null;
    }
  | {
      readonly type: 'ExecutionRedriven';
      readonly redriveCount: number;
      readonly deadlineAt: EpochMs | null;
    }
  | {
      /** All facts before it were taken over from another execution; what follows is this one's. */
      readonly type: 'ExecutionForked';
      readonly origin: ForkOrigin;
      readonly deadlineAt: EpochMs | null;
    }
  | {
      /** A person changed what a frame holds before it went on: a fork's edits, a debugger's. */
      readonly type: 'FrameEdited';
      readonly value?: Json;
      /** Laid over the frame's variables. */
      readonly variables?: JsonObject;
    };

export type Fact = FactHead & FactBody;
export type FactOf<T extends FactBody['type']> = FactHead & Extract<FactBody, { type: T }>;
