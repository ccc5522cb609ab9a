/**
 * What a debugger moves along: an execution as a row of chunks, each one transition (a state entered and
 * begun, an answer worked on, a child joined). A recorded one is all there; a live or simulated one grows
 * by a chunk whenever the debugger lets the next one happen.
 */
import type { Fact, Failure } from '../../core/fact.js';
import type { FrameEdit } from '../../core/stimulus.js';
import type { Json } from '../../lib/json.js';

export type Chunk = readonly Fact[];

/** In place of what the work of a state would answer, once. */
export type Override = { readonly output: Json } | { readonly failure: Failure };

export interface Timeline {
  readonly kind: 'simulation' | 'live' | 'recorded';
  readonly arn: string;
  /** What has happened. */
  readonly chunks: readonly Chunk[];
  /**
   * What happens next, without letting it happen. Null when nothing will by itself: the execution is
   * over, or waits for something that never comes, or `signal` aborted.
   */
  peek(signal: AbortSignal): Promise<Chunk | null>;
  /** Lets what was peeked happen; it is the last chunk then. */
  take(): Promise<void>;
  /** Changes a frame that is about to enter a state; a chunk of its own. */
  edit(edit: FrameEdit): Promise<void>;
  /** The next time the state's work is begun it is not done, but answered with this. */
  override(state: string, override: Override): void;
  /** Forgets what happened after the first `count` chunks. */
  rewind(count: number): Promise<void>;
  /** `stop`: the execution does not go on without the debugger. */
  close(stop: boolean): Promise<void>;
}

/** A wish this kind of timeline cannot meet. */
export class Immutable extends Error {
  override readonly name = 'Immutable';
  constructor(
    message: string,
    readonly mend: string,
  ) {
    super(message);
  }
}

/** Facts that begin a transition, whatever the turns they were committed in. */
const BEGINS: ReadonlySet<Fact['type']> = new Set([
  'StateEntered',
  'TaskSubmitted',
  'TaskSucceeded',
  'TaskFailed',
  'RetryStarted',
  'MapRunEnded',
  'ExecutionRedriven',
  'ExecutionForked',
  'FrameEdited',
]);

/** Cuts a journal as an engine that takes one transition a turn would have committed it. */
export function chunksOf(facts: readonly Fact[]): Chunk[] {
  const chunks: Fact[][] = [];
  for (const fact of facts) {
    const last = chunks.at(-1);
    const before = last?.at(-1);
    if (last === undefined || begins(fact, before)) chunks.push([fact]);
    else last.push(fact);
  }
  return chunks;
}

function begins(fact: Fact, before: Fact | undefined): boolean {
  if (BEGINS.has(fact.type)) return true;
  // The join of a fan-out, but not the end of a Map Run, which shows both at once.
  if (fact.type === 'FanOutEnded') return fact.ok && before?.type !== 'MapRunEnded';
  // A Wait that is over: nothing else of its frame comes right before its exit.
  return fact.type === 'StateExited' && fact.kind === 'Wait' && before?.frame !== fact.frame
    ? true
    : fact.type === 'StateExited' && fact.kind === 'Wait' && before?.type === 'WaitStarted';
}
