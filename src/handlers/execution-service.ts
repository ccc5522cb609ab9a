/**
 * What handlers need of the Step Functions API in this process. The composition root makes it from the
 * API's own dispatch, so nested executions obey the same rules and idempotency as requests from outside.
 */
import type { JsonObject } from '../lib/json.js';

export interface ExecutionService {
  /** One operation (`StartExecution`) with its members; rejects with a `RefusedCall`. */
  call(operation: string, members: JsonObject, signal: AbortSignal): Promise<JsonObject>;
  /** Resolves when the execution is over; rejects when `signal` aborts. */
  ended(executionArn: string, signal: AbortSignal): Promise<void>;
}

/** How the API says no; anything else that `call` rejects with is our own fault. */
export interface RefusedCall {
  /** `StateMachineDoesNotExist`. */
  readonly code: string;
  readonly message: string;
}

export function isRefusedCall(error: unknown): error is RefusedCall {
  if (typeof error !== 'object' || error === null) return false;
  const { name, code, message } = error as Record<string, unknown>;
  return name === 'ApiError' && typeof code === 'string' && typeof message === 'string';
}

/** The service exists only after the engine, which exists only after its handlers. */
export interface ExecutionServiceSlot {
  readonly service: Promise<ExecutionService>;
  fill(service: ExecutionService): void;
}

export function createExecutionServiceSlot(): ExecutionServiceSlot {
  let fill: (service: ExecutionService) => void = () => {};
  const service = new Promise<ExecutionService>((resolve) => {
    fill = resolve;
  });
  return { service, fill };
}
