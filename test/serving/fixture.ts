/** Model folders for the fake classifier, endpoints in a temporary home, and a server on them. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DEFAULT_VARIANT,
  type Endpoints,
  endpointsFolder,
  openEndpoints,
  type Serving,
  type ServingOptions,
  startServing,
  type Variant,
} from '../../src/serving/index.js';

export const FAKE_LOADER = new URL('./fake-classifier.mjs', import.meta.url).href;

export interface Home {
  readonly folder: string;
  readonly endpoints: Endpoints;
  model(name: string, behaviour?: object): Promise<string>;
  variant(path: string, extra?: Partial<Variant>): Variant;
  serve(options?: Partial<ServingOptions>): Promise<Serving>;
  close(): Promise<void>;
}

export async function temporaryHome(): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'serving-'));
  const endpoints = openEndpoints(endpointsFolder(folder));
  const servers: Serving[] = [];
  return {
    folder,
    endpoints,
    model: async (name, behaviour = {}) => {
      const path = join(folder, 'models', name);
      await mkdir(path, { recursive: true });
      await writeFile(join(path, 'model.json'), JSON.stringify(behaviour));
      return path;
    },
    variant: (path, extra = {}) => ({
      name: DEFAULT_VARIANT,
      weight: 1,
      instanceCount: 1,
      model: { name: 'sentiment', version: 'v1.0.0', uri: path, path },
      ...extra,
    }),
    serve: async (options = {}) => {
      const server = await startServing({
        home: folder,
        loader: FAKE_LOADER,
        restartFirstMs: 20,
        watchEveryMs: 50,
        ...options,
      });
      servers.push(server);
      return server;
    },
    close: async () => {
      await Promise.all(servers.map((server) => server.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function post(
  server: Serving,
  body: unknown,
  options: { endpoint?: string; headers?: Record<string, string>; raw?: boolean } = {},
  // biome-ignore lint/suspicious/noExplicitAny: a test reads into answers of any shape.
): Promise<{ status: number; body: any; headers: Headers }> {
  const response = await fetch(
    `${server.url}/endpoints/${options.endpoint ?? 'sentiment'}/invocations`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...options.headers },
      body: options.raw ? (body as string) : JSON.stringify(body),
    },
  );
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? null : JSON.parse(text),
    headers: response.headers,
  };
}

export async function eventually(
  check: () => boolean | Promise<boolean>,
  ms = 10_000,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error('It did not happen in time.');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
