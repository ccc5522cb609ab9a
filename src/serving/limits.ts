/** Bounds of model serving; each says where its value comes from. */

/** SageMaker Runtime: a real-time request body may have 6 MB. */
export const MAX_BODY_BYTES = 6 * 1024 * 1024;
/** Texts in one request: 6 MB of short sentences would hold a child for minutes. */
export const MAX_INPUTS = 1024;
/** Characters of one text; encoders cut at 512 tokens, so more is a mistake. */
export const MAX_TEXT_CHARS = 100_000;
/** Nesting of a request body; ours has two levels. */
export const MAX_BODY_DEPTH = 16;
/** SageMaker Runtime: a model container must answer within 60 seconds. */
export const INVOCATION_TIMEOUT_MS = 60_000;
/** Texts that wait in one child; more are refused with 429 rather than kept. */
export const MAX_QUEUED_TEXTS = 4096;
/** Texts that one model run takes together: past this, two cores gain nothing. */
export const MAX_BATCH_TEXTS = 32;
/** Time for a child to load its model; a 250 MB model needs a few seconds. */
export const READY_TIMEOUT_MS = 120_000;
/** Time for a child to finish what it has when it is replaced. */
export const DRAIN_TIMEOUT_MS = 65_000;
/** Time for an idle child to end by itself before it is killed. */
export const KILL_AFTER_MS = 5_000;
/** Pauses before a dead child is started again: doubled each time. */
export const RESTART_FIRST_MS = 200;
export const RESTART_MOST_MS = 30_000;
/** A child that lived this long is taken for healthy: its next restart is quick again. */
export const STABLE_AFTER_MS = 30_000;
/** How often a running server looks for switched endpoints. */
export const WATCH_EVERY_MS = 500;
/** Switches that an endpoint record keeps. */
export const MAX_HISTORY = 500;
/** Children of one variant on one host. */
export const MAX_INSTANCES = 16;
/** Sentences for a health check that names none. */
export const HEALTH_TEXTS: readonly string[] = [
  'I love this product, it works great.',
  'It is okay, nothing special.',
  'Terrible quality, I want my money back.',
];
