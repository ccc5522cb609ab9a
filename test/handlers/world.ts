/** A handler's world on a temporary folder: real files, real guarded fetch, and ears for what it says. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createArtifactStore } from '../../src/handlers/artifacts.js';
import type { Config } from '../../src/handlers/config/config.js';
import { parseConfig } from '../../src/handlers/config/load.js';
import { createGuardedFetch } from '../../src/handlers/egress.js';
import { filesOf } from '../../src/handlers/files.js';
import { type Handler, type HandlerContext, TaskFailure } from '../../src/handlers/handler.js';
import { createSecrets } from '../../src/handlers/secrets.js';
import type { Json, JsonObject } from '../../src/lib/json.js';

export interface World {
  readonly folder: string;
  config(raw: JsonObject): Config;
  context(config: Config, changes?: Partial<HandlerContext>): HandlerContext;
  /** `level: message` of everything logged. */
  readonly said: string[];
  readonly progress: Json[];
  close(): Promise<void>;
}

export async function createWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'stepwell-handlers-'));
  const said: string[] = [];
  const progress: Json[] = [];
  const say = (level: string) => (message: string, fields?: JsonObject) => {
    said.push(`${level}: ${message}${fields === undefined ? '' : ` ${JSON.stringify(fields)}`}`);
  };
  return {
    folder,
    said,
    progress,
    config: (raw) => parseConfig(raw, { path: join(folder, 'stepwell.config.json'), base: folder }),
    context: (config, changes = {}) => ({
      signal: new AbortController().signal,
      idempotencyKey: 'arn:execution/7/nonce',
      visitKey: 'arn:execution/7',
      task: {
        executionArn: 'arn:execution',
        executionName: 'execution',
        stateMachineName: 'Machine',
        stateName: 'Work',
        resource: 'work',
        attempt: 0,
      },
      heartbeat: () => {},
      progress: (done, total, note) => progress.push([done, total, note ?? null]),
      submitted: async () => {},
      submission: null,
      taskToken: null,
      log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
      fetch: createGuardedFetch(config.egress),
      files: filesOf(config),
      artifacts: createArtifactStore(config.artifacts),
      scratch: async () => folder,
      secret: createSecrets(config, { API_KEY: 'canary-5b1d' }),
      ...changes,
    }),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The TaskFailure that a run ends with. */
export async function failureOf(work: Promise<unknown>): Promise<TaskFailure> {
  const error = await work.then(
    (value) => new Error(`no failure but ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (error instanceof TaskFailure) return error;
  throw error;
}

export function fakeHandler(resource: string, changes: Partial<Handler> = {}): Handler {
  return {
    resource,
    description: resource,
    parameters: {},
    onWorkerLost: 'rerun',
    run: async (parameters) => ({ resource, parameters }),
    ...changes,
  };
}

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface WebServer {
  readonly host: string;
  readonly url: string;
  readonly received: Received[];
  close(): Promise<void>;
}

/** A real HTTP server on the loopback; `answer` gets each request after its body. */
export async function startWebServer(
  answer: (request: Received, response: ServerResponse) => void,
): Promise<WebServer> {
  const received: Received[] = [];
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = request;
    const entry = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') };
    received.push(entry);
    answer(entry, response);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `http://${host}`,
    received,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
