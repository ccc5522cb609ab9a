/** The REST face: every route of the table, over the same operations as the AWS face. */
import { type Request, type Response, Router } from 'express';
import { ApiError, unserializable } from '../../wire/errors.js';
import type { JsonObject } from '../../lib/json.js';
import { readBody } from '../aws.js';
import type { ApiContext } from '../context.js';
import { dispatch } from '../dispatch.js';
import { clientGone } from '../waiters.js';
import { debugRoutes } from './debug.js';
import { executionRoutes } from './executions.js';
import { inspectionRoutes } from './inspection.js';
import { sendProblem } from './problem.js';
import type { Answer, RestRequest, Route } from './route.js';
import { restful } from './shape.js';
import { stateMachineRoutes } from './state-machines.js';

export const ROUTES: readonly Route[] = [
  ...stateMachineRoutes,
  ...executionRoutes,
  ...inspectionRoutes,
  ...debugRoutes,
];

export function restFace(api: ApiContext): Router {
  const router = Router({ caseSensitive: true });
  for (const route of ROUTES) {
    router[route.method](expressPath(route.path), async (request: Request, response: Response) => {
      try {
        const answer = await route.handle(api, readRequest(api, request, response), response);
        if (answer !== null) sendAnswer(response, answer);
      } catch (error) {
        sendProblem(api, response, error);
      }
    });
  }
  router.use((_request, response) => {
    sendProblem(
      api,
      response,
      new ApiError('UnknownOperationException', 'There is no such route.'),
    );
  });
  return router;
}

function expressPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}

function readRequest(api: ApiContext, request: Request, response: Response): RestRequest {
  refuseForeignPages(request);
  const { searchParams } = new URL(request.originalUrl, 'http://localhost');
  const signal = clientGone(response);
  return {
    parameters: request.params as Record<string, string>,
    query: searchParams,
    body: request.method === 'GET' ? {} : readBody(request.body as Buffer | undefined),
    raw: request,
    run: (operation, input) =>
      dispatch(api, operation, JSON.parse(JSON.stringify(input)) as JsonObject, { signal }),
  };
}

/** A JSON content type cannot be sent by a foreign page without a preflight, which we never answer. */
function refuseForeignPages(request: Request): void {
  if (request.headers['sec-fetch-site'] === 'cross-site') {
    throw new ApiError('AccessDeniedException', 'Requests of other sites are refused.');
  }
  if (request.method !== 'POST' && request.method !== 'PUT') return;
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw unserializable('The content type must be application/json');
  }
}

function sendAnswer(response: Response, answer: Answer): void {
  if (response.headersSent || response.destroyed) return;
  response.status(answer.status);
  if (answer.location !== undefined) response.set('Location', answer.location);
  if (answer.body === null) response.end();
  else response.set('Content-Type', 'application/json').end(JSON.stringify(restful(answer.body)));
}
