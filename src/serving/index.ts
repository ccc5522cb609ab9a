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
import type { JsonObject } from '../lib/json.js';
import { openCapture } from './capture.js';
import { openFeedback } from './feedback.js';
import {
  FLUSH_EVERY_MS,
  HEALTH_EVERY_MS,
  INVOCATION_TIMEOUT_MS,
  SCALE_EVERY_MS,
  WATCH_EVERY_MS,
} from './limits.js';
import { openLineFiles } from './line-files.js';
import { type ServingLog, SILENT } from './log.js';
import { openMetrics, readMetrics } from './metrics.js';
import { announceServer } from './servers.js';
import { type Supervisor, type SupervisorOptions, supervise } from './supervisor.js';

export {
  DEFAULT_VARIANT,
  type EndpointRecord,
  type Endpoints,
  type EndpointState,
  type EndpointSwitch,
  endpointsFolder,
  type OpenRollout,
  openEndpoints,
  type ServedModel,
  type ShadowVariant,
  type SwitchRequest,
  type Variant,
} from './endpoints.js';
export {
  type AlarmDefinition,
  type AlarmResult,
  DEFAULT_ALARMS,
  evaluateAlarm,
  type Evidence,
  judge,
  type Judgement,
} from './alarms.js';
export {
  type CapturedRow,
  capturedRows,
  type LabelledRow,
  labelledRows,
} from './captured-calls.js';
export { captureFolder, type CaptureRecord, readCapture } from './capture.js';
export { type Feedback, feedbackFolder, readFeedback } from './feedback.js';
export { errorText, type LiveAnswer, type LiveEndpoints, openLive } from './live.js';
export { EMPTY_WINDOW, type MetricWindow, readMetrics } from './metrics.js';
export { announceServer, liveServers } from './servers.js';
export type { PartialSettings, Scaling } from './settings.js';
export { HEALTH_TEXTS, MAX_INSTANCES } from './limits.js';
export type { ServingLog } from './log.js';
export type { Prediction } from './messages.js';
export {
  ProcessEnded,
  type ProcessOptions,
  type ServingProcess,
  startServingProcess,
} from './serving-process.js';
export type { Invocation } from './invocation.js';
export type { EndpointView } from './served.js';
export type { InvocationObserver, Supervisor } from './supervisor.js';

export interface ServingOptions extends Omit<SupervisorOptions, 'endpoints' | 'metrics'> {
  /** The product's home folder, usually `.stepwell`. */
  readonly home: string;
  readonly endpoints?: Endpoints;
  readonly host?: string;
  /** 0 takes a free port. */
  readonly port?: number;
  /** Host names besides the loopback ones that requests may be addressed to. */
  readonly allowedHosts?: readonly string[];
  readonly watchEveryMs?: number;
  /** How often metrics, captured data and feedback are written. */
  readonly flushEveryMs?: number;
  readonly scaleEveryMs?: number;
  /** Time for metrics, captured data and feedback; default: the system's. */
  readonly now?: () => number;
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
  /** Writes metrics, captured data and feedback now instead of with the next second. */
  flush(): Promise<void>;
  /** Lets the children answer what they have, then ends them. */
  close(): Promise<void>;
  /** Ends the children at once. */
  kill(): void;
}

export interface Serving
  extends Pick<OpenServing, 'supervisor' | 'ready' | 'reload' | 'flush' | 'close'> {
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Brings every endpoint in service back and follows the endpoint records from then on. */
export async function openServing(options: ServingOptions): Promise<OpenServing> {
  const { home, host = '127.0.0.1', log = SILENT, now = Date.now } = options;
  const endpoints = options.endpoints ?? openEndpoints(endpointsFolder(home));
  const metrics = openMetrics(home, now);
  const files = openLineFiles(now);
  const { random } = options;
  const capture = openCapture({ home, files, log, ...(random === undefined ? {} : { random }) });
  const supervisor = supervise({ ...options, endpoints, log, metrics, captureFull: capture.full });
  const flush = async (): Promise<void> => {
    await metrics.flush();
    await files.flush();
  };
  await supervisor.sync();
  const timers = [
    every(options.watchEveryMs ?? WATCH_EVERY_MS, () => supervisor.sync(), log),
    every(options.flushEveryMs ?? FLUSH_EVERY_MS, flush, log),
    every(options.scaleEveryMs ?? SCALE_EVERY_MS, async () => supervisor.scale(), log),
    every(HEALTH_EVERY_MS, () => supervisor.checkHealth(), log),
  ];
  const silence = (): void => {
    for (const timer of timers) clearInterval(timer);
  };
  const app = servingApp({
    supervisor,
    log,
    capture,
    now,
    feedback: openFeedback(home, files, now),
    metrics: async (endpoint, query) => {
      await metrics.flush();
      return Object.fromEntries(await readMetrics(home, endpoint, query)) as unknown as JsonObject;
    },
    registry: openRegistry({ folder: join(home, 'registry') }),
    allowedHosts: hostsFor(host, options.allowedHosts ?? []),
  });
  return {
    app,
    supervisor,
    ready: (timeoutMs = 120_000) => untilReady(supervisor, timeoutMs),
    reload: () => supervisor.sync(),
    flush,
    close: async () => {
      silence();
      await supervisor.close();
      await flush();
    },
    kill: () => {
      silence();
      supervisor.kill();
    },
  };
}

/** One run at a time: a slow one is not overtaken by the next. */
function every(ms: number, work: () => Promise<void>, log: ServingLog): NodeJS.Timeout {
  let running = false;
  return setInterval(() => {
    if (running) return;
    running = true;
    work()
      .catch((error: unknown) =>
        log.error('Serving: a periodic task failed', { error: String(error) }),
      )
      .finally(() => {
        running = false;
      });
  }, ms);
}

export async function startServing(options: ServingOptions): Promise<Serving> {
  const { home, host = '127.0.0.1', port = 0, signal } = options;
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
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
  const unannounce = await announceServer(home, url);
  const onAbort = (): void => {
    void unannounce();
    serving.kill();
    server.close();
    server.closeAllConnections();
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  return {
    url,
    host,
    port: bound,
    supervisor: serving.supervisor,
    ready: serving.ready,
    reload: serving.reload,
    flush: serving.flush,
    close: async () => {
      await unannounce();
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
