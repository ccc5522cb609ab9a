/**
 * Which thread of control each event of a history belongs to: the root, a branch (named by its first
 * state) or an iteration (state and index). Read off previousEventId and the opened states.
 */
import type { RecordedEvent } from './history-file.js';

export interface Step {
  readonly kind: 'branch' | 'iteration';
  /** First state of the branch, or the Map state. */
  readonly state: string;
  /** Index of the iteration; 0 for a branch. */
  readonly index: number;
}

export interface Thread {
  readonly parent: Thread | null;
  readonly step: Step | null;
  /** `Map[0]/Branch`: the same for the same thread of another run. */
  readonly path: string;
  /** The state that it is in. */
  open: { readonly name: string; readonly kind: string } | null;
}

/** The thread of every event, by event id. */
export function threadsOf(events: readonly RecordedEvent[]): ReadonlyMap<number, Thread> {
  const root: Thread = { parent: null, step: null, path: '', open: null };
  const threads = new Map<number, Thread>();
  const byId = new Map(events.map((event) => [event.id, event]));
  for (const event of events) {
    const previous = byId.get(event.previousEventId);
    const before = threads.get(event.previousEventId) ?? root;
    const thread = threadOf(event, previous, before, root);
    threads.set(event.id, thread);
    follow(event, thread);
  }
  return threads;
}

function threadOf(
  event: RecordedEvent,
  previous: RecordedEvent | undefined,
  before: Thread,
  root: Thread,
): Thread {
  const { type } = event;
  const name = stateNameOf(event);
  if (type.startsWith('Execution')) return root;
  if (type === 'MapIterationStarted') {
    const owner = ownerOf(before, (thread) => thread.open?.name === name) ?? before;
    return inner(owner, {
      kind: 'iteration',
      state: name,
      index: Number(event.details.index ?? 0),
    });
  }
  if (/^MapIteration/.test(type)) {
    const index = Number(event.details.index ?? 0);
    return ownerOf(before, ({ step }) => step?.state === name && step.index === index) ?? before;
  }
  if (/StateEntered$/.test(type)) {
    const begins = previous?.type === 'ParallelStateStarted';
    return begins ? inner(before, { kind: 'branch', state: name, index: 0 }) : before;
  }
  if (/StateExited$/.test(type)) {
    return ownerOf(before, (thread) => thread.open?.name === name) ?? before;
  }
  const fanOut = /^(Map|Parallel)State(Succeeded|Failed|Aborted)$/.exec(type);
  if (fanOut !== null) {
    // Of an ended inner thread, the fan-out is its owner's; an empty one has no inner threads.
    return ownerOf(before, (thread) => thread.open?.kind === fanOut[1]) ?? before;
  }
  return before;
}

function inner(parent: Thread, step: Step): Thread {
  const own = step.kind === 'branch' ? step.state : `${step.state}[${step.index}]`;
  return { parent, step, path: parent.path === '' ? own : `${parent.path}/${own}`, open: null };
}

function ownerOf(thread: Thread, fits: (thread: Thread) => boolean): Thread | null {
  for (let at: Thread | null = thread; at !== null; at = at.parent) if (fits(at)) return at;
  return null;
}

function follow(event: RecordedEvent, thread: Thread): void {
  const entered = /^(\w+)StateEntered$/.exec(event.type);
  if (entered !== null) {
    thread.open = { name: stateNameOf(event), kind: entered[1] as string };
  }
  if (/StateExited$/.test(event.type)) thread.open = null;
}

/** The file is somebody's: a name may be anything. */
export function stateNameOf({ details }: RecordedEvent): string {
  return typeof details.name === 'string' ? details.name : '';
}

/** The iterations around a thread, outermost first: what calls know as their scopes. */
export function iterationsOf(thread: Thread): readonly Step[] {
  const steps: Step[] = [];
  for (let at: Thread | null = thread; at !== null; at = at.parent) {
    if (at.step?.kind === 'iteration') steps.unshift(at.step);
  }
  return steps;
}
