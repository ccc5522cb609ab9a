/**
 * The one error a store throws for reasons outside the caller's power: disk full, a corrupted file,
 * a lost connection, a file owned by another process. The engine pauses claims and keeps serving
 * reads. `outcomeUnknown` says that a write may or may not be durable: reload before going on.
 */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  readonly outcomeUnknown: boolean;

  constructor(message: string, options: { cause?: unknown; outcomeUnknown?: boolean } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.outcomeUnknown = options.outcomeUnknown ?? false;
  }
}
