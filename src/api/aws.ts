/**
 * The AWS JSON 1.0 face: `POST /` with `X-Amz-Target: AWSStepFunctions.<Operation>`. The only place
 * that renders errors for AWS clients. Never answers 5xx for what a caller did.
 */
import { Overloaded } from '../runtime/overloaded.js';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InvariantError } from '../lib/assert.js';
import { exceedsDepth, isObject, type Json, type JsonObject } from '../lib/json.js';
import type { WireObject } from '../wire/describe.js';
import { ApiError, type ErrorCode, unserializable } from '../wire/errors.js';
import { isOperation, type Operation } from '../wire/operations.js';
import type { ApiContext, Call } from './context.js';
import { dispatch } from './dispatch.js';
import { MAX_BODY_DEPTH } from './limits.js';
import { clientGone } from './waiters.js';

export const AWS_CONTENT_TYPE = 'application/x-amz-json-1.0';
const TARGET = /^AWSStepFunctions\.([A-Za-z]+)$/;

/** `request` and its whole body, as Node has them: a framework costs as much as the work itself. */
export type AwsFace = (
  request: IncomingMessage,
  body: Buffer | undefined,
  response: ServerResponse,
) => Promise<void>;

export function awsFace(api: ApiContext): AwsFace {
  return async (request, body, response) => {
    try {
      const operation = readOperation(request);
      const members = readBody(body);
      send(response, 200, await dispatch(api, operation, members, new ResponseCall(response)));
    } catch (error) {
      // Nobody listens any more: whatever the wait ended with is no error.
      if (!response.destroyed) sendAwsError(api, response, error);
    }
  };
}

/**
 * A signal costs more than most operations do; few of them look at it. A class: V8 keeps what a
 * literal's own getter closes over, here the whole answer, until it collects the old generation.
 */
export class ResponseCall implements Call {
  private made: AbortSignal | null = null;

  constructor(private readonly response: ServerResponse) {}

  get signal(): AbortSignal {
    this.made ??= clientGone(this.response);
    return this.made;
  }
}

function readOperation(request: IncomingMessage): Operation {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  const name = TARGET.exec(String(request.headers['x-amz-target'] ?? ''))?.[1];
  // A JSON type and the target header force a preflight that no foreign page gets past.
  const known = type === AWS_CONTENT_TYPE || type === 'application/x-amz-json-1.1';
  if (!known || name === undefined || !isOperation(name)) {
    throw new ApiError('UnknownOperationException', null);
  }
  return name;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** An empty body is `{}`, as AWS takes it. */
export function readBody(body: Buffer | undefined): JsonObject {
  if (body === undefined || body.length === 0) return {};
  let value: Json;
  try {
    value = JSON.parse(UTF8.decode(body)) as Json;
  } catch {
    throw unserializable(null);
  }
  if (!isObject(value) || exceedsDepth(value, MAX_BODY_DEPTH)) throw unserializable(null);
  return value;
}

function send(response: ServerResponse, status: number, body: WireObject): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = status;
  response.setHeader('Content-Type', AWS_CONTENT_TYPE);
  response.end(JSON.stringify(body));
}

/** Errors of the framework around the service carry its namespace, as at AWS. */
const NAMESPACES: ReadonlyMap<ErrorCode, string> = new Map([
  ['ValidationException', 'com.amazon.coral.validate#'],
  ...(
    [
      'IncompleteSignatureException',
      'InternalFailure',
      'InvalidSignatureException',
      'MissingAuthenticationTokenException',
      'SerializationException',
      'ServiceUnavailable',
      'UnknownOperationException',
      'UnrecognizedClientException',
    ] as const
  ).map((code) => [code, 'com.amazon.coral.service#'] as const),
]);

const STATUSES: ReadonlyMap<ErrorCode, number> = new Map([
  ['InternalFailure', 500],
  ['ServiceUnavailable', 503],
]);

export function sendAwsError(api: ApiContext, response: ServerResponse, thrown: unknown): void {
  const error = toApiError(api, thrown);
  const type = `${NAMESPACES.get(error.code) ?? ''}${error.code}`;
  const members: WireObject = {
    __type: type,
    message: error.text ?? undefined,
    ...error.members,
  };
  send(response, STATUSES.get(error.code) ?? 400, members);
}

/** Whatever was thrown, as an error for the caller; our own bugs are logged, never shown. */
export function toApiError(api: ApiContext, thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (thrown instanceof Error && thrown.name === 'StoreUnavailable') {
    api.log.error({ error: thrown.message }, 'The store is not available.');
    return new ApiError('ServiceUnavailable', 'The store is not available.');
  }
  if (thrown instanceof Overloaded) return new ApiError('ThrottlingException', thrown.message);
  const bug = thrown instanceof InvariantError ? 'An invariant broke.' : 'A request failed.';
  api.log.error({ error: thrown instanceof Error ? thrown.stack : String(thrown) }, bug);
  return new ApiError('InternalFailure', null);
}
