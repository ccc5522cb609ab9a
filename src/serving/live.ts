/**
 * Live traffic for handlers: requests to the endpoints over HTTP, as clients send them. They go to a
 * server of this home that runs already (`stepwell serve`), else to one that is started here on a free
 * loopback port and ends with the handlers, so that `stepwell run` can roll out all by itself.
 */
import { isObject, type Json } from '../lib/json.js';
import type { Serving } from './index.js';
import { liveServers } from './servers.js';

export interface LiveAnswer {
  readonly status: number;
  readonly variant: string | null;
  readonly revision: number | null;
  readonly version: string | null;
  readonly requestId: string;
  readonly latencyMs: number;
  readonly body: Json;
}

export interface LiveOptions {
  readonly inferenceId?: string;
  readonly sessionId?: string;
  readonly targetVariant?: string;
  /** Asked only to see who answers: not measured, captured or compared. */
  readonly probe?: boolean;
  /** Scores of that many labels for each text, best first. */
  readonly topK?: number;
  readonly signal?: AbortSignal;
}

export interface LiveEndpoints {
  invoke(endpoint: string, texts: readonly string[], options?: LiveOptions): Promise<LiveAnswer>;
  feedback(endpoint: string, body: Json, signal?: AbortSignal): Promise<number>;
  /** Takes switched endpoints up now and writes metrics and captured data, where the server is ours. */
  settle(): Promise<void>;
  /** Where the requests go; starts a server when there is none. */
  url(): Promise<string>;
  close(): Promise<void>;
}

export function openLive(options: {
  readonly home: string;
  readonly start: () => Promise<Serving>;
}): LiveEndpoints {
  let own: Promise<Serving> | null = null;
  let found: string | null = null;

  async function url(): Promise<string> {
    if (own !== null) return (await own).url;
    if (found !== null) return found;
    const [server] = await liveServers(options.home);
    if (server !== undefined) {
      found = server.url;
      return found;
    }
    own ??= options.start();
    return (await own).url;
  }

  /** A server that has gone since is looked for again, once. */
  async function send(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(`${await url()}${path}`, init);
    } catch (error) {
      if (init.signal?.aborted || own !== null || found === null) throw error;
      found = null;
      return fetch(`${await url()}${path}`, init);
    }
  }

  return {
    url,
    invoke: async (endpoint, texts, options = {}) => {
      const startedAt = performance.now();
      const response = await send(`/endpoints/${encodeURIComponent(endpoint)}/invocations`, {
        method: 'POST',
        headers: headersOf(options),
        body: JSON.stringify(
          options.topK === undefined
            ? { inputs: texts }
            : { inputs: texts, parameters: { top_k: options.topK } },
        ),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      const text = await response.text();
      const revision = response.headers.get('x-stepwell-revision');
      return {
        status: response.status,
        variant: response.headers.get('x-amzn-invoked-production-variant'),
        revision: revision === null ? null : Number(revision),
        version: response.headers.get('x-stepwell-model-version') || null,
        requestId: response.headers.get('x-amzn-requestid') ?? '',
        latencyMs: performance.now() - startedAt,
        body: parsed(text),
      };
    },
    feedback: async (endpoint, body, signal) => {
      const response = await send(`/endpoints/${encodeURIComponent(endpoint)}/feedback`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        ...(signal === undefined ? {} : { signal }),
      });
      await response.arrayBuffer();
      return response.status;
    },
    settle: async () => {
      await url();
      if (own === null) return;
      const serving = await own;
      await serving.reload();
      await serving.flush();
    },
    close: async () => {
      if (own === null) return;
      const serving = await own.catch(() => null);
      own = null;
      await serving?.close();
    },
  };
}

function headersOf(options: LiveOptions): Record<string, string> {
  const { inferenceId, sessionId, targetVariant, probe } = options;
  const prefix = 'x-amzn-sagemaker-';
  return {
    'content-type': 'application/json',
    ...(inferenceId === undefined ? {} : { [`${prefix}inference-id`]: inferenceId }),
    ...(sessionId === undefined ? {} : { [`${prefix}session-id`]: sessionId }),
    ...(targetVariant === undefined ? {} : { [`${prefix}target-variant`]: targetVariant }),
    ...(probe === true ? { 'x-stepwell-probe': '1' } : {}),
  };
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

/** The message of an error answer, for people. */
export function errorText({ status, body }: LiveAnswer): string {
  const message = isObject(body) && typeof body.Message === 'string' ? body.Message : '';
  return `${status} ${message}`.trim();
}
