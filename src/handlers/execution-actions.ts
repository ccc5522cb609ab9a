/**
 * `aws-sdk:sfn:*` without AWS: the actions of Step Functions, served by the API of this process in the
 * shapes of AWS's SDK for Java 2 (members with capitals, instants as ISO 8601).
 */
import { isArray, isObject, type Json, type JsonObject } from '../lib/json.js';
import { ServiceRefusal } from './aws/call.js';
import { capitalised, exceptionName } from './aws/naming.js';
import { sdkFailure } from './aws/sdk-integration.js';
import { uuidOf } from './aws-metadata.js';
import { childName } from './execution.js';
import { type ExecutionService, isRefusedCall } from './execution-service.js';
import { type HandlerContext, TaskFailure } from './handler.js';

/** Members that hold JSON as text; a machine may write the JSON itself. */
const TEXT_MEMBERS = new Set(['input', 'output', 'definition', 'cause', 'context', 'variables']);

export type LocalActions = (
  action: string,
  parameters: Json,
  context: HandlerContext,
) => Promise<Json>;

export function createExecutionActions(service: Promise<ExecutionService>): LocalActions {
  return async (action, parameters, context) => {
    const operation = capitalised(action);
    const given = toMembers(parameters);
    const members = isObject(given) ? given : {};
    const named =
      operation === 'StartExecution' && members.name === undefined
        ? { ...members, name: childName(context) }
        : members;
    try {
      const api = await service;
      return fromMembers('', await api.call(operation, named, context.signal));
    } catch (error) {
      if (context.signal.aborted) throw context.signal.reason;
      throw isRefusedCall(error) ? refusal(error.code, error.message, operation, context) : error;
    }
  };
}

function refusal(code: string, text: string, operation: string, context: HandlerContext): unknown {
  if (code === 'UnknownOperationException') {
    return new TaskFailure('States.Runtime', `Step Functions has no action ${operation}.`);
  }
  return sdkFailure(
    new ServiceRefusal({
      service: 'Sfn',
      exception: exceptionName(code),
      code,
      text,
      status: 400,
      requestId: uuidOf(`request ${context.idempotencyKey}`),
      extendedRequestId: null,
    }),
  );
}

function toMembers(value: Json): Json {
  if (isArray(value)) return value.map(toMembers);
  if (!isObject(value)) return value;
  return fromPairs(
    Object.entries(value).map(([key, item]) => {
      const name = key.charAt(0).toLowerCase() + key.slice(1);
      const holdsText = TEXT_MEMBERS.has(name) && typeof item !== 'string';
      return [name, holdsText ? JSON.stringify(item) : toMembers(item)] as const;
    }),
  );
}

function fromMembers(name: string, value: Json): Json {
  if (isArray(value)) return value.map((item) => fromMembers('', item));
  if (/(Date|^timestamp)$/.test(name) && typeof value === 'number') {
    return new Date(Math.round(value * 1000)).toISOString().replace('.000Z', 'Z');
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(
    ([key, item]) => [capitalised(key), fromMembers(key, item)] as const,
  );
  return fromPairs(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function fromPairs(pairs: readonly (readonly [string, Json])[]): JsonObject {
  return Object.fromEntries(pairs);
}
