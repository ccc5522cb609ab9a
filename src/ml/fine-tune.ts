/**
 * Fine-tuning, the public face: checks the options, runs the training in a child process
 * (train-child.ts) and hands back its result. Aborting the signal kills the child; with a
 * checkpointDir a second call with the same options goes on where the killed one stood.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FineTuneResult, ProgressEvent } from './train/run.js';
import { FineTuneError, type FineTuneOptions, settle } from './train/settings.js';
import type { TrainMessage, TrainRequest } from './train-child.js';

export type { EpochMetrics } from './train/checkpoint.js';
export type { FineTuneResult, ProgressEvent } from './train/run.js';
export type { FineTuneOptions, Settings } from './train/settings.js';
export type { StageResult } from './train/stage.js';
export { FineTuneError, STRATEGIES } from './train/settings.js';

export interface FineTuneHooks {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
  /** Rows read through the model between steps: features of a frozen base, validation. */
  readonly onRows?: ((done: number, total: number) => void) | undefined;
  /** Called with the child's process id, once. */
  readonly onStart?: ((pid: number) => void) | undefined;
}

/** Last bytes of the child's error output that an error message quotes. */
const STDERR_TAIL = 2_000;

/**
 * Throws FineTuneError for a mistake in options, files or environment, the signal's reason when
 * aborted, and an Error with the end of its output when the child dies.
 */
export async function fineTune(
  options: FineTuneOptions,
  hooks: FineTuneHooks = {},
): Promise<FineTuneResult> {
  const settings = settle(options);
  hooks.signal?.throwIfAborted();
  const fromSource = import.meta.url.endsWith('.ts');
  const script = new URL(fromSource ? './train-child.ts' : './train-child.js', import.meta.url);
  const child = fork(fileURLToPath(script), [], {
    execArgv: fromSource ? ['--import', 'tsx'] : [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const abort = (): void => void child.kill('SIGKILL');
  hooks.signal?.addEventListener('abort', abort, { once: true });
  try {
    return await new Promise<FineTuneResult>((resolve, reject) => {
      let complaints = '';
      child.stderr!.on('data', (chunk: Buffer) => {
        complaints = (complaints + chunk.toString('utf8')).slice(-STDERR_TAIL);
      });
      child.on('message', (message: TrainMessage) => {
        if (message.type === 'progress') hooks.onProgress?.(message.event);
        else if (message.type === 'rows') hooks.onRows?.(message.done, message.total);
        else if (message.type === 'done') resolve(message.result);
        else reject(childError(message.name, message.message));
      });
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        if (hooks.signal?.aborted === true) reject(hooks.signal.reason);
        else reject(new Error(`The training process ended with ${signal ?? code}: ${complaints}`));
      });
      if (child.pid !== undefined) hooks.onStart?.(child.pid);
      child.send({ type: 'train', settings } satisfies TrainRequest);
    });
  } finally {
    hooks.signal?.removeEventListener('abort', abort);
    if (child.exitCode === null) child.kill('SIGKILL');
  }
}

function childError(name: string, message: string): Error {
  return name === 'FineTuneError' ? new FineTuneError(message) : new Error(message);
}
