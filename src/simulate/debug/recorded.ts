/** A finished execution's journal: every step can be looked at, none can be changed. */
import type { Fact } from '../../core/fact.js';
import { type Chunk, chunksOf, Immutable, type Timeline } from './timeline.js';

export function recordedTimeline(facts: readonly Fact[]): Timeline {
  const [first] = facts;
  const arn = first?.type === 'ExecutionStarted' ? first.identity.arn : '';
  const refuse = (): never => {
    throw new Immutable(
      'What is recorded cannot be changed.',
      `stepwell fork ${arn.split(':').at(-1)} --at <event|state> goes on from here with a change.`,
    );
  };
  const chunks: readonly Chunk[] = chunksOf(facts);
  return {
    kind: 'recorded',
    arn,
    chunks,
    peek: async () => null,
    take: async () => refuse(),
    edit: async () => refuse(),
    override: () => refuse(),
    rewind: async () => refuse(),
    close: async () => undefined,
  };
}
