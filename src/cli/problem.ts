/** A person's mistake at the command line: one message with the place and the mend, exit status 2. */

export class Problem extends Error {
  override readonly name = 'Problem';
  constructor(
    message: string,
    /** What to do about it. */
    readonly mend: string | null = null,
  ) {
    super(message);
  }
}

export const EXIT = { succeeded: 0, failed: 1, badInput: 2, interrupted: 130 } as const;
