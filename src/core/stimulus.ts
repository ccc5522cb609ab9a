/** What reaches an execution from outside. A stale stimulus yields no facts. */
import type { EpochMs, FrameId, Nonce, RevisionId, Seq } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { ExecutionIdentity, Failure, ForkOrigin, Outcome } from './fact.js';

/** Names one attempt of one task; a message with another nonce is stale. */
export interface TaskRef {
  readonly frame: FrameId;
  readonly scheduled: Seq;
  readonly nonce: Nonce;
}

export interface FrameEdit {
  readonly frame: FrameId;
  readonly value?: Json;
  readonly variables?: JsonObject;
}

export type Stimulus =
  | {
      readonly type: 'Start';
      readonly identity: ExecutionIdentity;
      readonly revision: RevisionId;
      readonly input: Json;
      readonly traceHeader: string | null;
      readonly deadlineAt: EpochMs | null;
    }
  /** Timers due together, by their key; handled as one so that simultaneous timeouts are all seen. */
  | { readonly type: 'TimersDue'; readonly keys: readonly string[] }
  | {
      readonly type: 'TaskResult';
      readonly task: TaskRef;
      readonly outcome: Outcome;
      readonly stage?: 'run' | 'schedule' | 'start' | 'submit';
    }
  | {
      readonly type: 'TaskSubmitted';
      readonly task: TaskRef;
      readonly output: Json;
    }
  | {
      readonly type: 'ActivityStarted';
      readonly task: TaskRef;
      readonly workerName: string | null;
    }
  | {
      readonly type: 'MapRunEnded';
      readonly frame: FrameId;
      readonly by: Seq;
      readonly outcome: Outcome;
      readonly aborted: boolean;
    }
  | { readonly type: 'Stop'; readonly failure: Failure }
  /** Goes on from facts taken over from another execution, which are the state already. */
  | {
      readonly type: 'Fork';
      readonly origin: ForkOrigin;
      readonly deadlineAt: EpochMs | null;
      readonly edit: FrameEdit | null;
      /** The answer to a task or Map Run under way that the origin had already. */
      readonly result: {
        readonly frame: FrameId;
        readonly by: Seq;
        readonly output: Json;
      } | null;
    }
  /** A person changes what a frame that is about to enter a state holds. */
  | { readonly type: 'Edit'; readonly edit: FrameEdit }
  | { readonly type: 'Redrive' }
  /** A turn stopped at its cap: go on. */
  | { readonly type: 'Continue' };

/** Key of the timer that ends the execution at its deadline. */
export const DEADLINE_TIMER = 'deadline';

/** `wait` ends a Wait or a retry's delay, the others watch a task. */
export type TimerKind = 'wait' | 'timeout' | 'heartbeat';

/** A timer is named by the fact that set it and the frame it wakes. */
export interface TimerName {
  readonly kind: TimerKind;
  readonly frame: FrameId;
  readonly setBy: Seq;
}

export function timerKey(kind: TimerKind, frame: FrameId, setBy: Seq): string {
  return `${kind}:${setBy}:${frame}`;
}

/** What a timer key names, or null for the deadline and unknown keys. */
export function parseTimer(key: string): TimerName | null {
  const match = /^(wait|timeout|heartbeat):(\d+):(.+)$/.exec(key);
  if (match === null) return null;
  const [, kind, seq, frame] = match;
  return { kind: kind as TimerKind, setBy: Number(seq) as Seq, frame: frame as FrameId };
}
