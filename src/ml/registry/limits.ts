/** Bounds of the registry, the workspaces and their files; each says why it has its value. */

/** The SageMaker pattern for names (1-63), which the registry shares so that a name fits both. */
export const NAME_PATTERN = /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/;
/** One log entry; a metric set with a confusion matrix is a few KB, a megabyte is a mistake. */
export const MAX_ENTRY_BYTES = 1_048_576;
/** How long one process waits for another one's change before it says that the lock is held. */
export const LOCK_WAIT_MS = 15_000;
/** Pause between two tries for the lock. */
export const LOCK_RETRY_MS = 10;
/** MLflow: tag keys at most 250 characters, values at most 8000. */
export const MAX_TAG_KEY = 250;
export const MAX_TAG_VALUE = 8000;
