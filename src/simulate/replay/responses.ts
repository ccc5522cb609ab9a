/**
 * The answers that a history holds: what came of each scheduled task, how long it took, and what its
 * submit step said, by state and iteration and in order. They make a responder that replays the run.
 */
import type { Json } from '../../lib/json.js';
import type { Answer, Call, Responder } from '../call.js';
import type { RecordedEvent, RecordedHistory } from './history-file.js';
import { iterationsOf, stateNameOf, threadsOf } from './threads.js';

export interface RecordedAnswer {
  readonly state: string;
  readonly place: string;
  readonly answer: Answer;
}

const SCHEDULED = /^(Task|LambdaFunction|Activity)Scheduled$/;
const GOES_ON = /^(Task|LambdaFunction|Activity)(Started|Submitted)$/;
const ENDS =
  /^(Task|LambdaFunction|Activity)(Succeeded|Failed|TimedOut|ScheduleFailed|StartFailed|SubmitFailed)$/;

/** In the order in which they were scheduled. */
export function answersOf(history: RecordedHistory): readonly RecordedAnswer[] {
  const threads = threadsOf(history.events);
  const followers = new Map<number, RecordedEvent[]>();
  for (const event of history.events) {
    const known = followers.get(event.previousEventId);
    if (known === undefined) followers.set(event.previousEventId, [event]);
    else known.push(event);
  }
  const current = new Map<string, string>();
  const answers: RecordedAnswer[] = [];
  for (const event of history.events) {
    const thread = threads.get(event.id);
    if (thread === undefined) continue;
    if (event.type === 'TaskStateEntered') current.set(thread.path, stateNameOf(event));
    if (!SCHEDULED.test(event.type)) continue;
    const steps = iterationsOf(thread);
    answers.push({
      state: current.get(thread.path) ?? '',
      place: steps.map(({ state, index }) => `${state}[${index}]`).join('/'),
      answer: answerOf(event, followers),
    });
  }
  return answers;
}

function answerOf(
  scheduled: RecordedEvent,
  followers: ReadonlyMap<number, readonly RecordedEvent[]>,
): Answer {
  let at = scheduled;
  let submit: Json | undefined;
  let workerName: string | undefined;
  for (;;) {
    const next = followers.get(at.id) ?? [];
    const end = next.find(({ type }) => ENDS.test(type));
    if (end !== undefined) return ended(scheduled, end, { submit, workerName });
    const on = next.find(({ type }) => GOES_ON.test(type));
    if (on === undefined) return silent(scheduled, at, submit, workerName);
    if (on.type.endsWith('Submitted')) submit = on.details.output ?? {};
    if (typeof on.details.workerName === 'string') workerName = on.details.workerName;
    at = on;
  }
}

interface Extras {
  readonly submit: Json | undefined;
  readonly workerName: string | undefined;
}

function ended(
  scheduled: RecordedEvent,
  end: RecordedEvent,
  { submit, workerName }: Extras,
): Answer {
  const afterMs =
    scheduled.timestamp === null || end.timestamp === null
      ? undefined
      : Math.max(0, end.timestamp - scheduled.timestamp);
  const beat = beatOf(scheduled, end, afterMs);
  const shared = {
    // Simultaneous answers come in the recorded order.
    order: end.id,
    ...(afterMs === undefined ? {} : { afterMs }),
    ...(beat === null ? {} : { heartbeatEveryMs: beat }),
    ...(submit === undefined ? {} : { submit }),
    ...(workerName === undefined ? {} : { workerName }),
  };
  if (end.type.endsWith('Succeeded')) return { return: end.details.output ?? {}, ...shared };
  const { error, cause } = end.details;
  if (end.type.endsWith('TimedOut')) {
    // The state's own clock ends it when it has one.
    const { timeoutInSeconds, heartbeatInSeconds } = scheduled.details;
    const hasClock = timeoutInSeconds !== undefined || heartbeatInSeconds !== undefined;
    const { afterMs: _afterMs, ...silence } = shared;
    if (hasClock || error === undefined) return { hang: true, ...silence };
  }
  const isEarly = end.type.endsWith('SubmitFailed');
  return {
    throw: {
      error: typeof error === 'string' ? error : null,
      cause: typeof cause === 'string' ? cause : cause === undefined ? null : JSON.stringify(cause),
    },
    ...shared,
    ...(isEarly ? { at: 'submit' as const } : {}),
  };
}

/** Beats often enough for the answer to come in time; null when none are needed. */
function beatOf(
  scheduled: RecordedEvent,
  end: RecordedEvent,
  afterMs: number | undefined,
): number | null {
  const { heartbeatInSeconds, timeoutInSeconds } = scheduled.details;
  if (typeof heartbeatInSeconds !== 'number') return null;
  const ms = heartbeatInSeconds * 500;
  if (!end.type.endsWith('TimedOut')) return afterMs === undefined || afterMs <= ms ? null : ms;
  const beaten = typeof timeoutInSeconds === 'number' && timeoutInSeconds > heartbeatInSeconds;
  const late = afterMs !== undefined && afterMs >= heartbeatInSeconds * 1500;
  return beaten && late ? ms : null;
}

/** No end is recorded: the execution was over, or a sibling failed, before an answer came. */
function silent(
  scheduled: RecordedEvent,
  last: RecordedEvent,
  submit: Json | undefined,
  workerName: string | undefined,
): Answer {
  if (last === scheduled && scheduled.type.startsWith('Activity')) return { unpolled: true };
  return {
    hang: true,
    ...(submit === undefined ? {} : { submit }),
    ...(workerName === undefined ? {} : { workerName }),
  };
}

/** Gives each call the recorded answer of its state and iteration, in order. */
export function replayResponder(answers: readonly RecordedAnswer[]): Responder {
  const queues = new Map<string, Answer[]>();
  for (const { state, place, answer } of answers) {
    const key = `${state}\n${place}`;
    const queue = queues.get(key);
    if (queue === undefined) queues.set(key, [answer]);
    else queue.push(answer);
  }
  return (call: Call) => {
    const place = call.scopes
      .filter(({ kind }) => kind === 'Map')
      .map(({ state, index }) => `${state}[${index}]`)
      .join('/');
    return queues.get(`${call.state}\n${place}`)?.shift() ?? null;
  };
}
