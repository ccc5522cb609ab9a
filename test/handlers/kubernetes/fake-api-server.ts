/**
 * An API server on loopback that speaks the part of Kubernetes that Jobs need: paths, status objects
 * and condition sequences as a real server (1.29) sends them. What a Job's container does is a script.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Json, JsonObject } from '../../../src/lib/json.js';

export interface PodRun {
  readonly succeeds: boolean;
  readonly log: string;
  /** Reads of the Job until it is over. */
  readonly reads: number;
}

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body: JsonObject | null;
}

interface Kept {
  readonly job: JsonObject;
  reads: number;
  run: PodRun;
}

export class FakeApiServer {
  readonly seen: Seen[] = [];
  readonly jobs = new Map<string, Kept>();
  /** What the container of the next Job does. */
  script: (job: JsonObject) => Promise<PodRun> | PodRun = () => ({
    succeeds: true,
    log: 'done\n',
    reads: 2,
  });
  /** Answers the next create with this status instead. */
  refuse: { readonly code: number; readonly message: string } | null = null;
  url = '';
  private readonly server = createServer((request, response) => {
    this.answer(request, response).catch((error) => response.destroy(error as Error));
  });

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as { port: number }).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** A kubeconfig with this server as the one context. */
  kubeconfig(context = 'lab'): string {
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: this.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 'secret-token' } }],
      contexts: [{ name: context, context: { cluster: 'c', user: 'u' } }],
      'current-context': context,
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', this.url);
    const body = await read(request);
    this.seen.push({ method: request.method ?? '', path: request.url ?? '', body });
    if (request.headers.authorization !== 'Bearer secret-token') {
      return this.status(response, 401, 'Unauthorized', 'Unauthorized');
    }
    const jobs = /^\/apis\/batch\/v1\/namespaces\/([^/]+)\/jobs(?:\/([^/]+))?$/.exec(pathname);
    if (jobs !== null) return this.jobCall(request, response, jobs[1] ?? '', jobs[2] ?? null, body);
    const log = /^\/api\/v1\/namespaces\/[^/]+\/pods\/([^/]+)-x7k2p\/log$/.exec(pathname);
    if (log !== null) return this.log(response, log[1] ?? '');
    if (/^\/api\/v1\/namespaces\/[^/]+\/pods$/.test(pathname)) {
      return this.pods(response, searchParams.get('labelSelector') ?? '');
    }
    return this.status(
      response,
      404,
      'NotFound',
      'the server could not find the requested resource',
    );
  }

  private async jobCall(
    request: IncomingMessage,
    response: ServerResponse,
    namespace: string,
    name: string | null,
    body: JsonObject | null,
  ): Promise<void> {
    if (request.method === 'POST') return this.create(response, namespace, body ?? {});
    const kept = this.jobs.get(name ?? '');
    if (kept === undefined) {
      return this.status(response, 404, 'NotFound', `jobs.batch "${name}" not found`);
    }
    if (request.method === 'DELETE') {
      this.jobs.delete(name ?? '');
      return send(response, 200, { kind: 'Status', apiVersion: 'v1', status: 'Success' });
    }
    kept.reads++;
    send(response, 200, { ...kept.job, status: statusOf(kept) });
  }

  private async create(
    response: ServerResponse,
    namespace: string,
    body: JsonObject,
  ): Promise<void> {
    if (this.refuse !== null) {
      const { code, message } = this.refuse;
      this.refuse = null;
      return this.status(response, code, 'Forbidden', message);
    }
    const { name } = body.metadata as { name: string };
    if (this.jobs.has(name)) {
      return this.status(response, 409, 'AlreadyExists', `jobs.batch "${name}" already exists`);
    }
    const metadata = {
      ...(body.metadata as JsonObject),
      namespace,
      uid: '5f1c1f0e-9d5f-4c51-8f0a-0d5f0b8a4a11',
      creationTimestamp: '2026-11-26T06:00:00Z',
    };
    const job = { ...body, metadata };
    this.jobs.set(name, { job, reads: 0, run: await this.script(job) });
    send(response, 201, { ...job, status: {} });
  }

  private pods(response: ServerResponse, selector: string): void {
    const name = selector.replace('job-name=', '');
    const kept = this.jobs.get(name);
    const spec = (kept?.job.spec as JsonObject | undefined)?.template as JsonObject | undefined;
    const items =
      kept === undefined
        ? []
        : [
            {
              metadata: { name: `${name}-x7k2p`, labels: { 'job-name': name } },
              spec: spec?.spec ?? {},
            },
          ];
    send(response, 200, { kind: 'PodList', apiVersion: 'v1', items } as JsonObject);
  }

  private log(response: ServerResponse, name: string): void {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.end(this.jobs.get(name)?.run.log ?? '');
  }

  private status(response: ServerResponse, code: number, reason: string, message: string): void {
    send(response, code, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      code,
    });
  }
}

function statusOf({ reads, run }: Kept): JsonObject {
  const startTime = '2026-11-26T06:00:00Z';
  if (reads < run.reads) return { startTime, active: 1, ready: 0 };
  const at = { lastProbeTime: startTime, lastTransitionTime: startTime, status: 'True' };
  return run.succeeds
    ? {
        startTime,
        completionTime: startTime,
        succeeded: 1,
        conditions: [{ type: 'Complete', ...at }],
      }
    : {
        startTime,
        failed: 1,
        conditions: [
          {
            type: 'Failed',
            ...at,
            reason: 'BackoffLimitExceeded',
            message: 'Job has reached the specified backoff limit',
          },
        ],
      };
}

async function read(request: IncomingMessage): Promise<JsonObject | null> {
  let text = '';
  for await (const part of request) text += part;
  return text === '' ? null : (JSON.parse(text) as JsonObject);
}

function send(response: ServerResponse, code: number, body: Json): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
