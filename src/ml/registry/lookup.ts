/** Finding versions in the registry's state, and the one error with which it refuses a request. */
import type { JsonObject } from '../../lib/json.js';
import type { ModelVersion, RegistryState, Stage } from './model-version.js';
import { compareVersions } from './version.js';

export type RegistryErrorCode =
  | 'ResourceNotFound'
  | 'ValidationException'
  | 'ResourceInUse'
  /** The model's policy asks for something that the version does not have. */
  | 'PromotionRefused';

/** A request that the registry cannot follow; the message says which part and why. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  constructor(
    readonly code: RegistryErrorCode,
    message: string,
  ) {
    super(message);
  }
}

export function invalid(message: string): RegistryError {
  return new RegistryError('ValidationException', message);
}

export interface VersionQuery {
  readonly version?: string;
  readonly stage?: Stage;
  readonly alias?: string;
}

/** What one request does to the log. */
export interface Change<T> {
  /** Null when the registry already says so. */
  readonly entry: { readonly what: string; readonly data: JsonObject } | null;
  readonly result: (state: RegistryState) => T;
}

/** The highest version that fits, or null. */
export function lookUp(
  state: RegistryState,
  name: string,
  query: VersionQuery,
): ModelVersion | null {
  const matching = (state.models.get(name) ?? []).filter(
    (item) =>
      (query.version === undefined || item.version === query.version) &&
      (query.stage === undefined || item.stage === query.stage) &&
      (query.alias === undefined || item.aliases.includes(query.alias)),
  );
  return [...matching].sort((a, b) => compareVersions(a.version, b.version)).at(-1) ?? null;
}

export function required(state: RegistryState, name: string, query: VersionQuery): ModelVersion {
  const found = lookUp(state, name, query);
  if (found !== null) return found;
  if (!state.models.has(name)) {
    throw new RegistryError('ResourceNotFound', `The registry has no model named "${name}".`);
  }
  const wanted = Object.entries(query).map(([key, value]) => `${key} "${value}"`);
  throw new RegistryError(
    'ResourceNotFound',
    `Model "${name}" has no version with ${wanted.join(' and ')}.`,
  );
}
