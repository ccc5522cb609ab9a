/** Bounds of the HTTP face. */

/** AWS quota: 1 MB per API request. */
export const MAX_BODY_BYTES = 1_048_576;
/** Ours: a request must have arrived within this time. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** AWS's parser, Jackson, reads documents at most this deep. */
export const MAX_BODY_DEPTH = 1000;
/** AWS: "within five minutes" of our clock. */
export const MAX_CLOCK_SKEW_MS = 5 * 60 * 1000;
/** AWS quota: pollers of one activity. */
export const MAX_ACTIVITY_POLLERS = 1000;
/** Ours: open long polls and streams of one server. */
export const MAX_WAITERS = 10_000;
/** Idle connections are kept a little longer than the clients' own limit would. */
export const KEEP_ALIVE_MS = 65_000;
