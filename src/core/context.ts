/** The Context Object and the scope that a frame's expressions see. Built lazily: most states never ask. */
import type { Chance, Scope } from '../expr/scope.js';
import { formatTimestamp } from '../expr/timestamp.js';
import { fromEntries, type Json, type JsonObject } from '../lib/json.js';
import type { Stage } from './env.js';
import type { ExecutionState, Frame } from './state.js';
import type { Turn } from './turn.js';

/** Members that only some fields see. */
export interface ContextExtras {
  readonly taskToken?: string;
  readonly retryable?: boolean;
  readonly mapItem?: JsonObject;
}

export const NO_EXTRAS: ContextExtras = {};
export const RETRYABLE: ContextExtras = { retryable: true };

export class FrameScope implements Scope {
  readonly variables: JsonObject;
  readonly chance: Chance;
  private built: JsonObject | null = null;

  constructor(
    private readonly turn: Turn,
    readonly frame: Frame,
    readonly input: Json,
    private readonly extras: ContextExtras = NO_EXTRAS,
  ) {
    this.variables = frame.variables;
    this.chance = turn.env;
  }

  get context(): JsonObject {
    this.built ??=
      this.turn.env.contextObject ?? contextObject(this.turn.state, this.frame, this.extras);
    return this.built;
  }

  /** Shows a value of the data flow to whoever inspects the turn; returns it. */
  traced<T extends Json>(stage: Stage, value: T): T {
    this.turn.env.trace?.(stage, value);
    return value;
  }

  /** The same view with another `$`. */
  with(input: Json): FrameScope {
    return input === this.input ? this : new FrameScope(this.turn, this.frame, input, this.extras);
  }
}

/** Member order as recorded (conformance case test_context_object). */
export function contextObject(
  state: ExecutionState,
  frame: Frame,
  extras: ContextExtras,
): JsonObject {
  const { identity } = state;
  const execution: [string, Json][] = [
    ['Id', identity.arn],
    ['Input', state.input],
    ['StartTime', formatTimestamp(state.forkedFrom?.startedAt ?? state.startedAt)],
    ['Name', identity.name],
    ['RoleArn', identity.roleArn],
  ];
  // Absent in recordings of synchronous Express executions only.
  if (identity.synchronous !== true) execution.push(['RedriveCount', state.redriveCount]);
  if (state.redrivenAt !== null) execution.push(['RedriveTime', formatTimestamp(state.redrivenAt)]);
  const entered: [string, Json][] = [
    ['Name', frame.state],
    ['EnteredTime', formatTimestamp(frame.enteredAt)],
  ];
  // Only states that can be retried have it (recorded: absent on Pass).
  if (extras.retryable) {
    entered.push(['RetryCount', frame.attempts.reduce((sum, used) => sum + used, 0)]);
  }
  const members: [string, Json][] = [
    ['Execution', fromEntries(execution)],
    ['StateMachine', { Id: identity.stateMachineArn, Name: identity.stateMachineName }],
    ['State', fromEntries(entered)],
  ];
  if (extras.taskToken !== undefined) members.push(['Task', { Token: extras.taskToken }]);
  if (extras.mapItem !== undefined) members.push(['Map', { Item: extras.mapItem }]);
  return fromEntries(members);
}
