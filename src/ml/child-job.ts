/**
 * One job in a child process: forks it, passes progress on, kills it when aborted. Inference blocks its
 * thread and cannot be cancelled, so it lives where a kill is safe.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { JsonObject } from '../lib/json.js';
import { DataFailure, isNamed, reasonOf } from './data/data-failure.js';

export type Answer =
  | {
      readonly type: 'progress';
      readonly done: number;
      readonly total: number;
      readonly note: string | null;
    }
  | { readonly type: 'done'; readonly report: JsonObject }
  | { readonly type: 'failed'; readonly error: string; readonly reason: string };

export interface JobHooks {
  readonly signal: AbortSignal;
  onProgress(done: number, total: number, note: string | null): void;
}

export interface JobKind {
  /** The child's module without its ending, seen from `src/ml`. */
  readonly script: string;
  /** `evaluation`: names the process in messages. */
  readonly noun: string;
  /** Prefix of its failures, such as `Evaluation`. */
  readonly prefix: string;
}

/** The source runs as TypeScript in development and tests, as JavaScript from `dist`. */
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

export function defaultClassifierModule(): string {
  return new URL(`./encoder/classifier${EXTENSION}`, import.meta.url).href;
}

export async function runChildJob(
  kind: JobKind,
  job: object,
  hooks: JobHooks,
): Promise<JsonObject> {
  hooks.signal.throwIfAborted();
  const child = start(kind);
  const kill = () => child.kill('SIGKILL');
  hooks.signal.addEventListener('abort', kill, { once: true });
  try {
    return await conversation(child, kind, job, hooks);
  } finally {
    hooks.signal.removeEventListener('abort', kill);
    kill();
  }
}

function start({ script }: JobKind): ChildProcess {
  const path = fileURLToPath(new URL(`${script}${EXTENSION}`, import.meta.url));
  const loader = () => pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  return fork(path, [], {
    execArgv: EXTENSION === '.ts' ? ['--import', loader()] : [],
    // No secrets of the engine's environment reach the process that loads a model file.
    env: kept(['PATH', 'HOME', 'TMPDIR', 'LD_LIBRARY_PATH']),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

function kept(names: readonly string[]): Record<string, string> {
  const given = names.map((name) => [name, process.env[name] ?? ''] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== ''));
}

const STDERR_KEPT = 2_000;

async function conversation(
  child: ChildProcess,
  kind: JobKind,
  job: object,
  hooks: JobHooks,
): Promise<JsonObject> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-STDERR_KEPT);
  });
  return await new Promise((resolve, reject) => {
    child.on('message', (message) => {
      const answer = message as Answer;
      switch (answer.type) {
        case 'progress':
          return hooks.onProgress(answer.done, answer.total, answer.note);
        case 'done':
          return resolve(answer.report);
        case 'failed':
          return reject(new DataFailure(answer.error, answer.reason));
      }
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      // Nothing happens here after an answer: the promise is settled.
      if (hooks.signal.aborted) reject(hooks.signal.reason);
      else reject(died(kind, code, signal, said));
    });
    child.send(job);
  });
}

function died(
  { noun, prefix }: JobKind,
  code: number | null,
  signal: string | null,
  said: string,
): DataFailure {
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  const memory = signal === 'SIGKILL' ? ' (out of memory?)' : '';
  const last = said.trim().split('\n').slice(-5).join(' | ');
  return new DataFailure(
    `${prefix}.ProcessDied`,
    `the ${noun} process ended with ${how}${memory}${last === '' ? '.' : `: ${last}`}`,
  );
}

/** The child's side: gets one job, answers once, and ends with its parent. */
export function answerJob<Job>(prefix: string, work: (job: Job) => Promise<JsonObject>): void {
  process.once('message', (job) => void answer(prefix, () => work(job as Job)));
  process.on('disconnect', () => process.exit(1));
}

async function answer(prefix: string, work: () => Promise<JsonObject>): Promise<void> {
  try {
    tell({ type: 'done', report: await work() });
  } catch (error) {
    tell({
      type: 'failed',
      error: isNamed(error) ? error.error : `${prefix}.Failed`,
      reason: isNamed(error) ? error.reason : reasonOf(error),
    });
  }
  process.disconnect();
}

export function tell(message: Answer): void {
  process.send?.(message);
}
