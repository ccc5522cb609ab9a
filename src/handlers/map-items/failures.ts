/** Failures of a Map Run's reader and writer, in AWS's words where they are known. */
import { TaskFailure } from '../handler.js';

export function readerFailed(cause: string): TaskFailure {
  return new TaskFailure('States.ItemReaderFailed', cause);
}

export function writerFailed(cause: string): TaskFailure {
  return new TaskFailure('States.ResultWriterFailed', cause);
}

/** Recorded: what AWS says of a file that holds no array. */
export const NOT_ITERABLE = 'Attempting to map over non-iterable node.';

interface ServiceError {
  readonly name?: string;
  readonly message?: string;
  readonly extendedRequestId?: string;
  readonly $metadata?: {
    readonly httpStatusCode?: number;
    readonly requestId?: string;
    readonly extendedRequestId?: string;
  };
}

/** `<message> (Service: Amazon S3; Status Code: 404; Error Code: NoSuchKey; …)`. */
export function s3Cause(error: unknown): string {
  if (error instanceof TaskFailure) return error.reason;
  const { name, message, $metadata } = error as ServiceError;
  const status = $metadata?.httpStatusCode;
  if (status === undefined) return message ?? String(error);
  const request = $metadata?.requestId ?? 'none';
  const extended = $metadata?.extendedRequestId ?? 'none';
  return (
    `${message} (Service: Amazon S3; Status Code: ${status}; Error Code: ${name}; ` +
    `Request ID: ${request}; S3 Extended Request ID: ${extended}; Proxy: null)`
  );
}
