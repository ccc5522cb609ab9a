/**
 * Ordered reading over all shards: each keeps its own sorted set, a reader sees one. On a standalone
 * server one script reads all of them at one instant; on a Cluster one script per shard.
 */
import { comparePositions } from './redis-keys.js';
import type { RedisLink } from './redis-link.js';
import { SCAN } from './redis-scan-scripts.js';

export interface Walk {
  /** One sorted set per shard. */
  readonly keys: readonly string[];
  /** Which entries of the sets: those that begin with one of these. */
  readonly heads: readonly string[];
  /** Latest first. */
  readonly reverse?: boolean;
  /** Start after this entry, as an earlier walk returned it; null: at the beginning. */
  readonly from: string | null;
  /** Stop before this position (forwards only). */
  readonly to?: string;
}

/** Asked of each shard beyond its fair share, so that an uneven spread rarely costs a second round. */
const SPARE = 8;

/** Up to `limit` entries in order, without their heads. */
export async function walk(link: RedisLink, range: Walk, limit: number): Promise<string[]> {
  const order = range.reverse ? (a: string, b: string) => comparePositions(b, a) : comparePositions;
  const share = Math.ceil((2 * limit) / (range.keys.length * range.heads.length)) + SPARE;
  const count = Math.min(limit, share);
  const found: string[] = [];
  for (let from = range.from; found.length < limit; ) {
    const lists = await readShards(link, { ...range, from }, count);
    // A list that was cut says nothing about what follows its last entry.
    const cuts = lists.filter((list) => list.length === count).map((list) => list.at(-1) as string);
    const frontier = cuts.sort(order)[0];
    const known = lists.flat().sort(order);
    if (frontier === undefined) return [...found, ...known].slice(0, limit);
    for (const entry of known) {
      if (order(entry, frontier) > 0) break;
      found.push(entry);
    }
    from = frontier;
  }
  return found.slice(0, limit);
}

async function readShards(link: RedisLink, range: Walk, count: number): Promise<string[][]> {
  const { keys, heads, reverse, from, to } = range;
  const args = [reverse ? 'reverse' : '', count, from ?? '', to ?? '', ...heads];
  const groups = link.cluster ? keys.map((key) => [key]) : [keys];
  const answers = await Promise.all(groups.map((group) => link.eval(SCAN, group, args)));
  return (answers as string[][][]).flat();
}
