/**
 * Our own bugs, named as such. An InvariantError discards the turn and quarantines the execution;
 * it is never caught in order to carry on.
 */

export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws an InvariantError with `sentence` unless `condition` holds. */
export function assert(condition: unknown, sentence: string): asserts condition {
  if (!condition) throw new InvariantError(sentence);
}

/** The end of an exhaustive switch: a new union member fails to compile here. */
export function assertNever(value: never): never {
  throw new InvariantError(`Unhandled case: ${JSON.stringify(value)}`);
}
