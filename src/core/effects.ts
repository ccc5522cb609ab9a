/**
 * effectsOf(fact): what the outside must do because of a fact. Timers and in-flight work are derived
 * from the journal: all effects of a journal minus the drops are the live indexes (a law under test).
 */
import type { EpochMs, FrameId, Seq } from '../lib/brand.js';
import type { Fact } from './fact.js';
import type { ExecutionState } from './state.js';
import {
  DEADLINE_TIMER,
  parseTimer,
  type TimerKind,
  type TimerName,
  timerKey,
} from './stimulus.js';

export type Effect =
  | { readonly do: 'set-timer'; readonly key: string; readonly dueAt: EpochMs }
  /** `timer` is what the key names; null: the deadline. */
  | { readonly do: 'drop-timer'; readonly key: string; readonly timer: TimerName | null }
  /** Work to hand out; `by` is the seq of the fact that asked for it and names it in the outbox. */
  | {
      readonly do: 'begin';
      readonly what: 'task' | 'map-run';
      readonly frame: FrameId;
      readonly by: Seq;
    }
  /** The work is over for the engine; a local worker is told to stop. */
  | { readonly do: 'finish'; readonly by: Seq; readonly cancel: boolean };

const NONE: readonly Effect[] = [];

export function effectsOf(fact: Fact): readonly Effect[] {
  switch (fact.type) {
    case 'ExecutionStarted':
    case 'ExecutionRedriven':
    case 'ExecutionForked':
      return fact.deadlineAt === null
        ? NONE
        : [{ do: 'set-timer', key: DEADLINE_TIMER, dueAt: fact.deadlineAt }];
    case 'WaitStarted':
      return [setTimer('wait', fact.frame, fact.seq, fact.until)];
    case 'AttemptFailed':
      return fact.recovery.do === 'retry'
        ? [setTimer('wait', fact.frame, fact.seq, fact.recovery.at)]
        : NONE;
    case 'TaskScheduled': {
      const effects: Effect[] = [{ do: 'begin', what: 'task', frame: fact.frame, by: fact.seq }];
      if (fact.timeoutAt !== null) {
        effects.push(setTimer('timeout', fact.frame, fact.seq, fact.timeoutAt));
      }
      if (fact.heartbeatSeconds !== null) {
        const dueAt = (fact.at + fact.heartbeatSeconds * 1000) as EpochMs;
        effects.push(setTimer('heartbeat', fact.frame, fact.seq, dueAt));
      }
      return effects;
    }
    case 'TaskSubmitted':
      return fact.handedOver ? [{ do: 'finish', by: fact.scheduled, cancel: false }] : NONE;
    case 'TaskSucceeded':
      return endTask(fact.frame, fact.scheduled, false);
    case 'TaskFailed':
      return endTask(fact.frame, fact.scheduled, fact.stage === 'timeout');
    case 'FrameAborted':
      return fact.ends === null
        ? NONE
        : [...endTask(fact.child, fact.ends, true), dropTimer('wait', fact.child, fact.ends)];
    case 'MapRunStarted':
      return [{ do: 'begin', what: 'map-run', frame: fact.frame, by: fact.seq }];
    case 'MapRunRedriven':
      return [{ do: 'begin', what: 'map-run', frame: fact.frame, by: fact.by }];
    case 'MapRunEnded':
      return [{ do: 'finish', by: fact.by, cancel: fact.aborted }];
    default:
      return NONE;
  }
}

/** When a timer is due as the state has it; null when it has none of this key, or a heartbeat moves it. */
export function instantOf(state: ExecutionState, key: string): EpochMs | null {
  if (key === DEADLINE_TIMER) return state.deadlineAt;
  const timer = parseTimer(key);
  const phase = timer === null ? undefined : state.frames.get(timer.frame)?.phase;
  if (timer?.kind === 'wait') {
    return phase?.is === 'waiting' && phase.setBy === timer.setBy ? phase.until : null;
  }
  const isTimeout = timer?.kind === 'timeout' && phase?.is === 'task';
  return isTimeout && phase.scheduled === timer.setBy ? phase.timeoutAt : null;
}

/** What still waits when an execution is over: every timer and piece of work of its frames. */
export function pendingEnds(state: ExecutionState): readonly Effect[] {
  const effects: Effect[] = [{ do: 'drop-timer', key: DEADLINE_TIMER, timer: null }];
  for (const { id, phase } of state.frames.values()) {
    if (phase.is === 'task') effects.push(...endTask(id, phase.scheduled, true));
    if (phase.is === 'waiting') effects.push(dropTimer('wait', id, phase.setBy));
    if (phase.is === 'map-run') effects.push({ do: 'finish', by: phase.by, cancel: true });
  }
  return effects;
}

function endTask(frame: FrameId, scheduled: Seq, cancel: boolean): Effect[] {
  return [
    { do: 'finish', by: scheduled, cancel },
    dropTimer('timeout', frame, scheduled),
    dropTimer('heartbeat', frame, scheduled),
  ];
}

function setTimer(kind: TimerKind, frame: FrameId, setBy: Seq, dueAt: EpochMs): Effect {
  return { do: 'set-timer', key: timerKey(kind, frame, setBy), dueAt };
}

function dropTimer(kind: TimerKind, frame: FrameId, setBy: Seq): Effect {
  return {
    do: 'drop-timer',
    key: timerKey(kind, frame, setBy),
    timer: { kind, frame, setBy },
  };
}
