/** A mistake in the options, the files or the environment of a run: one sentence with the mend. */
export class FineTuneError extends Error {
  override readonly name = 'FineTuneError';
}
