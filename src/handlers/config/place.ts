/** Where in the configuration something stands, and the errors that name the place and the mend. */

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Where in the file we are, for messages, and how to read a path there. */
export interface Place {
  readonly path: string | null;
  readonly pointer: string;
  readonly name: string;
  within(target: string): string;
}

export function fail(path: string | null, pointer: string, sentence: string): never {
  throw new ConfigError(`${path ?? 'The configuration'}, at ${pointer || '/'}: ${sentence}`);
}

export function checkUrl(text: string, at: Place, pointer: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  return fail(at.path, pointer, `"${text}" is not an http or https URL.`);
}
