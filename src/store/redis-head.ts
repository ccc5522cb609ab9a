/** The field `h` of an execution, which the scripts write (HEAD in redis-script.ts says what is in it), and its records. */
import type { Digest, Seq } from '../lib/brand.js';
import type { JsonObject } from '../lib/json.js';
import type { JournalCommit } from './store.js';

export interface Head {
  readonly seq: Seq;
  readonly digest: Digest;
  /** How many records the journal has. */
  readonly records: number;
  /** Positions of the execution's entries among the timers and the effects of its shard; `-`: none. */
  readonly due: string;
  readonly since: string;
  readonly timers: number;
  readonly effects: number;
  /** Details of the row that have changed since it was written. */
  readonly changes: JsonObject;
}

const FIELDS = /^(\d+) (\S+) (\d+) (\S+) (\S+) (\d+) (\d+)(?:\n(.*))?$/s;

/** Null when there is no journal. */
export function parseHead(text: string | null): Head | null {
  const found = text === null ? null : FIELDS.exec(text);
  if (found === null) return null;
  const [, seq, digest, records, due, since, timers, effects, changes] =
    found as unknown as string[];
  return {
    seq: Number(seq) as Seq,
    digest: digest as Digest,
    records: Number(records),
    due: due as string,
    since: since as string,
    timers: Number(timers),
    effects: Number(effects),
    changes: changes ? (JSON.parse(changes) as JsonObject) : {},
  };
}

/** What the field begins with. */
export function headText(seq: number, digest: Digest): string {
  return `${seq} ${digest} `;
}

/** A record of the journal: `after count digest`, and the facts on the next line. */
export function recordText({ after, count, digest, facts }: JournalCommit): string {
  return `${after} ${count} ${digest}\n${facts}`;
}
