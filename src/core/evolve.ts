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
import { Draft, type OpenFrame } from './draft.js';
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

const NO_VARIABLES: JsonObject = {};
const READY: Phase = { is: 'ready' };
const ENTERED: Phase = { is: 'entered' };
const NO_ATTEMPTS: readonly number[] = [];

export function evolve(state: ExecutionState | null, fact: Fact): ExecutionState {
  return apply(state === null ? null : new Draft(state), fact);
}

export function fold(facts: Iterable<Fact>): ExecutionState | null {
  let draft: Draft | null = null;
  for (const fact of facts) draft = apply(draft, fact);
  return draft;
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
  return new Draft({
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
    forkedFrom: null,
    frames: new Map([[ROOT_FRAME, root]]),
    ready: new Set([ROOT_FRAME]),
  });
}

function change(draft: Draft, fact: Exclude<Fact, FactOf<'ExecutionStarted'>>): void {
  switch (fact.type) {
    case 'StateEntered':
      return enter(draft, fact);
    case 'StateExited':
      return exit(draft, fact);
    case 'WaitStarted':
      return draft.setPhase(draft.open(fact.frame), {
        is: 'waiting',
        until: fact.until,
        setBy: fact.seq,
        onDue: 'exit',
      });
    case 'TaskScheduled':
      return draft.setPhase(advanced(draft, fact), {
        is: 'task',
        scheduled: fact.seq,
        nonce: fact.nonce,
        resource: fact.resource,
        started: false,
        submission: undefined,
        heartbeatSeconds: fact.heartbeatSeconds,
        timeoutAt: fact.timeoutAt,
      });
    case 'TaskStarted':
    case 'TaskSubmitted': {
      const frame = advanced(draft, fact);
      assert(frame.phase.is === 'task', `${fact.type} outside a task.`);
      frame.phase =
        fact.type === 'TaskStarted'
          ? { ...frame.phase, started: true }
          : { ...frame.phase, submission: fact.output };
      return;
    }
    case 'MapRunEnded': {
      const frame = advanced(draft, fact);
      return draft.setPhase(frame, afterMapRun(frame.phase, fact));
    }
    case 'TaskSucceeded':
    case 'TaskFailed':
      return draft.setPhase(advanced(draft, fact), ENTERED);
    case 'EvaluationFailed':
    case 'MapStateStarted':
      advanced(draft, fact);
      return;
    case 'MapRunRedriven': {
      const frame = advanced(draft, fact);
      assert(frame.phase.is === 'map-run', 'A Map Run is redriven where one waits.');
      frame.phase = { ...frame.phase, redrives: fact.redriveCount };
      return;
    }
    case 'AttemptFailed':
      return attempt(draft, fact);
    case 'RetryStarted':
      return draft.setPhase(draft.open(fact.frame), ENTERED);
    case 'FanOutStarted':
      return startFanOut(draft, fact);
    case 'ChildStarted':
      return startChild(draft, fact);
    case 'ChildEnded':
      return endChild(draft, fact);
    case 'FrameAborted': {
      const child = draft.open(fact.child);
      return draft.setPhase(child, { is: 'aborted', resume: resumeOf(child.phase) });
    }
    case 'FanOutEnded':
      return endFanOut(draft, fact);
    case 'MapRunStarted':
      return draft.setPhase(advanced(draft, fact), {
        is: 'map-run',
        by: fact.seq,
        request: fact.request,
        redrives: 0,
      });
    case 'ExecutionEnded':
      return end(draft, fact);
    case 'ExecutionRedriven':
      return redrive(draft, fact);
    case 'ExecutionForked':
      draft.forkedFrom = { origin: fact.origin, startedAt: draft.startedAt };
      draft.startedAt = fact.at;
      draft.deadlineAt = fact.deadlineAt;
      return;
    case 'FrameEdited': {
      const frame = draft.open(fact.frame);
      if (fact.value !== undefined) frame.value = fact.value;
      if (fact.variables !== undefined) frame.variables = merged(frame.variables, fact.variables);
      return;
    }
    default:
      return assertNever(fact);
  }
}

/** The fact's frame after an event of its own: later events point to it. */
function advanced(draft: Draft, fact: Fact): OpenFrame {
  const frame = draft.open(fact.frame);
  if (fact.event !== null) frame.lastEventId = fact.event.id;
  return frame;
}

function enter(draft: Draft, fact: FactOf<'StateEntered'>): void {
  const frame = draft.open(fact.frame);
  frame.state = fact.name;
  frame.attempts = NO_ATTEMPTS;
  frame.enteredAt = fact.at;
  if (fact.event === null) {
    frame.enteredEventId = 0;
    frame.enteredPreviousId = 0;
  } else {
    frame.enteredEventId = fact.event.id;
    frame.enteredPreviousId = fact.event.previousId;
    frame.lastEventId = fact.event.id;
  }
  draft.setPhase(frame, ENTERED);
}

function exit(draft: Draft, fact: FactOf<'StateExited'>): void {
  const frame = advanced(draft, fact);
  if (fact.output !== undefined) frame.value = fact.output;
  if (fact.assigned !== undefined) frame.variables = merged(frame.variables, fact.assigned);
  if (fact.next !== null) {
    frame.state = fact.next;
    draft.setPhase(frame, READY);
  } else {
    const outcome = { ok: true, output: frame.value } as const;
    draft.setPhase(frame, { is: 'ended', outcome, resume: null });
  }
}

function merged(outer: JsonObject, assigned: JsonObject): JsonObject {
  return fromEntries([...Object.entries(outer), ...Object.entries(assigned)]);
}

function attempt(draft: Draft, fact: FactOf<'AttemptFailed'>): void {
  if (fact.recovery.do !== 'retry') return;
  const { retrier, attempt: used, at } = fact.recovery;
  const frame = draft.open(fact.frame);
  const attempts = [...frame.attempts];
  while (attempts.length <= retrier) attempts.push(0);
  attempts[retrier] = used;
  frame.attempts = attempts;
  draft.setPhase(frame, { is: 'waiting', until: at, setBy: fact.seq, onDue: 'retry' });
}

function startFanOut(draft: Draft, fact: FactOf<'FanOutStarted'>): void {
  const frame = advanced(draft, fact);
  draft.setPhase(frame, {
    is: 'fan-out',
    by: fact.seq,
    kind: fact.kind,
    startedEventId: frame.lastEventId,
    width: fact.width,
    items: fact.items,
    input: fact.input,
    limit: fact.limit,
    next: 0,
    live: 0,
    slotEventId: frame.lastEventId,
  });
}

function startChild(draft: Draft, fact: FactOf<'ChildStarted'>): void {
  const parent = draft.open(fact.frame);
  const { phase } = parent;
  assert(phase.is === 'fan-out', 'A child starts in a fan-out.');
  draft.add({
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
    lastEventId: fact.event?.id ?? phase.startedEventId,
    phase: READY,
  });
  draft.setPhase(parent, { ...phase, next: fact.index + 1, live: phase.live + 1 });
}

function endChild(draft: Draft, fact: FactOf<'ChildEnded'>): void {
  const child = draft.open(fact.child);
  const { lastEventId } = child;
  const resume = resumeOf(child.phase);
  draft.setPhase(child, { is: 'ended', outcome: fact.outcome, resume });
  const parent = draft.open(fact.frame);
  const { phase } = parent;
  assert(phase.is === 'fan-out', 'A child ends in a fan-out.');
  // A Map's join points to the last MapIterationSucceeded, a Parallel's to the branch's last event
  // (AWS-BEHAVIOURS 8 and 10); a failure's followers point to the failing event.
  parent.lastEventId = fact.outcome.ok && fact.event !== null ? fact.event.id : lastEventId;
  draft.setPhase(parent, { ...phase, live: phase.live - 1, slotEventId: lastEventId });
}

/** What a redrive goes back to instead of entering the state again. */
export function resumeOf(phase: Phase): Resume {
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

function endFanOut(draft: Draft, fact: FactOf<'FanOutEnded'>): void {
  const { phase } = draft.frame(fact.frame);
  if (phase.is === 'fan-out' && fact.discard) dropChildren(draft, phase);
  // *StateSucceeded does not advance the chain, *StateFailed does (AWS-BEHAVIOURS 8, 11).
  const frame = fact.ok ? draft.open(fact.frame) : advanced(draft, fact);
  // A failure that goes on upwards keeps the children for a redrive.
  if (fact.discard) draft.setPhase(frame, ENTERED);
}

function dropChildren(draft: Draft, fanOut: FanOut): void {
  for (let index = 0; index < fanOut.next; index++) dropFrame(draft, childId(fanOut.by, index));
}

function dropFrame(draft: Draft, id: FrameId): void {
  const frame = draft.frames.get(id);
  if (frame === undefined) return;
  const inner = resumeOf(frame.phase);
  if (inner?.is === 'fan-out') dropChildren(draft, inner);
  draft.drop(id);
}

function end(draft: Draft, fact: FactOf<'ExecutionEnded'>): void {
  draft.status = fact.status;
  draft.stoppedAt = fact.at;
  draft.outcome =
    fact.status === 'SUCCEEDED'
      ? { ok: true, output: fact.output ?? draft.frame(fact.frame).value }
      : { ok: false, failure: fact.failure ?? { error: null, cause: null } };
  draft.ready.clear();
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
  const lastEventId = fact.event?.id ?? draft.eventCount;
  for (const { id, phase } of [...draft.frames.values()]) {
    if (phase.is === 'ended' && phase.outcome.ok) continue;
    const resume = resumeOf(phase);
    const frame = draft.open(id);
    frame.lastEventId = lastEventId;
    frame.attempts = NO_ATTEMPTS;
    if (resume?.is === 'fan-out') {
      draft.setPhase(frame, { ...resume, live: liveChildren(draft, resume) });
    } else draft.setPhase(frame, resume ?? READY);
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
