/**
 * The HTTP face of model serving: SageMaker Runtime's InvokeEndpoint, a list of endpoints, probes.
 * Nothing a client sends may end the process: every error becomes an answer, here and only here.
 */
import { randomUUID } from 'node:crypto';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { invalid, ServingError } from './errors.js';
import { invocationAnswer, readInvocation } from './invocation-body.js';
import type { Registry } from '../ml/registry/index.js';
import { modelRoutes } from './models-http.js';
import { MAX_BODY_BYTES } from './limits.js';
import type { ServingLog } from './log.js';
import type { Supervisor } from './supervisor.js';

export interface AppOptions {
  readonly supervisor: Supervisor;
  readonly log: ServingLog;
  /** Answers under /models when given. */
  readonly registry?: Registry;
  /** Host names that a request may carry; null allows all. Guards against DNS rebinding. */
  readonly allowedHosts: readonly string[] | null;
}

export function servingApp({ supervisor, log, allowedHosts, registry }: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.use((request, response, next) => {
    response.setHeader('x-amzn-RequestId', randomUUID());
    if (allowedHosts !== null && !hostAllowed(request.headers.host, allowedHosts)) {
      throw new ServingError('AccessDeniedException', 'The Host header names another host.');
    }
    next();
  });

  app.get('/livez', (_request, response) => void response.json({ status: 'ok' }));
  app.get(['/ping', '/readyz'], (_request, response) => {
    const waiting = supervisor.views().filter((view) => view.status === 'Creating');
    response
      .status(waiting.length === 0 ? 200 : 503)
      .json({ ready: waiting.length === 0, waiting: waiting.map((view) => view.name) });
  });
  app.get('/endpoints', (_request, response) => {
    response.json({ endpoints: supervisor.views() });
  });
  app.get('/endpoints/:name', (request, response) => {
    const view = supervisor.view(request.params.name);
    if (view === null) throw invalid(`Endpoint ${shown(request.params.name)} not found.`);
    response.json(view);
  });
  app.post(
    '/endpoints/:name/invocations',
    express.raw({ type: () => true, limit: MAX_BODY_BYTES }),
    (request, response) => invocation(supervisor, request, response),
  );
  if (registry !== undefined) app.use(modelRoutes(registry));
  app.use((request, _response, next) => {
    next(invalid(`There is no ${request.method} ${shown(request.path)} here.`, 404));
  });
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    answerError(error, { request, response, log });
  });
  return app;
}

async function invocation(
  supervisor: Supervisor,
  request: Request<{ name: string }>,
  response: Response,
): Promise<void> {
  const { name } = request.params;
  if (supervisor.view(name) === null) throw invalid(`Endpoint ${shown(name)} not found.`);
  const body: unknown = request.body;
  const bytes = body instanceof Uint8Array ? body : new Uint8Array();
  const { texts, topK } = readInvocation(bytes, request.header('content-type') ?? '');
  const gone = new AbortController();
  response.once('close', () => gone.abort(new Error('The client has gone.')));
  const answer = await supervisor.invoke(name, texts, {
    targetVariant: request.header('x-amzn-sagemaker-target-variant') ?? null,
    inferenceId: request.header('x-amzn-sagemaker-inference-id')?.slice(0, 64) ?? null,
    signal: gone.signal,
  });
  response
    .setHeader('x-Amzn-Invoked-Production-Variant', answer.variant)
    .json(invocationAnswer(answer, topK));
}

function answerError(
  error: unknown,
  { request, response, log }: { request: Request; response: Response; log: ServingLog },
): void {
  const known = asServingError(error);
  if (known === null && !response.destroyed) {
    log.error(`${request.method} ${shown(request.path)} failed`, { error: String(error) });
  }
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const failure = known ?? new ServingError('InternalFailure', 'The request could not be served.');
  if (failure.code === 'ServiceUnavailable' || failure.code === 'ThrottlingException') {
    response.setHeader('Retry-After', '1');
  }
  response
    .status(failure.status)
    .setHeader('x-amzn-ErrorType', failure.code)
    .json({ __type: failure.code, Message: failure.message, ...failure.details });
}

/** Ours as they are; those of express and its body reader by their own HTTP status. */
function asServingError(error: unknown): ServingError | null {
  if (error instanceof ServingError) return error;
  const status = (error as { status?: unknown } | null)?.status;
  if (typeof status !== 'number' || status < 400 || status > 499) return null;
  if (status === 413)
    return invalid(`The request body has more than ${MAX_BODY_BYTES} bytes.`, 413);
  return invalid(`The request cannot be read: ${String((error as Error).message)}.`, status);
}

function hostAllowed(host: string | undefined, allowed: readonly string[]): boolean {
  if (host === undefined) return false;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return allowed.includes(name);
}

/** User text in a message: short, and without control characters. */
function shown(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 100);
}
