/**
 * What a machine calls in the simulated world, and what the world answers. Mocks, recordings, explore
 * and the debugger all speak in these terms.
 */
import type { TaskResource } from '../core/fact.js';
import type { TaskScope } from '../handlers/handler.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Json } from '../lib/json.js';

/** One attempt of a Task, the opening of a Map's items, or the writing of its results. */
export interface Call {
  readonly kind: 'task' | 'activity' | 'item-reader' | 'result-writer';
  /** Name of the state. */
  readonly state: string;
  readonly resource: TaskResource;
  /** Evaluated parameters: what the resource would have been sent. */
  readonly input: Json;
  /** 0 for the first attempt of a visit to the state; retries count on. */
  readonly attempt: number;
  /** Calls this state has made before, over the whole simulation: visits, attempts and iterations. */
  readonly invocation: number;
  /** Branches and iterations around the state, outermost first; children of a Map Run included. */
  readonly scopes: readonly TaskScope[];
  readonly executionArn: ExecutionArn;
  readonly stateMachineName: string;
  /** Virtual instant of the call. */
  readonly at: EpochMs;
}

/**
 * All durations are virtual milliseconds. `order` puts answers of the same millisecond in an order of
 * their own, lowest first, whatever the seed.
 */
export type Answer = { readonly order?: number } & AnswerKind;

type AnswerKind =
  | {
      readonly return: Json;
      /** How long the work takes. */
      readonly afterMs?: number;
      /** A heartbeat is sent this often meanwhile. */
      readonly heartbeatEveryMs?: number;
      /** Answer of the submit step (`.sync`, `.waitForTaskToken`); a plausible one when absent. */
      readonly submit?: Json;
      /** The worker who takes an activity's task. */
      readonly workerName?: string;
    }
  | {
      /** A callback may leave the error out. */
      readonly throw: { readonly error: string | null; readonly cause?: string | null };
      readonly afterMs?: number;
      readonly heartbeatEveryMs?: number;
      readonly submit?: Json;
      readonly workerName?: string;
      /** The submit step itself fails: the work never began. */
      readonly at?: 'submit';
    }
  /** Never answers: the state's timeouts decide. An activity is taken by a worker who then is silent. */
  | {
      readonly hang: true;
      readonly heartbeatEveryMs?: number;
      readonly submit?: Json;
      readonly workerName?: string;
    }
  /** The nested execution runs in this world (`machines`). */
  | { readonly nested: true }
  /** No worker polls for the activity. */
  | { readonly unpolled: true };

/** Answers calls; null leaves the call to the next responder. */
export type Responder = (call: Call) => Answer | null | Promise<Answer | null>;

export interface CallRecord extends Call {
  readonly answer: Answer;
  /** Which responder answered: `mock`, `default`, … */
  readonly by: string;
  /** Virtual instant when the answer had been given, or null when it never was. */
  endedAt: EpochMs | null;
}

/** The first answer of several responders; each is named for people. */
export interface NamedResponder {
  readonly name: string;
  readonly answer: Responder;
}
