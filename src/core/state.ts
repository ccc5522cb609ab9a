/** The state of one execution: the fold of its journal. Plain data, no behaviour. */
import type { EpochMs, FrameId, Nonce, RevisionId, Seq } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import type {
  ExecutionIdentity,
  ForkOrigin,
  MapRunRequest,
  Outcome,
  TaskResource,
} from './fact.js';

export const ROOT_FRAME = '0' as FrameId;
export const ROOT_BLOCK = '';

export type Status = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

/** A thread of control: the root, a branch or an iteration. */
export interface Frame {
  readonly id: FrameId;
  readonly parent: FrameId | null;
  /** Branch or iteration index within the parent's fan-out. */
  readonly index: number;
  readonly block: string;
  /** The state it is in or about to enter. */
  readonly state: string;
  /** Raw input of that state. */
  readonly value: Json;
  readonly variables: JsonObject;
  /** Attempts used, by retrier; cleared when a state is entered. */
  readonly attempts: readonly number[];
  readonly enteredAt: EpochMs;
  readonly enteredEventId: number;
  /** previousEventId of the entered event: EvaluationFailed points there. */
  readonly enteredPreviousId: number;
  readonly lastEventId: number;
  readonly phase: Phase;
}

export interface FanOut {
  readonly is: 'fan-out';
  /** Seq of FanOutStarted; children are named `${by}.${index}`. */
  readonly by: Seq;
  readonly kind: 'Parallel' | 'Map';
  readonly startedEventId: number;
  readonly width: number;
  readonly items: readonly Json[] | null;
  readonly input: Json;
  readonly limit: number;
  /** Index of the next child to start. */
  readonly next: number;
  readonly live: number;
  /** Where the event of the next iteration in a freed slot points to. */
  readonly slotEventId: number;
}

export interface MapRunWait {
  readonly is: 'map-run';
  /** Seq of MapRunStarted. */
  readonly by: Seq;
  readonly request: MapRunRequest;
  /** How often it was redriven. */
  readonly redrives: number;
}

export type Phase =
  /** About to enter `state`. */
  | { readonly is: 'ready' }
  /** The state is being worked on; outside a turn it has failed. A redrive takes up `mapRun` again. */
  | { readonly is: 'entered'; readonly mapRun?: MapRunWait }
  | {
      readonly is: 'waiting';
      readonly until: EpochMs;
      readonly setBy: Seq;
      readonly onDue: 'exit' | 'retry';
    }
  | {
      readonly is: 'task';
      readonly scheduled: Seq;
      readonly nonce: Nonce;
      readonly resource: TaskResource;
      readonly started: boolean;
      readonly submission: Json | undefined;
      readonly heartbeatSeconds: number | null;
      readonly timeoutAt: EpochMs | null;
    }
  | FanOut
  | MapRunWait
  /** `resume` is what a redrive goes back to. */
  | { readonly is: 'ended'; readonly outcome: Outcome; readonly resume: Resume }
  | { readonly is: 'aborted'; readonly resume: Resume };

export type Resume = FanOut | MapRunWait | null;

export interface ExecutionState {
  readonly status: Status;
  /** Seq of the last fact. */
  readonly seq: Seq;
  readonly eventCount: number;
  /** Instant of the last fact; later facts are never earlier. */
  readonly lastAt: EpochMs;
  readonly identity: ExecutionIdentity;
  readonly revision: RevisionId;
  readonly input: Json;
  readonly startedAt: EpochMs;
  readonly stoppedAt: EpochMs | null;
  readonly deadlineAt: EpochMs | null;
  readonly traceHeader: string | null;
  readonly redriveCount: number;
  readonly redrivenAt: EpochMs | null;
  readonly outcome: Outcome | null;
  /** Of a forked execution: where it comes from, and when its origin had started. */
  readonly forkedFrom: { readonly origin: ForkOrigin; readonly startedAt: EpochMs } | null;
  readonly frames: ReadonlyMap<FrameId, Frame>;
  /** Frames that can go on without the outside, in the order they became so. */
  readonly ready: ReadonlySet<FrameId>;
}

export function childId(by: Seq, index: number): FrameId {
  return `${by}.${index}` as FrameId;
}
