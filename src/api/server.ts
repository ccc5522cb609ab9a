/**
 * The API server: one express app with the AWS face at `POST /`, the REST face under `/v1`, health
 * and the OpenAPI document. Every request passes the host guard and, when keys are configured, the
 * signature check before anything else looks at it.
 */
import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { EpochMs } from '../lib/brand.js';
import type { Engine } from '../runtime/face.js';
import type { Inspector } from '../runtime/test-state/inspector.js';
import type { Store } from '../store/store.js';
import { ApiError } from '../wire/errors.js';
import { awsFace, sendAwsError } from './aws.js';
import { openActivities } from './activities.js';
import { Collection } from './collection.js';
import { type ApiConfig, DEFAULT_CONFIG } from './config.js';
import type { ApiContext } from './context.js';
import { createDebugging, type LiveDebugging } from './debugging.js';
import type { Definitions } from './definitions.js';
import { resumeDeletions } from './deletion.js';
import { directListener } from './direct.js';
import { isAllowedHost, isLoopback } from './host.js';
import { KEEP_ALIVE_MS, MAX_BODY_BYTES, REQUEST_TIMEOUT_MS } from './limits.js';
import { type Log, SILENT_LOG } from './log.js';
import { publishLogs } from './logging/publisher.js';
import type { LogSink } from './logging/sink.js';
import { Machines } from './machines.js';
import type { MapRuns } from './map-runs.js';
import { PageTokens } from './page-token.js';
import { openApiDocument } from './rest/openapi.js';
import { sendProblem } from './rest/problem.js';
import { ROUTES, restFace } from './rest/routes.js';
import { verifySignature } from './sigv4.js';
import { Waiters } from './waiters.js';

export interface ApiOptions {
  readonly engine: Engine;
  readonly store: Store;
  readonly definitions: Definitions;
  readonly config?: Partial<ApiConfig>;
  readonly inspect: Inspector;
  readonly log?: Log;
  /** Lets debug sessions hold live executions back. */
  readonly debugging?: LiveDebugging;
  readonly mapRuns?: MapRuns;
  readonly logSink?: LogSink | null;
  /** Of the product, for the OpenAPI document. */
  readonly version?: string;
  readonly now?: () => EpochMs;
  readonly random?: () => number;
  readonly uuid?: () => string;
}

export interface Api {
  readonly app: Express;
  /** The app, and a shorter way for what most requests are. */
  readonly listener: RequestListener;
  readonly context: ApiContext;
}

/** A payload travels as a JSON text within JSON: at worst every character is escaped. */
function maxBody({ config }: ApiContext): number {
  return MAX_BODY_BYTES + 2 * config.payloadBytes;
}

export function createApi(options: ApiOptions): Api {
  const context = createContext(options);
  const app = express();
  const openApi = openApiDocument(ROUTES, options.version ?? '0');
  app.disable('x-powered-by').disable('etag').set('query parser', false);
  app.use((request, response, next) => {
    if (admit(context, request, response)) next();
  });
  const body = express.raw({ type: () => true, limit: maxBody(context), inflate: false });
  const authenticated = authentication(context);
  const face = awsFace(context);
  app.post('/', body, authenticated, (request, response) =>
    face(request, request.body as Buffer | undefined, response),
  );
  app.get('/livez', (_request, response) => void response.type('text/plain').end('ok\n'));
  app.get('/readyz', readiness(options.store));
  app.get('/openapi.json', (_request, response) => {
    response.set('Content-Type', 'application/json').end(JSON.stringify(openApi));
  });
  app.use(body, authenticated, restFace(context));
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    sendError(context, request, response, error);
  });
  const listener = directListener({
    face,
    admit: (request, response) => admit(context, request, response),
    authenticate: (request, raw) => authenticate(context, request, request.url ?? '/', raw),
    refuse: (response, error) => sendAwsError(context, response, error),
    otherwise: app,
  });
  return { app, listener, context };
}

/** Every answer has a request id; false when the request has been turned away already. */
function admit(context: ApiContext, request: IncomingMessage, response: ServerResponse): boolean {
  response.setHeader('x-amzn-RequestId', context.uuid());
  if (isAllowedHost(request.headers.host, context.config.hosts)) return true;
  response.statusCode = 421;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end('This host name is not configured.\n');
  return false;
}

export function createContext(options: ApiOptions): ApiContext {
  const { documents } = options.store;
  const now = options.now ?? (() => Date.now() as EpochMs);
  const { uuid = randomUUID } = options;
  return {
    config: { ...DEFAULT_CONFIG, ...options.config },
    engine: options.engine,
    definitions: options.definitions,
    machines: new Machines(documents),
    activities: openActivities(documents),
    tags: new Collection(documents, 'tags'),
    redriveTokens: new Collection(documents, 'redrive-tokens'),
    mapRuns: options.mapRuns ?? options.engine.mapRuns,
    logSink: options.logSink ?? null,
    pageTokens: new PageTokens(documents, now),
    waiters: new Waiters(),
    inspect: options.inspect,
    log: options.log ?? SILENT_LOG,
    debug: createDebugging(uuid, now, options.debugging ?? null),
    now,
    random: options.random ?? Math.random,
    uuid,
  };
}

export interface ServerOptions extends ApiOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Takes the requests whose path begins with one of these; the others are the API's. */
  readonly beside?: {
    readonly paths: readonly string[];
    readonly app: RequestListener;
    /** Those of the paths whose requests must be signed when access keys are configured. */
    readonly signed?: readonly string[];
  };
}

export interface RunningServer {
  readonly url: string;
  readonly api: Api;
  /** Takes no new requests, ends waiting ones, resolves when all connections are closed. */
  close(): Promise<void>;
}

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const keys = options.config?.accessKeys ?? [];
  if (!isLoopback(options.host) && keys.length === 0) {
    throw new Error(
      `Refusing to listen on ${options.host} without credentials: configure an access key, or ` +
        'listen on 127.0.0.1.',
    );
  }
  const api = createApi(options);
  const { beside } = options;
  const guarded = signedApp(api.context, beside?.app ?? api.app);
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const other = beside?.paths.some((prefix) => path.startsWith(prefix)) ?? false;
    const signed = beside?.signed?.some((prefix) => path.startsWith(prefix)) ?? false;
    if (other && signed) guarded(request, response);
    else if (other) beside?.app(request, response);
    else api.listener(request, response);
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await listen(server, options.host, options.port);
  await resumeDeletions(api.context);
  const stopLogging = options.logSink ? publishLogs(api.context, options.logSink) : () => {};
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    api,
    close: async () => {
      // What they hold back goes on: nothing here may wait for a person.
      await api.context.debug.sessions.close();
      stopLogging();
      return close(server);
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Requests that are nearly done may end; long polls and streams are cut off. */
const CLOSE_GRACE_MS = 1000;

function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS).unref();
  });
}

function readiness(store: Store) {
  return async (_request: Request, response: Response): Promise<void> => {
    try {
      await store.documents.get('probe', 'readiness');
      response.type('text/plain').end('ok\n');
    } catch {
      response.status(503).type('text/plain').end('The store is not available.\n');
    }
  };
}

function authentication(context: ApiContext) {
  return (request: Request, response: Response, next: NextFunction): void => {
    try {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      authenticate(context, request, request.originalUrl, body);
      next();
    } catch (error) {
      sendError(context, request, response, error);
    }
  };
}

/** Throws unless the request is signed with a key of ours, where there are any. */
function authenticate(
  context: ApiContext,
  { method = '', rawHeaders }: IncomingMessage,
  url: string,
  body: Buffer,
): void {
  const keys = context.config.accessKeys;
  if (keys.length > 0) verifySignature({ method, url, rawHeaders, body }, keys, context.now());
}

function sendError(api: ApiContext, request: Request, response: Response, error: unknown): void {
  const refused = bodyError(error) ?? error;
  if (isAws(request)) sendAwsError(api, response, refused);
  else sendProblem(api, response, refused);
}

/** The app behind the signature check; the body, once read, is handed on as it is. */
function signedApp(context: ApiContext, app: RequestListener): Express {
  const guard = express().disable('x-powered-by').disable('etag').set('query parser', false);
  guard.use(express.raw({ type: () => true, limit: MAX_BODY_BYTES, inflate: false }));
  guard.use(authentication(context), (request, response) => app(request, response));
  guard.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    sendError(context, request, response, error);
  });
  return guard;
}

function isAws(request: Request): boolean {
  return request.method === 'POST' && request.path === '/';
}

/** What express found wrong with the body or the path, in AWS's words. */
function bodyError(error: unknown): ApiError | null {
  const type = (error as { readonly type?: unknown } | null)?.type;
  if (type === 'entity.too.large') {
    return new ApiError('SerializationException', `Request size exceeded ${MAX_BODY_BYTES} bytes`);
  }
  // What no percent-decoding can read is no path of ours.
  if (error instanceof URIError) {
    return new ApiError('UnknownOperationException', 'There is no such route.');
  }
  if (typeof type !== 'string') return null;
  return new ApiError('SerializationException', 'The request body could not be read');
}
