/** Answers that hold users' own values as JSON: sent as they are, not shaped like members of the AWS wire. */
import type { Response } from 'express';

export function sendJson(
  response: Response,
  status: number,
  body: object,
  location?: string,
): null {
  if (response.headersSent || response.destroyed) return null;
  response.status(status).set('Content-Type', 'application/json');
  if (location !== undefined) response.set('Location', location);
  response.end(JSON.stringify(body));
  return null;
}
