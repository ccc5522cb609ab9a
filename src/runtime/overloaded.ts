/** More work than this process may queue: the caller is asked to come back, nothing was changed. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded';
}

/** Turns of all executions that may wait or run before new work from outside is refused. */
export const MAX_QUEUED_TURNS = 10_000;
