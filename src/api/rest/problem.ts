/** Errors of the REST face: problem+json (RFC 9457) made from the same ApiErrors. */
import type { Response } from 'express';
import type { ErrorCode } from '../../wire/errors.js';
import { toApiError } from '../aws.js';
import type { ApiContext } from '../context.js';

const STATUSES: ReadonlyMap<ErrorCode, number> = new Map([
  ['ActivityDoesNotExist', 404],
  ['ExecutionDoesNotExist', 404],
  ['ResourceNotFound', 404],
  ['StateMachineDoesNotExist', 404],
  ['UnknownOperationException', 404],
  ['ConflictException', 409],
  ['ExecutionAlreadyExists', 409],
  ['ExecutionNotRedrivable', 409],
  ['StateMachineAlreadyExists', 409],
  ['StateMachineDeleting', 409],
  ['AccessDeniedException', 403],
  ['IncompleteSignatureException', 401],
  ['InvalidSignatureException', 401],
  ['MissingAuthenticationTokenException', 401],
  ['UnrecognizedClientException', 401],
  ['ThrottlingException', 429],
  ['InternalFailure', 500],
  ['ServiceUnavailable', 503],
]);

export function sendProblem(api: ApiContext, response: Response, thrown: unknown): void {
  const error = toApiError(api, thrown);
  const status = STATUSES.get(error.code) ?? 400;
  if (response.headersSent || response.destroyed) return;
  response
    .status(status)
    .set('Content-Type', 'application/problem+json')
    .end(
      JSON.stringify({
        type: `urn:stepwell:error:${error.code}`,
        title: error.code,
        status,
        detail: error.text ?? undefined,
        ...error.members,
      }),
    );
}
