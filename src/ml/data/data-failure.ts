/**
 * A failure of a data step that the user can mend: a stable name and a sentence that says where and how.
 * Handlers turn it into a TaskFailure. It never carries a secret: see `redactor`.
 */

export class DataFailure extends Error {
  override readonly name = 'DataFailure';
  constructor(
    readonly error: string,
    readonly reason: string,
  ) {
    super(`${error}: ${reason}`);
  }
}

export const notFound = (reason: string) => new DataFailure('DataSource.NotFound', reason);
export const unreachable = (reason: string) => new DataFailure('DataSource.Unreachable', reason);
export const badFormat = (reason: string) => new DataFailure('DataSource.BadFormat', reason);
export const accessDenied = (reason: string) => new DataFailure('DataSource.AccessDenied', reason);
export const badQuery = (reason: string) => new DataFailure('DataSource.BadQuery', reason);
export const badParameters = (reason: string) =>
  new DataFailure('DataSource.BadParameters', reason);
export const tooLarge = (reason: string) => new DataFailure('DataSource.TooLarge', reason);

/** Replaces every known secret value by `***`; short values are left, they would mangle sentences. */
export function redactor(secrets: Iterable<string>): (text: string) => string {
  const known = [...secrets].filter((value) => value.length >= 4);
  const spellings = known.flatMap((value) => [value, encodeURIComponent(value)]);
  const longestFirst = [...new Set(spellings)].sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((result, value) => result.replaceAll(value, '***'), text);
}

/** An address a person may see: without user, password and query, which often hold keys. */
export function publicUrl(url: string): string {
  try {
    const { protocol, host, pathname, search } = new URL(url);
    return `${protocol}//${host}${pathname}${search === '' ? '' : '?…'}`;
  } catch {
    return '(not a URL)';
  }
}

/** The message of an error and of the errors under it, which hold the system's own reason. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof Error ? reasonOf(error.cause) : '';
  const code = (error as { code?: unknown }).code;
  const own = error.message === '' && typeof code === 'string' ? code : error.message;
  return inner === '' || own.includes(inner) ? own : `${own} (${inner})`;
}

/** A failure that already has its name and sentence: ours, or a TaskFailure of the egress or file guard. */
export function isNamed(error: unknown): error is Error & { error: string; reason: string } {
  const named = error as { error?: unknown; reason?: unknown } | null;
  return (
    error instanceof Error && typeof named?.error === 'string' && typeof named.reason === 'string'
  );
}
