/** Plays an answer in virtual time: waits, heartbeats, the submit step, the result, or silence. */
import { TaskFailure } from '../handlers/handler.js';
import type { EpochMs } from '../lib/brand.js';
import type { Json } from '../lib/json.js';
import type { VirtualClock } from './virtual-clock.js';
import type { Engine } from '../runtime/face.js';
import type { Answer } from './call.js';

/** Waits and beats; rejects with the signal's reason. */
export async function pause(
  clock: VirtualClock,
  answer: Answer,
  signal: AbortSignal,
  beat: () => void,
): Promise<void> {
  if ('unpolled' in answer || 'nested' in answer) return never(signal);
  const { heartbeatEveryMs } = answer;
  let left = 'hang' in answer ? Number.POSITIVE_INFINITY : (answer.afterMs ?? 0);
  if (left === Number.POSITIVE_INFINITY && heartbeatEveryMs === undefined) return never(signal);
  // Even an answer at once comes through the clock: simultaneous answers are ordered by the seed.
  do {
    const slice = Math.min(left, heartbeatEveryMs ?? left);
    await sleep(clock, slice, signal, answer.order);
    left -= slice;
    if (left > 0) beat();
  } while (left > 0);
}

function sleep(
  clock: VirtualClock,
  ms: number,
  signal: AbortSignal,
  order: number | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      cancel();
      reject(signal.reason);
    };
    const wake = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    const cancel = clock.at((clock.now() + ms) as EpochMs, wake, order);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

function never(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** The result, or the TaskFailure that the answer is. */
export function resultOf(answer: Answer): Json {
  if ('return' in answer) return answer.return;
  if ('throw' in answer) throw new TaskFailure(answer.throw.error ?? '', answer.throw.cause ?? '');
  throw new Error('A silent answer has no result.');
}

/** Someone outside answers by token; resolves when the engine has taken the answer. */
export async function answerByToken(
  engine: Engine,
  clock: VirtualClock,
  token: string,
  answer: Answer,
  signal: AbortSignal,
): Promise<void> {
  const beat = (): void => {
    engine.taskHeartbeat(token).catch(() => undefined);
  };
  await pause(clock, answer, signal, beat);
  if ('return' in answer) await engine.taskSucceeded(token, answer.return);
  else if ('throw' in answer) {
    const { error, cause = null } = answer.throw;
    await engine.taskFailed(token, { error, cause });
  }
}
