/**
 * The public face of model serving: endpoint records, a check of a model before it serves, and the
 * server that brings every endpoint back. `startServing` is what `stepwell serve-models` runs.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { openRegistry } from '../ml/registry/index.js';
import { type Endpoints, endpointsFolder, openEndpoints } from './endpoints.js';
import { servingApp } from './http.js';
import { INVOCATION_TIMEOUT_MS, WATCH_EVERY_MS } from './limits.js';
import { SILENT } from './log.js';
import { type Supervisor, type SupervisorOptions, supervise } from './supervisor.js';

export {
  DEFAULT_VARIANT,
  type EndpointRecord,
  type Endpoints,
  type EndpointSwitch,
  endpointsFolder,
  openEndpoints,
  type ServedModel,
  type Variant,
} from './endpoints.js';
export { HEALTH_TEXTS, MAX_INSTANCES } from './limits.js';
export type { ServingLog } from './log.js';
export type { Prediction } from './messages.js';
export {
  ProcessEnded,
  type ProcessOptions,
  type ServingProcess,
  startServingProcess,
} from './serving-process.js';
export type { EndpointView, Invocation, InvocationObserver, Supervisor } from './supervisor.js';

export interface ServingOptions extends Omit<SupervisorOptions, 'endpoints'> {
  /** The product's home folder, usually `.stepwell`. */
  readonly home: string;
  readonly endpoints?: Endpoints;
  readonly host?: string;
  /** 0 takes a free port. */
  readonly port?: number;
  /** Host names besides the loopback ones that requests may be addressed to. */
  readonly allowedHosts?: readonly string[];
  readonly watchEveryMs?: number;
  /** Ends the server and its children at once. */
  readonly signal?: AbortSignal;
}

/** Endpoints without a listener of their own: `stepwell serve` mounts `app` beside its API. */
export interface OpenServing {
  readonly app: RequestListener;
  readonly supervisor: Supervisor;
  /** Resolves when every endpoint has an instance that answers, or rejects after the time. */
  ready(timeoutMs?: number): Promise<void>;
  /** Takes switched endpoints up now instead of at the next look. */
  reload(): Promise<void>;
  /** Lets the children answer what they have, then ends them. */
  close(): Promise<void>;
  /** Ends the children at once. */
  kill(): void;
}

export interface Serving extends Pick<OpenServing, 'supervisor' | 'ready' | 'reload' | 'close'> {
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Brings every endpoint in service back and follows the endpoint records from then on. */
export async function openServing(options: ServingOptions): Promise<OpenServing> {
  const { home, host = '127.0.0.1', log = SILENT } = options;
  const endpoints = options.endpoints ?? openEndpoints(endpointsFolder(home));
  const supervisor = supervise({ ...options, endpoints, log });
  await supervisor.sync();
  const watch = setInterval(() => {
    supervisor.sync().catch((error: unknown) => {
      log.error('The endpoint records cannot be read', { error: String(error) });
    });
  }, options.watchEveryMs ?? WATCH_EVERY_MS);
  return {
    app: servingApp({
      supervisor,
      log,
      registry: openRegistry({ folder: join(home, 'registry') }),
      allowedHosts: hostsFor(host, options.allowedHosts ?? []),
    }),
    supervisor,
    ready: (timeoutMs = 120_000) => untilReady(supervisor, timeoutMs),
    reload: () => supervisor.sync(),
    close: async () => {
      clearInterval(watch);
      await supervisor.close();
    },
    kill: () => {
      clearInterval(watch);
      supervisor.kill();
    },
  };
}

export async function startServing(options: ServingOptions): Promise<Serving> {
  const { host = '127.0.0.1', port = 0, signal } = options;
  signal?.throwIfAborted();
  const serving = await openServing(options);
  const server = createServer(
    { requestTimeout: INVOCATION_TIMEOUT_MS + 30_000, headersTimeout: 15_000 },
    serving.app,
  );
  // A socket that breaks the protocol gets its 400 from Node and is closed; nothing else happens.
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });
  const bound = await listen(server, host, port).catch(async (error) => {
    await serving.close();
    throw error;
  });
  const onAbort = (): void => {
    serving.kill();
    server.close();
    server.closeAllConnections();
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    host,
    port: bound,
    supervisor: serving.supervisor,
    ready: serving.ready,
    reload: serving.reload,
    close: async () => {
      signal?.removeEventListener('abort', onAbort);
      const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await serving.close();
      server.closeAllConnections();
      await stopped;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** On a loopback address only loopback names are right; elsewhere the operator may list names. */
function hostsFor(host: string, extra: readonly string[]): readonly string[] | null {
  const loopback = host === 'localhost' || host === '::1' || host.startsWith('127.');
  if (loopback) return [...LOOPBACK, host, ...extra.map((name) => name.toLowerCase())];
  return extra.length === 0 ? null : extra.map((name) => name.toLowerCase());
}

async function untilReady(supervisor: Supervisor, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const waiting = supervisor.views().filter((view) => view.status === 'Creating');
    if (waiting.length === 0) return;
    if (Date.now() > deadline) {
      const reasons = waiting.map(
        (view) =>
          `${view.name} (${view.variants.map((v) => v.lastFailure ?? 'loading').join(', ')})`,
      );
      throw new Error(`Not ready after ${timeoutMs} ms: ${reasons.join('; ')}.`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
