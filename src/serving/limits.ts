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
/** Requests of one endpoint in flight unless its record says otherwise. */
export const MAX_CONCURRENCY = 1024;
/** Captured data that one endpoint keeps unless its record says otherwise. */
export const CAPTURE_MAX_BYTES = 256 * 1024 * 1024;
/** Captured lines that wait to be written; more are dropped and counted, never kept in memory. */
export const CAPTURE_QUEUE_BYTES = 16 * 1024 * 1024;
/** How often metrics, captured data and feedback reach the disk. */
export const FLUSH_EVERY_MS = 1000;
/** Hours of metric files that are kept. */
export const METRIC_HOURS = 72;
/** How often replicas are scaled and idle children asked whether they live. */
export const SCALE_EVERY_MS = 1000;
export const HEALTH_EVERY_MS = 5000;
/** An idle child that does not answer a ping within this time is replaced. */
export const HEALTH_TIMEOUT_MS = 10_000;
/** Comparisons and shadow requests that wait in one variant; more are skipped, never queued. */
export const MAX_SHADOW_QUEUE = 64;
/** Labels of feedback in one request, and requests a minute from one source. */
export const MAX_FEEDBACK_LABELS = 1024;
export const FEEDBACK_PER_MINUTE = 6000;
