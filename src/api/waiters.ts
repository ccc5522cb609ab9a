/** Requests that wait: aborted when their client goes away. */
import type { Response } from 'express';

/** Aborts when the connection closes before the answer was sent. */
export function clientGone(response: Response): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableEnded) controller.abort(new Error('The client has gone.'));
  });
  return controller.signal;
}
