/** A HandlerContext over one temporary folder: real files, real artifacts, scripted secrets. */
import { createHash, randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Ajv from 'ajv';
import { type Handler, type HandlerContext, TaskFailure } from '../../../src/handlers/handler.js';
import type { Json, JsonObject } from '../../../src/lib/json.js';

export interface Bench {
  readonly folder: string;
  readonly context: HandlerContext;
  readonly logged: string[];
  readonly progress: { done: number; total: number; note?: string }[];
  readonly abort: (reason: unknown) => void;
  write(name: string, content: string | Uint8Array): Promise<string>;
  /** Rows of a JSON Lines artifact. */
  rows(uri: string): Promise<JsonObject[]>;
  run(handler: Handler, parameters: Json): Promise<JsonObject>;
  close(): Promise<void>;
}

export async function bench(secrets: Record<string, string> = {}): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'stepwell-bench-'));
  const logged: string[] = [];
  const progress: Bench['progress'] = [];
  const stop = new AbortController();
  const log = (message: string, fields?: JsonObject) =>
    void logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const store = artifactStore(join(folder, 'artifacts'));
  const context: HandlerContext = {
    signal: stop.signal,
    idempotencyKey: 'key',
    visitKey: 'visit',
    task: {
      executionArn: 'arn:aws:states:us-east-1:123456789012:execution:machine:run',
      executionName: 'run',
      stateMachineName: 'machine',
      stateName: 'State',
      resource: 'ml:test',
      attempt: 0,
    },
    heartbeat: () => undefined,
    progress: (done, total, note) =>
      void progress.push({ done, total, ...(note === undefined ? {} : { note }) }),
    submitted: async () => undefined,
    submission: null,
    taskToken: null,
    log: { debug: log, info: log, warn: log, error: log },
    fetch: globalThis.fetch,
    files: {
      resolveReadable: async (path) => {
        const absolute = path.startsWith('/') ? path : join(folder, path);
        await stat(absolute).catch(() => {
          throw new TaskFailure('DataSource.NotFound', `${path}: there is no such file.`);
        });
        return absolute;
      },
      resolveWritable: async (path) => join(folder, path),
    },
    artifacts: store,
    scratch: async () => {
      await mkdir(join(folder, 'scratch'), { recursive: true });
      return join(folder, 'scratch');
    },
    secret: (name) => {
      const value = secrets[name];
      if (value === undefined) {
        throw new TaskFailure('Secret.NotConfigured', `the secret "${name}" is not configured.`);
      }
      return value;
    },
  };
  return {
    folder,
    context,
    logged,
    progress,
    abort: (reason) => stop.abort(reason),
    write: async (name, content) => {
      const path = join(folder, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
      return path;
    },
    rows: async (uri) => {
      const text = await readFile(await store.path(uri), 'utf8');
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as JsonObject);
    },
    run: async (handler, parameters) => {
      checkParameters(handler, parameters);
      return (await handler.run(parameters, context)) as JsonObject;
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/** As the dispatcher does: the schema is checked before `run`. */
export function checkParameters(handler: Handler, parameters: Json): void {
  const ajv = new Ajv.default({ allErrors: true, allowUnionTypes: true });
  const check = ajv.compile(handler.parameters);
  if (!check(parameters)) throw new TaskFailure('States.Runtime', ajv.errorsText(check.errors));
}

function artifactStore(root: string): HandlerContext['artifacts'] {
  return {
    root,
    put: async (content, { name }) => {
      await mkdir(root, { recursive: true });
      const hash = createHash('sha256');
      const parts: Uint8Array[] = [];
      const chunks = content instanceof Uint8Array ? [content] : content;
      for await (const chunk of chunks) {
        hash.update(chunk);
        parts.push(chunk);
      }
      const sha256 = hash.digest('hex');
      const temporary = join(root, randomUUID());
      const bytes = Buffer.concat(parts);
      await writeFile(temporary, bytes);
      await mkdir(join(root, sha256), { recursive: true });
      await rename(temporary, join(root, sha256, name));
      return { uri: `artifact://sha256/${sha256}/${name}`, sha256, bytes: bytes.length };
    },
    putFolder: async (folder, { name }) => {
      const sha256 = createHash('sha256').update(folder).digest('hex');
      await cp(folder, join(root, sha256, name), { recursive: true });
      return { uri: `artifact://sha256/${sha256}/${name}`, sha256, bytes: 0 };
    },
    path: async (uri) => {
      const path = join(root, uri.replace('artifact://sha256/', ''));
      await stat(path).catch(() => {
        throw new TaskFailure('Artifact.NotFound', `${uri} is absent.`);
      });
      return path;
    },
  };
}

/** The TaskFailure a step ends with; fails the test when it succeeds. */
export async function failureOf(step: Promise<unknown>): Promise<TaskFailure> {
  try {
    await step;
  } catch (error) {
    if (error instanceof TaskFailure) return error;
    throw error;
  }
  throw new Error('expected the step to fail, but it succeeded');
}
