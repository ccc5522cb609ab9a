/** Every bound of the engine, with the AWS quota or our reason beside it. */

/** Bytes of UTF-8 JSON: input, output, result and parameters of a state (AWS quota, 256 KiB). */
export const MAX_PAYLOAD_BYTES = 262_144;
/** AWS quota: the variables that a state sees, all together (10 MiB). */
export const MAX_VARIABLES_BYTES = 10 * 1024 * 1024;
/** AWS: `cause` of an event holds at most so many characters; a longer one is cut. */
export const MAX_CAUSE_CHARACTERS = 32_768;
/** AWS quota: the event with this id is ExecutionSucceeded or a failure. */
export const MAX_HISTORY_EVENTS = 25_000;
/** AWS runs at most 40 iterations of an inline Map at a time when MaxConcurrency is absent or 0. */
export const INLINE_MAP_CONCURRENCY = 40;
/** AWS runs at most 10,000 children of a Map Run at a time. */
export const DISTRIBUTED_MAP_CONCURRENCY = 10_000;
/** AWS quota: Map Runs open at a time; one more waits until another one is over. */
export const MAX_OPEN_MAP_RUNS = 1000;
/** Our reason: one turn may not hold the event loop; a longer chain commits and goes on. */
export const MAX_FACTS_PER_TURN = 500;
/** AWS: IntervalSeconds and the other second counts stay below this. */
export const MAX_SECONDS = 99_999_999;
/** AWS: an execution may stay open for one year. */
export const MAX_EXECUTION_MS = 365 * 24 * 3600 * 1000;
/** AWS quota: an Express execution may stay open for five minutes. */
export const EXPRESS_SECONDS = 300;
/** Our reason: nesting deeper than this is a depth bomb, not data. */
export const MAX_JSON_DEPTH = 512;

/** What may differ by installation or machine; AWS's values by default. */
export interface Limits {
  readonly payloadBytes: number;
  readonly variablesBytes: number;
  readonly historyEvents: number;
  readonly factsPerTurn: number;
}

export const AWS_LIMITS: Limits = {
  payloadBytes: MAX_PAYLOAD_BYTES,
  variablesBytes: MAX_VARIABLES_BYTES,
  historyEvents: MAX_HISTORY_EVENTS,
  factsPerTurn: MAX_FACTS_PER_TURN,
};

/** `--limits extended`: far beyond AWS, still below what a process can hold as one text. */
export const EXTENDED_LIMITS: Limits = {
  payloadBytes: 64 * 1024 * 1024,
  variablesBytes: 256 * 1024 * 1024,
  historyEvents: 10_000_000,
  factsPerTurn: MAX_FACTS_PER_TURN,
};
