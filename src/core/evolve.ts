/**
 * evolve(state, fact): how a fact changes the execution. Total; evaluates nothing; needs no machine
 * and no clock, so a journal of any age folds to the same state under any later engine.
 *
 * `apply` does the same on a private draft, for speed inside one turn; the fold of the stored facts
 * and the draft must agree (a law under test).
 */
import { assert, assertNever } from '../lib/assert.js';
import type { FrameId } from '../lib/brand.js';
import { fromEntries, type JsonObject } from '../lib/json.js';
import type { Fact, FactOf } from './fact.js';
import {
  childId,
  type ExecutionState,
  type FanOut,
  type Frame,
  type Phase,
  ROOT_BLOCK,
  ROOT_FRAME,
  type Resume,
} from './state.js';

/** A state that one turn may change in place. */
export type Draft = { -readonly [K in keyof ExecutionState]: ExecutionState[K] } & {
  frames: Map<FrameId, Frame>;
  ready: Set<FrameId>;
};

const NO_VARIABLES: JsonObject = {};
const READY: Phase = { is: 'ready' };
const ENTERED: Phase = { is: 'entered' };
const NO_ATTEMPTS: readonly number[] = [];

export function evolve(state: ExecutionState | null, fact: Fact): ExecutionState {
  const draft = state === null ? null : draftOf(state);
  return apply(draft, fact);
}

export function fold(facts: Iterable<Fact>): ExecutionState | null {
  let draft: Draft | null = null;
  for (const fact of facts) draft = apply(draft, fact);
  return draft;
}

export function draftOf(state: ExecutionState): Draft {
  return { ...state, frames: new Map(state.frames), ready: new Set(state.ready) };
}

/** Changes `draft` in place (or makes the first one) and returns it. */
export function apply(draft: Draft | null, fact: Fact): Draft {
  if (fact.type === 'ExecutionStarted') return begin(fact);
  assert(draft !== null, 'A journal begins with ExecutionStarted.');
  draft.seq = fact.seq;
  draft.lastAt = fact.at;
  if (fact.event !== null) draft.eventCount = fact.event.id;
  change(draft, fact);
  return draft;
}

function begin(fact: FactOf<'ExecutionStarted'>): Draft {
  const root: Frame = {
    id: ROOT_FRAME,
    parent: null,
    index: 0,
    block: ROOT_BLOCK,
    state: fact.start,
    value: fact.input,
    variables: NO_VARIABLES,
    attempts: NO_ATTEMPTS,
    enteredAt: fact.at,
    enteredEventId: 0,
    enteredPreviousId: 0,
    // AWS: the first state's event points to 0, not to ExecutionStarted (AWS-BEHAVIOURS 1).
    lastEventId: 0,
    phase: READY,
  };
  return {
    status: 'RUNNING',
    seq: fact.seq,
    eventCount: fact.event?.id ?? 0,
    lastAt: fact.at,
    identity: fact.identity,
    revision: fact.revision,
    input: fact.input,
    startedAt: fact.at,
    stoppedAt: null,
    deadlineAt: fact.deadlineAt,
    traceHeader: fact.traceHeader,
    redriveCount: 0,
    redrivenAt: null,
    outcome: null,
    frames: new Map([[ROOT_FRAME, root]]),
    ready: new Set([ROOT_FRAME]),
  };
}

function change(draft: Draft, fact: Exclude<Fact, FactOf<'ExecutionStarted'>>): void {
  const frame = frameOf(draft, fact.frame);
  switch (fact.type) {
    case 'StateEntered':
      return put(draft, {
        ...frame,
        state: fact.name,
        attempts: NO_ATTEMPTS,
        enteredAt: fact.at,
        enteredEventId: fact.event?.id ?? 0,
        enteredPreviousId: fact.event?.previousId ?? 0,
        lastEventId: fact.event?.id ?? frame.lastEventId,
        phase: ENTERED,
      });
    case 'StateExited':
      return exit(draft, frame, fact);
    case 'WaitStarted':
      return put(draft, {
        ...frame,
        phase: { is: 'waiting', until: fact.until, setBy: fact.seq, onDue: 'exit' },
      });
    case 'TaskScheduled':
      return put(draft, {
        ...advanced(frame, fact),
        phase: {
          is: 'task',
          scheduled: fact.seq,
          nonce: fact.nonce,
          resource: fact.resource,
          started: false,
          submission: undefined,
          heartbeatSeconds: fact.heartbeatSeconds,
          timeoutAt: fact.timeoutAt,
        },
      });
    case 'TaskStarted':
    case 'TaskSubmitted': {
      assert(frame.phase.is === 'task', `${fact.type} outside a task.`);
      const phase =
        fact.type === 'TaskStarted'
          ? { ...frame.phase, started: true }
          : { ...frame.phase, submission: fact.output };
      return put(draft, { ...advanced(frame, fact), phase });
    }
    case 'MapRunEnded':
      return put(draft, { ...advanced(frame, fact), phase: afterMapRun(frame.phase, fact) });
    case 'TaskSucceeded':
    case 'TaskFailed':
      return put(draft, { ...advanced(frame, fact), phase: ENTERED });
    case 'EvaluationFailed':
    case 'MapStateStarted':
      return put(draft, advanced(frame, fact));
    case 'MapRunRedriven': {
      assert(frame.phase.is === 'map-run', 'A Map Run is redriven where one waits.');
      const phase = { ...frame.phase, redrives: fact.redriveCount };
      return put(draft, { ...advanced(frame, fact), phase });
    }
    case 'AttemptFailed':
      return attempt(draft, frame, fact);
    case 'RetryStarted':
      return put(draft, { ...frame, phase: ENTERED });
    case 'FanOutStarted':
      return put(draft, {
        ...advanced(frame, fact),
        phase: {
          is: 'fan-out',
          by: fact.seq,
          kind: fact.kind,
          startedEventId: fact.event?.id ?? frame.lastEventId,
          width: fact.width,
          items: fact.items,
          input: fact.input,
          limit: fact.limit,
          next: 0,
          live: 0,
          slotEventId: fact.event?.id ?? frame.lastEventId,
        },
      });
    case 'ChildStarted':
      return startChild(draft, frame, fact);
    case 'ChildEnded':
      return endChild(draft, frame, fact);
    case 'FrameAborted': {
      const child = frameOf(draft, fact.child);
      return put(draft, { ...child, phase: { is: 'aborted', resume: resumeOf(child.phase) } });
    }
    case 'FanOutEnded':
      return endFanOut(draft, frame, fact);
    case 'MapRunStarted':
      return put(draft, {
        ...advanced(frame, fact),
        phase: { is: 'map-run', by: fact.seq, request: fact.request, redrives: 0 },
      });
    case 'ExecutionEnded':
      draft.status = fact.status;
      draft.stoppedAt = fact.at;
      draft.outcome =
        fact.status === 'SUCCEEDED'
          ? { ok: true, output: fact.output ?? frame.value }
          : { ok: false, failure: fact.failure ?? { error: null, cause: null } };
      draft.ready.clear();
      return;
    case 'ExecutionRedriven':
      return redrive(draft, fact);
    default:
      return assertNever(fact);
  }
}

function frameOf(draft: Draft, id: FrameId): Frame {
  const frame = draft.frames.get(id);
  assert(frame !== undefined, `No frame ${id}.`);
  return frame;
}

/** The frame after an event of its own: later events point to it. */
function advanced(frame: Frame, fact: Fact): Frame {
  return fact.event === null ? frame : { ...frame, lastEventId: fact.event.id };
}

function put(draft: Draft, frame: Frame): void {
  draft.frames.set(frame.id, frame);
  if (isReady(frame.phase)) draft.ready.add(frame.id);
  else draft.ready.delete(frame.id);
}

function isReady(phase: Phase): boolean {
  if (phase.is === 'ready') return true;
  if (phase.is !== 'fan-out') return false;
  return phase.next < phase.width ? phase.live < phase.limit : phase.live === 0;
}

function exit(draft: Draft, frame: Frame, fact: FactOf<'StateExited'>): void {
  const output = fact.output === undefined ? frame.value : fact.output;
  const ended = fact.next === null;
  put(draft, {
    ...advanced(frame, fact),
    value: output,
    variables: fact.assigned ? merged(frame.variables, fact.assigned) : frame.variables,
    state: fact.next ?? frame.state,
    phase: ended ? { is: 'ended', outcome: { ok: true, output }, resume: null } : READY,
  });
}

function merged(outer: JsonObject, assigned: JsonObject): JsonObject {
  return fromEntries([...Object.entries(outer), ...Object.entries(assigned)]);
}

function attempt(draft: Draft, frame: Frame, fact: FactOf<'AttemptFailed'>): void {
  if (fact.recovery.do !== 'retry') return;
  const { retrier, attempt: used, at } = fact.recovery;
  const attempts = [...frame.attempts];
  while (attempts.length <= retrier) attempts.push(0);
  attempts[retrier] = used;
  put(draft, {
    ...frame,
    attempts,
    phase: { is: 'waiting', until: at, setBy: fact.seq, onDue: 'retry' },
  });
}

function startChild(draft: Draft, parent: Frame, fact: FactOf<'ChildStarted'>): void {
  assert(parent.phase.is === 'fan-out', 'A child starts in a fan-out.');
  const event = fact.event?.id ?? parent.phase.startedEventId;
  put(draft, {
    id: fact.child,
    parent: parent.id,
    index: fact.index,
    block: fact.block,
    state: fact.start,
    value: fact.input,
    variables: parent.variables,
    attempts: NO_ATTEMPTS,
    enteredAt: fact.at,
    enteredEventId: 0,
    enteredPreviousId: 0,
    lastEventId: event,
    phase: READY,
  });
  put(draft, {
    ...parent,
    phase: { ...parent.phase, next: fact.index + 1, live: parent.phase.live + 1 },
  });
}

function endChild(draft: Draft, parent: Frame, fact: FactOf<'ChildEnded'>): void {
  assert(parent.phase.is === 'fan-out', 'A child ends in a fan-out.');
  const child = frameOf(draft, fact.child);
  const resume = resumeOf(child.phase);
  put(draft, { ...child, phase: { is: 'ended', outcome: fact.outcome, resume } });
  // A Map's join points to the last MapIterationSucceeded, a Parallel's to the branch's last event
  // (AWS-BEHAVIOURS 8 and 10); a failure's followers point to the failing event.
  const last = fact.outcome.ok && fact.event !== null ? fact.event.id : child.lastEventId;
  put(draft, {
    ...parent,
    lastEventId: last,
    phase: { ...parent.phase, live: parent.phase.live - 1, slotEventId: child.lastEventId },
  });
}

/** What a redrive goes back to instead of entering the state again. */
function resumeOf(phase: Phase): Resume {
  switch (phase.is) {
    case 'fan-out':
    case 'map-run':
      return phase;
    case 'entered':
      return phase.mapRun ?? null;
    case 'ended':
    case 'aborted':
      return phase.resume;
    default:
      return null;
  }
}

/** AWS: a Map Run that failed for these reasons is not redriven, a new one begins (reference 16). */
const BEGINS_ANEW: ReadonlySet<string | null> = new Set([
  'States.Runtime',
  'States.DataLimitExceeded',
]);

function afterMapRun(phase: Phase, fact: FactOf<'MapRunEnded'>): Phase {
  const { outcome } = fact;
  if (phase.is !== 'map-run' || outcome.ok) return ENTERED;
  return BEGINS_ANEW.has(outcome.failure.error) ? ENTERED : { is: 'entered', mapRun: phase };
}

function endFanOut(draft: Draft, frame: Frame, fact: FactOf<'FanOutEnded'>): void {
  if (frame.phase.is === 'fan-out' && fact.discard) dropChildren(draft, frame.phase);
  // *StateSucceeded does not advance the chain, *StateFailed does (AWS-BEHAVIOURS 8, 11).
  const next = fact.ok ? frame : advanced(frame, fact);
  // A failure that goes on upwards keeps the children for a redrive.
  put(draft, fact.discard ? { ...next, phase: ENTERED } : next);
}

function dropChildren(draft: Draft, fanOut: FanOut): void {
  for (let index = 0; index < fanOut.next; index++) dropFrame(draft, childId(fanOut.by, index));
}

function dropFrame(draft: Draft, id: FrameId): void {
  const frame = draft.frames.get(id);
  if (frame === undefined) return;
  const inner = resumeOf(frame.phase);
  if (inner?.is === 'fan-out') dropChildren(draft, inner);
  draft.frames.delete(id);
  draft.ready.delete(id);
}

/**
 * Failed and aborted leaves go back to the state they were in with its recorded input; fan-outs
 * around them wait for them again; branches that had succeeded keep their results.
 */
function redrive(draft: Draft, fact: FactOf<'ExecutionRedriven'>): void {
  draft.status = 'RUNNING';
  draft.outcome = null;
  draft.stoppedAt = null;
  draft.redriveCount = fact.redriveCount;
  draft.redrivenAt = fact.at;
  draft.deadlineAt = fact.deadlineAt;
  const event = fact.event?.id ?? draft.eventCount;
  for (const frame of draft.frames.values()) {
    const { phase } = frame;
    if (phase.is === 'ended' && phase.outcome.ok) continue;
    const resume = resumeOf(phase);
    const again = { ...frame, lastEventId: event, attempts: NO_ATTEMPTS };
    if (resume?.is === 'fan-out') {
      put(draft, { ...again, phase: { ...resume, live: liveChildren(draft, resume) } });
    } else put(draft, { ...again, phase: resume ?? READY });
  }
}

function liveChildren(draft: Draft, fanOut: FanOut): number {
  let live = 0;
  for (let index = 0; index < fanOut.next; index++) {
    const child = draft.frames.get(childId(fanOut.by, index));
    if (child && !(child.phase.is === 'ended' && child.phase.outcome.ok)) live++;
  }
  return live;
}
