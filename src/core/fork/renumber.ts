/**
 * Facts without some of those before them, as one gapless journal: seqs and event ids count from 1,
 * and whatever names a seq (tasks, Map Runs, frames of children) or an event follows.
 */
import type { FrameId, Seq } from '../../lib/brand.js';
import type { EventRef, Fact } from '../fact.js';

/** Members of facts that hold the seq of another fact. */
const SEQS = ['scheduled', 'by', 'ends'] as const;
/** Members that hold a frame: the root, or `${seq of FanOutStarted}.${index}`. */
const FRAMES = ['frame', 'child'] as const;

export interface Renumbered {
  readonly facts: readonly Fact[];
  frame(id: FrameId): FrameId;
  seq(seq: Seq): Seq;
}

/** `all` is the journal up to the cut, `keep` says which of its facts stay. */
export function renumber(all: readonly Fact[], keep: (fact: Fact) => boolean): Renumbered {
  const seqs = new Map<number, number>();
  const events = new Map<number, number>([[0, 0]]);
  const facts: Fact[] = [];
  const seq = (old: Seq): Seq => (seqs.get(old) ?? old) as Seq;
  const frame = (id: FrameId): FrameId => {
    const dot = id.indexOf('.');
    if (dot === -1) return id;
    return `${seq(Number(id.slice(0, dot)) as Seq)}${id.slice(dot)}` as FrameId;
  };
  let eventCount = 0;
  for (const fact of all) {
    if (!keep(fact)) {
      // An event that is left out stands for the one it points to.
      if (fact.event !== null) events.set(fact.event.id, events.get(fact.event.previousId) ?? 0);
      continue;
    }
    seqs.set(fact.seq, facts.length + 1);
    let event: EventRef | null = null;
    if (fact.event !== null) {
      eventCount++;
      event = { id: eventCount, previousId: events.get(fact.event.previousId) ?? 0 };
      events.set(fact.event.id, eventCount);
    }
    const made: Record<string, unknown> = { ...fact, seq: facts.length + 1, event };
    for (const name of SEQS) {
      if (typeof made[name] === 'number') made[name] = seq(made[name] as Seq);
    }
    for (const name of FRAMES) {
      if (typeof made[name] === 'string') made[name] = frame(made[name] as FrameId);
    }
    facts.push(made as unknown as Fact);
  }
  return { facts, frame, seq };
}
