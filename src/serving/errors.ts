/**
 * Errors of SageMaker Runtime: name, HTTP status and message, made into an answer in one place.
 * The names are those of its API; a message never holds a stack or a path of this machine.
 */
import type { JsonObject } from '../lib/json.js';

const STATUS = {
  ValidationError: 400,
  AccessDeniedException: 403,
  ModelError: 424,
  ThrottlingException: 429,
  InternalFailure: 500,
  ServiceUnavailable: 503,
} as const;

export type ServingErrorCode = keyof typeof STATUS;

export class ServingError extends Error {
  override readonly name = 'ServingError';
  readonly status: number;
  constructor(
    readonly code: ServingErrorCode,
    message: string,
    options: { readonly status?: number; readonly details?: JsonObject } = {},
  ) {
    super(message);
    this.status = options.status ?? STATUS[code];
    this.details = options.details ?? {};
  }
  /** Members beside Message, such as OriginalStatusCode of a ModelError. */
  readonly details: JsonObject;
}

export function invalid(message: string, status = 400): ServingError {
  return new ServingError('ValidationError', message, { status });
}

/** The model's own failure: SageMaker answers 424 with the container's status and message. */
export function modelError(
  variant: string,
  originalStatus: number,
  original: string,
): ServingError {
  const cut = original.length > 1024 ? `${original.slice(0, 1024)}…` : original;
  return new ServingError(
    'ModelError',
    `Received server error (${originalStatus}) from ${variant} with message "${cut}".`,
    { details: { OriginalStatusCode: originalStatus, OriginalMessage: cut, LogStreamArn: '' } },
  );
}

export function unavailable(message: string): ServingError {
  return new ServingError('ServiceUnavailable', message);
}

export function throttled(message: string): ServingError {
  return new ServingError('ThrottlingException', message);
}
