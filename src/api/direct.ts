/**
 * The short way for nearly every request: `POST /` with an operation and a body of a known, permitted
 * length goes from Node's parser to the AWS face. Whatever is not as plain as that takes the app's way.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { AwsFace } from './aws.js';
import { MAX_BODY_BYTES } from './limits.js';

export interface DirectOptions {
  readonly face: AwsFace;
  /** Headers of every answer; false when the request's host is none of ours. */
  admit(request: IncomingMessage, response: ServerResponse): boolean;
  /** Throws the API's error unless the request may be made. */
  authenticate(request: IncomingMessage, body: Buffer): void;
  refuse(response: ServerResponse, error: unknown): void;
  readonly otherwise: RequestListener;
}

export function directListener(options: DirectOptions): RequestListener {
  return (request, response) => {
    if (!isPlain(request)) return options.otherwise(request, response);
    if (!options.admit(request, response)) return undefined;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A request that is cut off never ends: its connection is gone, and nobody waits for an answer.
    request.once('end', () => {
      const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      try {
        options.authenticate(request, body);
      } catch (error) {
        return options.refuse(response, error);
      }
      void options.face(request, body, response);
    });
    request.once('error', () => response.destroy());
    return undefined;
  };
}

/** Node has seen to it that a body is as long as it says. */
function isPlain({ method, url, headers }: IncomingMessage): boolean {
  const length = Number(headers['content-length']);
  return (
    method === 'POST' &&
    url === '/' &&
    headers['x-amz-target'] !== undefined &&
    headers['content-encoding'] === undefined &&
    headers['transfer-encoding'] === undefined &&
    headers.expect === undefined &&
    length <= MAX_BODY_BYTES
  );
}
