/**
 * One serving child seen from its parent: start and ready handshake, predictions with a bounded
 * queue and a time limit, orderly stop, and a certain end. It never restarts itself (replicas.ts does).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { throttled } from './errors.js';
import {
  DRAIN_TIMEOUT_MS,
  INVOCATION_TIMEOUT_MS,
  KILL_AFTER_MS,
  MAX_QUEUED_TEXTS,
  READY_TIMEOUT_MS,
} from './limits.js';
import type { FromChild, Prediction, ToChild } from './messages.js';
import type { Batching } from './settings.js';

export interface ProcessOptions {
  /** Folder of the model. */
  readonly modelDir: string;
  /** URL of a module that exports `loadClassifier`. */
  readonly loader?: string;
  readonly threads?: number;
  readonly batching?: Batching;
  readonly readyTimeoutMs?: number;
  /** Told what the child writes to its standard error. */
  readonly onComplaint?: (text: string) => void;
  /** Ends the child at once, also while it loads. */
  readonly signal?: AbortSignal;
}

export interface PredictOptions {
  readonly timeoutMs?: number;
  /** A child that has been silent this long although it had work is taken for hung and ended. */
  readonly hungAfterMs?: number;
  readonly signal?: AbortSignal;
}

export interface ServingProcess {
  readonly pid: number;
  readonly labels: readonly string[];
  readonly loadMs: number;
  /** Texts that it has been given and has not answered. */
  readonly queuedTexts: number;
  predict(texts: readonly string[], options?: PredictOptions): Promise<readonly Prediction[]>;
  /** Pooled vectors of the texts; rejects for a model that has none. */
  embed(
    texts: readonly string[],
    options?: PredictOptions,
  ): Promise<readonly (readonly number[])[]>;
  /** Whether it answers; one that works counts as healthy until its request times out. */
  healthy(timeoutMs: number): Promise<boolean>;
  /** Resolves when the process is gone, with the reason. */
  readonly ended: Promise<string>;
  /** Lets it finish what it has, then ends it. */
  stop(): Promise<void>;
  kill(): void;
}

/** The child is gone or refused before it answered: another child may take the request. */
export class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded';
}

/** The model failed for this very request. */
export class PredictionFailed extends Error {
  override readonly name = 'PredictionFailed';
}

export class PredictionTimedOut extends Error {
  override readonly name = 'PredictionTimedOut';
}

/** Predictions of texts, or their vectors: what an answer holds follows from what was asked. */
type Answer = readonly Prediction[] | readonly (readonly number[])[];

interface Pending {
  readonly texts: number;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

const fromSource = import.meta.url.endsWith('.ts');
const extension = fromSource ? 'ts' : 'js';

/** The module that loads a classifier folder written by `ml:fine-tune`. */
const DEFAULT_LOADER = new URL(`../ml/encoder/classifier.${extension}`, import.meta.url).href;

/** Starts a child and waits until it has loaded its model; rejects with its reason if it cannot. */
export async function startServingProcess(options: ProcessOptions): Promise<ServingProcess> {
  options.signal?.throwIfAborted();
  const child = fork(
    fileURLToPath(new URL(`./serving-child.${extension}`, import.meta.url)),
    argumentsOf(options),
    {
      execArgv: fromSource ? tsxArguments() : [],
      env: childEnvironment(),
      // Its standard output must not mix with ours, which may be a result in JSON.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    },
  );
  const stderr = tailOf(child, options.onComplaint);
  const ended = endOf(child);
  const kill = (): void => void child.kill('SIGKILL');
  options.signal?.addEventListener('abort', kill, { once: true });
  void ended.then(() => options.signal?.removeEventListener('abort', kill));
  const ready = await readyMessage(child, ended, stderr, options);
  return attend(child, ended, ready);
}

function argumentsOf({ modelDir, loader, threads, batching }: ProcessOptions): string[] {
  const { maxBatch = 0, maxDelayMs = 0 } = batching ?? {};
  const values = [threads ?? 1, maxBatch, maxDelayMs].map(String);
  return [modelDir, loader ?? DEFAULT_LOADER, ...values];
}

function tsxArguments(): string[] {
  return ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href];
}

/** A model needs no credentials: only what Node itself and its libraries read is handed on. */
function childEnvironment(): NodeJS.ProcessEnv {
  const kept = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'LANG', 'LC_ALL', 'SystemRoot', 'TZ'];
  const pairs = kept.map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
}

async function readyMessage(
  child: ChildProcess,
  ended: Promise<string>,
  stderr: () => string,
  options: ProcessOptions,
): Promise<Extract<FromChild, { type: 'ready' }>> {
  const limitMs = options.readyTimeoutMs ?? READY_TIMEOUT_MS;
  let timer: NodeJS.Timeout | undefined;
  const message = new Promise<FromChild>((resolve) => child.once('message', resolve));
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, limitMs, null);
  });
  const first = await Promise.race([message, late, ended]);
  clearTimeout(timer);
  if (first !== null && typeof first === 'object' && first.type === 'ready') return first;
  child.kill('SIGKILL');
  await ended;
  options.signal?.throwIfAborted();
  if (first === null) throw new ProcessEnded(`The model was not loaded within ${limitMs} ms.`);
  if (typeof first === 'object' && first.type === 'failed') {
    throw new ProcessEnded(`The model could not be loaded: ${first.message}`);
  }
  throw new ProcessEnded(`The serving process ended (${String(first)}) while loading: ${stderr()}`);
}

function attend(
  child: ChildProcess,
  ended: Promise<string>,
  ready: Extract<FromChild, { type: 'ready' }>,
): ServingProcess {
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let queuedTexts = 0;
  /** When it was given work or a ping and has said nothing since; null when it owes nothing. */
  let silentSince: number | null = null;
  let stopping = false;

  const settle = (id: number): Pending | undefined => {
    const request = pending.get(id);
    if (request === undefined) return undefined;
    pending.delete(id);
    queuedTexts -= request.texts;
    return request;
  };
  child.on('message', (message: FromChild) => {
    silentSince = null;
    if (message.type === 'result') settle(message.id)?.resolve(message.predictions);
    if (message.type === 'vectors') settle(message.id)?.resolve(message.vectors);
    if (message.type === 'error') {
      settle(message.id)?.reject(new PredictionFailed(message.message));
    }
  });
  void ended.then((reason) => {
    for (const id of [...pending.keys()]) {
      settle(id)?.reject(new ProcessEnded(`The serving process ended (${reason}).`));
    }
  });
  const tell = (message: ToChild): void => {
    if (child.connected) child.send(message, () => undefined);
  };

  function ask(
    type: 'predict' | 'embed',
    texts: readonly string[],
    { timeoutMs = INVOCATION_TIMEOUT_MS, hungAfterMs = timeoutMs, signal }: PredictOptions = {},
  ): Promise<Answer> {
    signal?.throwIfAborted();
    if (stopping || !child.connected) throw new ProcessEnded('The serving process is stopping.');
    if (queuedTexts > 0 && queuedTexts + texts.length > MAX_QUEUED_TEXTS) {
      throw throttled(`${queuedTexts} texts are waiting already.`);
    }
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      const give = (error: Error): void => {
        if (settle(id) === undefined) return;
        tell({ type: 'cancel', id });
        // It says nothing about what it dropped: its answer to a ping tells that it lives.
        tell({ type: 'ping' });
        done();
        reject(error);
      };
      const timer = setTimeout(() => {
        give(new PredictionTimedOut(`The model did not answer within ${timeoutMs} ms.`));
        // Silent all this time although it had work: it hangs, and a fresh one must take its place.
        const silentMs = silentSince === null ? 0 : performance.now() - silentSince;
        if (silentMs >= hungAfterMs - 1) child.kill('SIGKILL');
      }, timeoutMs);
      const onAbort = (): void => give(signal?.reason as Error);
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      silentSince ??= performance.now();
      queuedTexts += texts.length;
      pending.set(id, {
        texts: texts.length,
        resolve: (answer) => {
          done();
          resolve(answer);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
      tell({ type, id, texts });
    });
  }

  function healthy(timeoutMs: number): Promise<boolean> {
    if (queuedTexts > 0) return Promise.resolve(true);
    if (!child.connected) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (up: boolean): void => {
        clearTimeout(timer);
        child.off('message', onMessage);
        resolve(up);
      };
      const onMessage = (): void => settle(true);
      const timer = setTimeout(settle, timeoutMs, false);
      child.on('message', onMessage);
      tell({ type: 'ping' });
    });
  }

  async function stop(): Promise<void> {
    stopping = true;
    tell({ type: 'stop' });
    const limitMs = pending.size > 0 ? DRAIN_TIMEOUT_MS : KILL_AFTER_MS;
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    await ended;
    clearTimeout(timer);
  }

  return {
    pid: child.pid as number,
    labels: ready.labels,
    loadMs: ready.loadMs,
    get queuedTexts() {
      return queuedTexts;
    },
    predict: async (texts, options) =>
      (await ask('predict', texts, options)) as readonly Prediction[],
    embed: async (texts, options) =>
      (await ask('embed', texts, options)) as readonly (readonly number[])[],
    healthy,
    ended,
    stop,
    kill: () => void child.kill('SIGKILL'),
  };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(error.message);
    });
    child.once('exit', (code, signal) => resolve(signal ?? `exit status ${code}`));
  });
}

/** Hands the child's error output on and keeps its last lines for a message. */
function tailOf(child: ChildProcess, onComplaint?: (text: string) => void): () => string {
  let tail = '';
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    onComplaint?.(part);
    tail = (tail + part).slice(-2000);
  });
  return () => tail.trim().split('\n').slice(-5).join('\n');
}

/** True when the request itself is at fault or was given up; another child would do no better. */
export function isFinal(error: unknown): boolean {
  return !(error instanceof ProcessEnded);
}
