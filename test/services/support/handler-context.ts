/** A HandlerContext over one temporary folder: real files, real artifacts, scripted secrets. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createArtifactStore } from '../../../src/handlers/artifacts.js';
import { createGuardedFiles } from '../../../src/handlers/files.js';
import { type Handler, type HandlerContext, TaskFailure } from '../../../src/handlers/handler.js';
import { compileCheck } from '../../../src/handlers/schema-check.js';
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
  const store = createArtifactStore(join(folder, 'artifacts'));
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
    files: createGuardedFiles({ roots: [folder], base: folder }),
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
function checkParameters(handler: Handler, parameters: Json): void {
  const problem = compileCheck(handler.parameters)(parameters);
  if (problem !== null) throw new TaskFailure('Parameters.Invalid', problem.sentence);
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
