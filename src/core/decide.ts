/**
 * decide(machine, state, stimulus, env) -> Turn: what follows from what just happened, until nothing
 * more can happen without the outside. Pure but for `env`; synchronous for JSONPath machines.
 */
import { assertNever } from '../lib/assert.js';
import type { FrameId, Seq } from '../lib/brand.js';
import { chain, type Eventually, rescue } from '../lib/eventually.js';
import type { Env } from './env.js';
import type { Failure } from './fact.js';
import { RUNTIME } from './failure.js';
import { abortMapRun } from './fan-out.js';
import { failState, finish, guard } from './finish.js';
import { type Machine, stateOf } from './machine.js';
import { type ExecutionState, type Phase, ROOT_FRAME } from './state.js';
import { endTask, showTaskFailure, TIMED_OUT } from './states/task.js';
import { exitWait } from './states/wait.js';
import {
  DEADLINE_TIMER,
  type FrameEdit,
  parseTimer,
  type Stimulus,
  type TaskRef,
} from './stimulus.js';
import { HistoryLimitReached, Turn } from './turn.js';

export function decide(
  machine: Machine,
  state: ExecutionState | null,
  stimulus: Stimulus,
  env: Env,
): Eventually<Turn> {
  const turn = new Turn(machine, state, env);
  return chain(
    rescue(
      () => chain(react(turn, stimulus), () => run(turn)),
      (error) => {
        if (!(error instanceof HistoryLimitReached)) throw error;
        endAtHistoryLimit(turn);
      },
    ),
    () => turn,
  );
}

function react(turn: Turn, stimulus: Stimulus): Eventually<void> {
  if (stimulus.type === 'Start') return begin(turn, stimulus);
  const running = turn.result?.status === 'RUNNING';
  if (stimulus.type === 'Redrive') return running ? undefined : redrive(turn);
  // A stale stimulus yields no facts.
  if (!running) return undefined;
  switch (stimulus.type) {
    case 'TimersDue':
      return timersDue(turn, stimulus.keys);
    case 'TaskResult':
      return attemptOf(turn, stimulus.task) === null
        ? undefined
        : endTask(turn, stimulus.task.frame, stimulus.outcome, stimulus.stage ?? 'run');
    case 'TaskSubmitted':
      return taskSubmitted(turn, stimulus);
    case 'ActivityStarted':
      return activityStarted(turn, stimulus);
    case 'MapRunEnded':
      return mapRunEnded(turn, stimulus);
    case 'Stop':
      return stop(turn, stimulus.failure);
    case 'Fork':
      return fork(turn, stimulus);
    case 'Edit':
      return edit(turn, stimulus.edit);
    case 'Continue':
      return undefined;
    default:
      return assertNever(stimulus);
  }
}

/** Works on frames in order until all wait, or the turn is full. */
function run(turn: Turn): Eventually<void> {
  for (let step = next(turn); step !== null; step = next(turn)) {
    if (step instanceof Promise) return runOn(turn, step);
  }
  return undefined;
}

/** The same once something has to be waited for. */
async function runOn(turn: Turn, first: Promise<void>): Promise<void> {
  await first;
  for (let step = next(turn); step !== null; step = next(turn)) {
    if (step instanceof Promise) await step;
  }
}

/** One step of the next frame that can go on; null when there is none. */
function next(turn: Turn): Eventually<void> | null {
  if (turn.facts.length >= turn.env.limits.factsPerTurn) return null;
  const id = turn.result === null ? null : turn.nextReady();
  return id === null ? null : guard(turn, id, () => advance(turn, id));
}

function advance(turn: Turn, id: FrameId): Eventually<void> {
  const frame = turn.frame(id);
  const state = stateOf(turn, id);
  if (frame.phase.is === 'fan-out') return state.advance?.(turn, id);
  turn.entered(id, state.kind, state.name);
  return state.start(turn, id);
}

function begin(turn: Turn, start: Extract<Stimulus, { type: 'Start' }>): undefined {
  if (turn.result !== null) return undefined;
  const { identity, revision, input, traceHeader, deadlineAt } = start;
  turn.event(
    ROOT_FRAME,
    {
      type: 'ExecutionStarted',
      factVersion: 1,
      identity,
      revision,
      start: turn.machine.root.start,
      input,
      deadlineAt,
      traceHeader,
    },
    0,
  );
  return undefined;
}

function timersDue(turn: Turn, keys: readonly string[]): Eventually<void> {
  if (keys.includes(DEADLINE_TIMER)) {
    abortMapRuns(turn);
    turn.event(ROOT_FRAME, { type: 'ExecutionEnded', status: 'TIMED_OUT', failure: TIMED_OUT }, 0);
    return undefined;
  }
  const timers = keys.flatMap((key) => parseTimer(key) ?? []);
  // Tasks that time out at the same instant are all shown as timed out before any failure is
  // handled (conformance: test_service_lambda_map_timeout).
  // A task whose heartbeat and timeout are due together times out once, by the first of them.
  const seen = new Set<FrameId>();
  const expired = timers.flatMap(({ kind, frame, setBy }) => {
    const live = kind !== 'wait' && !seen.has(frame) && taskFrame(turn, frame, setBy) !== null;
    if (!live) return [];
    seen.add(frame);
    return [{ id: frame, missedHeartbeat: kind === 'heartbeat' }];
  });
  for (const { id } of expired) showTaskFailure(turn, id, TIMED_OUT, 'timeout');
  const failures = each(expired, ({ id, missedHeartbeat }) =>
    isWorkedOn(turn, id) ? failState(turn, id, TIMED_OUT, { missedHeartbeat }) : undefined,
  );
  const woken = timers.filter(({ kind }) => kind === 'wait');
  return chain(failures, () => each(woken, ({ frame, setBy }) => wake(turn, frame, setBy)));
}

function each<T>(
  items: readonly T[],
  work: (item: T) => Eventually<void>,
  from = 0,
): Eventually<void> {
  for (let index = from; index < items.length; index++) {
    const step = work(items[index] as T);
    if (step instanceof Promise) return step.then(() => each(items, work, index + 1));
  }
  return undefined;
}

/** False once a sibling's failure has ended the frame. */
function isWorkedOn(turn: Turn, id: FrameId): boolean {
  return turn.state.status === 'RUNNING' && turn.state.frames.get(id)?.phase.is === 'entered';
}

/** A Wait is over or a retry is due. */
function wake(turn: Turn, id: FrameId, setBy: Seq): Eventually<void> {
  const phase = turn.state.frames.get(id)?.phase;
  if (turn.state.status !== 'RUNNING' || phase?.is !== 'waiting' || phase.setBy !== setBy) {
    return undefined;
  }
  const state = stateOf(turn, id);
  if (phase.onDue === 'exit') return guard(turn, id, () => exitWait(turn, id, state));
  turn.note(id, { type: 'RetryStarted' });
  return guard(turn, id, () => state.start(turn, id));
}

function taskFrame(turn: Turn, id: FrameId, scheduled: Seq): TaskPhase | null {
  const phase = turn.state.frames.get(id)?.phase;
  return phase?.is === 'task' && phase.scheduled === scheduled ? phase : null;
}

type TaskPhase = Extract<Phase, { is: 'task' }>;

/** The task phase of this very attempt, or null when the message is stale. */
function attemptOf(turn: Turn, task: TaskRef): TaskPhase | null {
  const phase = taskFrame(turn, task.frame, task.scheduled);
  return phase?.nonce === task.nonce ? phase : null;
}

function taskSubmitted(
  turn: Turn,
  { task, output }: Extract<Stimulus, { type: 'TaskSubmitted' }>,
): undefined {
  const phase = attemptOf(turn, task);
  if (phase === null || phase.submission !== undefined) return undefined;
  const handedOver = phase.resource.pattern === 'wait-for-task-token';
  const { scheduled } = task;
  turn.event(task.frame, { type: 'TaskSubmitted', scheduled, output, handedOver });
  return undefined;
}

function activityStarted(
  turn: Turn,
  { task, workerName }: Extract<Stimulus, { type: 'ActivityStarted' }>,
): undefined {
  const phase = attemptOf(turn, task);
  if (phase !== null && !phase.started) turn.event(task.frame, { type: 'TaskStarted', workerName });
  return undefined;
}

function mapRunEnded(
  turn: Turn,
  ended: Extract<Stimulus, { type: 'MapRunEnded' }>,
): Eventually<void> {
  const { frame: id, by, outcome, aborted } = ended;
  const phase = turn.state.frames.get(id)?.phase;
  if (phase?.is !== 'map-run' || phase.by !== by) return undefined;
  turn.event(id, { type: 'MapRunEnded', by, outcome, aborted });
  const state = stateOf(turn, id);
  if (!outcome.ok) return failState(turn, id, outcome.failure, { fromChild: true });
  return guard(turn, id, () => {
    turn.event(id, { type: 'FanOutEnded', kind: 'Map', ok: true, discard: true });
    return finish(turn, id, state, outcome.output);
  });
}

function stop(turn: Turn, failure: Failure): undefined {
  abortMapRuns(turn);
  // Recorded: previousEventId 0 (AWS-BEHAVIOURS 17).
  turn.event(ROOT_FRAME, { type: 'ExecutionEnded', status: 'ABORTED', failure }, 0);
  return undefined;
}

function abortMapRuns(turn: Turn): void {
  for (const { id, phase } of [...turn.state.frames.values()]) {
    if (phase.is === 'map-run') abortMapRun(turn, id, phase.by);
  }
}

function redrive(turn: Turn): undefined {
  if (turn.result === null || turn.result.status === 'SUCCEEDED') return undefined;
  // AWS: an execution whose history is full cannot be redriven.
  if (turn.result.eventCount + 1 >= turn.env.limits.historyEvents) return undefined;
  const seconds = turn.machine.timeoutSeconds;
  const deadlineAt = seconds === null ? null : turn.now + seconds * 1000;
  turn.event(ROOT_FRAME, {
    type: 'ExecutionRedriven',
    redriveCount: turn.state.redriveCount + 1,
    deadlineAt: deadlineAt as ExecutionState['deadlineAt'],
  });
  for (const { id, phase } of [...turn.state.frames.values()]) {
    if (phase.is !== 'map-run') continue;
    const { mapRunArn } = phase.request;
    const redriveCount = phase.redrives + 1;
    turn.event(id, { type: 'MapRunRedriven', by: phase.by, mapRunArn, redriveCount });
  }
  return undefined;
}

/** The facts taken over are all of ended states or of open fan-outs: what is ready goes on by itself. */
function fork(turn: Turn, stimulus: Extract<Stimulus, { type: 'Fork' }>): Eventually<void> {
  const { origin, deadlineAt, result } = stimulus;
  turn.note(ROOT_FRAME, { type: 'ExecutionForked', origin, deadlineAt });
  if (stimulus.edit !== null) edit(turn, stimulus.edit);
  if (turn.root.phase.is === 'ended') {
    turn.event(ROOT_FRAME, { type: 'ExecutionEnded', status: 'SUCCEEDED', failure: null });
    return undefined;
  }
  if (result === null) return undefined;
  const { frame, by, output } = result;
  const outcome = { ok: true, output } as const;
  return turn.frame(frame).phase.is === 'map-run'
    ? mapRunEnded(turn, { type: 'MapRunEnded', frame, by, outcome, aborted: false })
    : endTask(turn, frame, outcome, 'run');
}

function edit(turn: Turn, { frame, value, variables }: FrameEdit): undefined {
  if (turn.state.frames.get(frame)?.phase.is !== 'ready') return undefined;
  turn.note(frame, {
    type: 'FrameEdited',
    ...(value === undefined ? {} : { value }),
    ...(variables === undefined ? {} : { variables }),
  });
  return undefined;
}

/** AWS: event 25,000 is a success or this failure (reference 15). */
function endAtHistoryLimit(turn: Turn): void {
  const cause = `The execution reached the maximum number of history events (${turn.env.limits.historyEvents}).`;
  turn.event(ROOT_FRAME, {
    type: 'ExecutionEnded',
    status: 'FAILED',
    failure: { error: RUNTIME, cause },
  });
}
