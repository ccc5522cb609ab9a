/**
 * The HTTP face of model serving: SageMaker Runtime's InvokeEndpoint, a list of endpoints, probes.
 * Nothing a client sends may end the process: every error becomes an answer, here and only here.
 */
import { randomUUID } from 'node:crypto';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { invalid, ServingError } from './errors.js';
import type { JsonObject } from '../lib/json.js';
import type { Capture } from './capture.js';
import type { EndpointRecord } from './endpoints.js';
import type { FeedbackIntake } from './feedback.js';
import type { MetricQuery } from './metrics.js';
import { settingsOf } from './settings.js';
import {
  acceptedType,
  decode as decodeBody,
  encodeAnswer,
  parse as parseJson,
  readInvocation,
} from './invocation-body.js';
import type { Registry } from '../ml/registry/index.js';
import { modelRoutes } from './models-http.js';
import { MAX_BODY_BYTES } from './limits.js';
import type { ServingLog } from './log.js';
import type { Supervisor } from './supervisor.js';

export interface AppOptions {
  readonly supervisor: Supervisor;
  readonly capture: Capture;
  readonly feedback: FeedbackIntake;
  /** Sums of the last seconds, with what has not been written yet. */
  readonly metrics: (endpoint: string, query: MetricQuery) => Promise<JsonObject>;
  readonly now: () => number;
  readonly log: ServingLog;
  /** Answers under /models when given. */
  readonly registry?: Registry;
  /** Host names that a request may carry; null allows all. Guards against DNS rebinding. */
  readonly allowedHosts: readonly string[] | null;
}

export function servingApp(options: AppOptions): Express {
  const { supervisor, log, allowedHosts, registry } = options;
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
  app.get('/endpoints/:name/metrics', async (request, response) => {
    const { name } = known(supervisor, request);
    response.json(await options.metrics(name, metricQuery(request.url, options.now())));
  });
  app.post('/endpoints/:name/invocations', BODY, (request, response) =>
    invocation(options, request, response),
  );
  app.post('/endpoints/:name/feedback', BODY, (request, response) => {
    const { name } = known(supervisor, request);
    const body = parseJson(decodeBody(bytesOf(request)));
    const taken = options.feedback.take(name, body, supervisor.labels(name));
    response.status(202).json({ inferenceId: taken.inferenceId, labels: taken.labels.length });
  });
  if (registry !== undefined) app.use(modelRoutes(registry));
  app.use((request, _response, next) => {
    next(invalid(`There is no ${request.method} ${shown(request.path)} here.`, 404));
  });
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    answerError(error, { request, response, log });
  });
  return app;
}

const BODY = express.raw({ type: () => true, limit: MAX_BODY_BYTES });

function bytesOf(request: Request): Uint8Array {
  const body: unknown = request.body;
  return body instanceof Uint8Array ? body : new Uint8Array();
}

function known(supervisor: Supervisor, request: Request<{ name: string }>): EndpointRecord {
  const record = supervisor.record(request.params.name);
  if (record !== null) return record;
  throw invalid(`Endpoint ${shown(request.params.name)} not found.`);
}

async function invocation(
  { supervisor, capture, now }: AppOptions,
  request: Request<{ name: string }>,
  response: Response,
): Promise<void> {
  const record = known(supervisor, request);
  const settings = settingsOf(record.settings);
  const bytes = bytesOf(request);
  const { maxBodyBytes } = settings.limits;
  if (bytes.length > maxBodyBytes) {
    throw invalid(`The request body has more than ${maxBodyBytes} bytes.`, 413);
  }
  const contentType = request.header('content-type') ?? 'application/json';
  const type = acceptedType(request.header('accept'));
  const { texts, topK } = readInvocation(bytes, contentType);
  const gone = new AbortController();
  response.once('close', () => gone.abort(CLIENT_GONE));
  const inferenceId = request.header('x-amzn-sagemaker-inference-id')?.slice(0, 64) ?? null;
  const at = now();
  const probe = request.header('x-stepwell-probe') !== undefined;
  const answer = await supervisor.invoke(record.name, texts, {
    targetVariant: request.header('x-amzn-sagemaker-target-variant') ?? null,
    sessionId: request.header('x-amzn-sagemaker-session-id')?.slice(0, 256) ?? null,
    inferenceId,
    probe,
    signal: gone.signal,
  });
  const output = encodeAnswer(answer, topK, type);
  response
    .setHeader('x-Amzn-Invoked-Production-Variant', answer.variant)
    .setHeader('x-stepwell-revision', answer.revision)
    .setHeader('x-stepwell-model-version', answer.model.version ?? '')
    .setHeader('content-type', output.contentType);
  if (answer.fellBackFrom !== null) {
    response.setHeader('x-stepwell-fell-back-from', answer.fellBackFrom);
  }
  response.end(output.text);
  if (settings.capture !== null && !probe) {
    const { variant, endpoint } = answer;
    const eventId = String(response.getHeader('x-amzn-RequestId'));
    const input = { contentType, data: Buffer.from(bytes).toString('utf8') };
    const call = { endpoint, variant, eventId, inferenceId, at, input };
    capture.offer(
      { ...call, output: { contentType: output.contentType, data: output.text } },
      settings.capture,
    );
  }
}

const CLIENT_GONE = new Error('The client has gone.');

/** `?seconds=60`, or `?from=&to=` in epoch milliseconds; `?version=` counts one model version only. */
function metricQuery(url: string, now: number): MetricQuery {
  const query = new URL(url, 'http://localhost').searchParams;
  const number = (name: string, fallback: number): number => {
    const value = Number(query.get(name) ?? fallback);
    if (!Number.isFinite(value) || value < 0) throw invalid(`"${name}" must be a number.`);
    return value;
  };
  const to = number('to', now + 1000);
  const from = number('from', to - number('seconds', 60) * 1000 - 1000);
  const version = query.get('version');
  return { from, to, ...(version === null ? {} : { version }) };
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
