/** Which of the timers that have fired are due still when their turn comes. */
import { instantOf } from '../core/effects.js';
import type { ExecutionState } from '../core/state.js';
import { parseTimer } from '../core/stimulus.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { Eventually } from '../lib/eventually.js';
import type { Clock } from './clock.js';
import type { Peers } from './peers.js';
import type { Scheduler } from './scheduler.js';

export interface DueTimersWorld {
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly peers: Peers | null;
}

/**
 * Heartbeats move timers. One that was acknowledged while this timer's turn waited counts, whoever
 * heard it: here it is in memory, of another process in the store. And after a failover the timer that
 * fired may be of an execution that was lost and has begun anew.
 */
export function stillDue(
  { scheduler, clock, peers }: DueTimersWorld,
  state: ExecutionState,
  keys: readonly string[],
): Eventually<readonly string[]> {
  const arn = state.identity.arn as ExecutionArn;
  const now = clock.now();
  const due = keys.filter((key) => {
    const setTo = instantOf(state, key);
    if (setTo === null || setTo <= now) return (scheduler.dueAt(arn, key) ?? now) <= now;
    scheduler.set(arn, key, setTo);
    return false;
  });
  return peers === null || due.length === 0 ? due : unmovedByOthers(peers, clock, arn, due);
}

async function unmovedByOthers(
  peers: Peers,
  clock: Clock,
  arn: ExecutionArn,
  keys: readonly string[],
): Promise<readonly string[]> {
  const due: string[] = [];
  for (const key of keys) {
    const beats = parseTimer(key)?.kind === 'heartbeat';
    const dueAt = beats ? ((await peers.store.timer(arn, key)) ?? 0) : 0;
    if (dueAt <= clock.now()) due.push(key);
  }
  return due;
}
