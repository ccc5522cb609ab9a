/** Runs an evaluation in a child process: forks it, passes progress on, kills it when aborted. */
import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { JsonObject } from '../../lib/json.js';
import { DataFailure } from '../data/data-failure.js';

/** What `src/ml/encoder/classifier.ts` promises; a test brings its own module. */
export type LoadClassifier = (
  dir: string,
  options: { readonly threads?: number; readonly imageFolder?: string },
) => Promise<Classifier>;

export interface Classifier {
  readonly labels: readonly string[];
  predict(texts: readonly string[]): Promise<readonly Predicted[]>;
  close(): Promise<void>;
}

export interface Predicted {
  readonly label: string;
  readonly score: number;
  /** Probabilities in the order of the labels, or by label. */
  readonly scores: readonly number[] | Readonly<Record<string, number>>;
}

export interface Job {
  /** URL of the module with `loadClassifier`. */
  readonly classifierModule: string;
  readonly modelPath: string;
  /** As a person knows model and dataset. */
  readonly model: string;
  readonly address: string;
  readonly datasetPath: string;
  readonly textColumn: string;
  readonly labelColumn: string;
  /** Columns written beside each prediction, for slices and fairness. */
  readonly keepColumns: readonly string[];
  readonly batchSize: number;
  readonly threads: number | null;
  readonly latencySamples: number;
  /** A new file: predictions as JSON Lines. */
  readonly predictionsPath: string;
}

export type Answer =
  | {
      readonly type: 'progress';
      readonly done: number;
      readonly total: number;
      readonly note: string | null;
    }
  | { readonly type: 'done'; readonly report: JsonObject }
  | { readonly type: 'failed'; readonly error: string; readonly reason: string };

export interface EvaluationHooks {
  readonly signal: AbortSignal;
  onProgress(done: number, total: number, note: string | null): void;
}

/** The source runs as TypeScript in development and tests, as JavaScript from `dist`. */
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

export function defaultClassifierModule(): string {
  return new URL(`../encoder/classifier${EXTENSION}`, import.meta.url).href;
}

export async function runEvaluation(job: Job, hooks: EvaluationHooks): Promise<JsonObject> {
  hooks.signal.throwIfAborted();
  const child = start();
  const kill = () => child.kill('SIGKILL');
  hooks.signal.addEventListener('abort', kill, { once: true });
  try {
    return await conversation(child, job, hooks);
  } finally {
    hooks.signal.removeEventListener('abort', kill);
    kill();
  }
}

function start(): ChildProcess {
  const path = fileURLToPath(new URL(`./evaluate-child${EXTENSION}`, import.meta.url));
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
  job: Job,
  hooks: EvaluationHooks,
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
      else reject(died(code, signal, said));
    });
    child.send(job);
  });
}

function died(code: number | null, signal: string | null, said: string): DataFailure {
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  const memory = signal === 'SIGKILL' ? ' (out of memory?)' : '';
  const last = said.trim().split('\n').slice(-5).join(' | ');
  return new DataFailure(
    'Evaluation.ProcessDied',
    `the evaluation process ended with ${how}${memory}${last === '' ? '.' : `: ${last}`}`,
  );
}
