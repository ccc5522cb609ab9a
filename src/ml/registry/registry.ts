/**
 * The model registry: which versions of a model exist, where they come from, which one is in
 * production, and who decided so. The log is the truth; every change is one entry, made under the
 * folder's lock, so several processes may use one registry, and one that dies leaves it whole.
 */
import { sha256 } from '../../lib/digest.js';
import { canonicalJson, type Json, type JsonObject } from '../../lib/json.js';
import { withLock } from './files.js';
import { MAX_TAG_KEY, MAX_TAG_VALUE, NAME_PATTERN } from './limits.js';
import {
  appendEntry,
  type LogContent,
  type LogEntry,
  readLog,
  stampOf,
  type Verification,
  verifyLog,
} from './log.js';
import {
  EMPTY_STATE,
  foldRegistry,
  type ModelVersion,
  type RegistryState,
  type Stage,
  STAGES,
} from './model-version.js';
import { type Bump, compareVersions, nextVersion } from './version.js';

export type RegistryErrorCode = 'ResourceNotFound' | 'ValidationException' | 'ResourceInUse';

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

/** Who makes a change and why; both go into the log. */
export interface Author {
  readonly who: string;
  readonly why: string;
}

export interface Registration extends Author {
  readonly name: string;
  readonly uri: string;
  readonly metrics?: JsonObject;
  readonly parameters?: JsonObject;
  readonly lineage?: JsonObject;
  readonly tags?: JsonObject;
  readonly stage?: Stage;
  readonly bump?: Bump;
  /** The same key and content again answer the version of the first time. */
  readonly idempotencyKey?: string;
}

export interface VersionQuery {
  readonly version?: string;
  readonly stage?: Stage;
  readonly alias?: string;
}

export interface Registry {
  register(registration: Registration): Promise<ModelVersion>;
  /** Production and Staging hold one version each: the former one is archived with the same entry. */
  setStage(name: string, version: string, stage: Stage, author: Author): Promise<ModelVersion>;
  setAlias(name: string, version: string, alias: string, author: Author): Promise<ModelVersion>;
  removeAlias(name: string, alias: string, author: Author): Promise<void>;
  setTags(name: string, version: string, tags: JsonObject, author: Author): Promise<ModelVersion>;
  /** By version, stage or alias; the highest version when none is given. */
  get(name: string, query?: VersionQuery): Promise<ModelVersion>;
  find(name: string, query?: VersionQuery): Promise<ModelVersion | null>;
  models(): Promise<readonly string[]>;
  versions(name: string): Promise<readonly ModelVersion[]>;
  /** What was in production at that instant, as it stood then. */
  productionAt(name: string, time: Date | string): Promise<ModelVersion | null>;
  /** The log, oldest first; of one model when a name is given. */
  history(name?: string): Promise<readonly LogEntry[]>;
  verify(expectedHead?: string): Promise<Verification>;
}

export interface RegistryOptions {
  /** Usually `<home>/registry`. */
  readonly folder: string;
  readonly now?: () => number;
}

interface Known {
  readonly stamp: string;
  readonly content: LogContent;
  readonly state: RegistryState;
}
interface Change<T> {
  /** Null when the registry already says so. */
  readonly entry: { readonly what: string; readonly data: JsonObject } | null;
  readonly result: (state: RegistryState) => T;
}

export function openRegistry(options: RegistryOptions): Registry {
  const { folder, now = Date.now } = options;
  let known: Known | null = null;

  async function load(): Promise<Known> {
    const stamp = await stampOf(folder);
    if (known?.stamp === stamp) return known;
    const content = await readLog(folder);
    known = { stamp, content, state: foldRegistry(EMPTY_STATE, content.entries) };
    return known;
  }

  async function change<T>(
    author: Author,
    decide: (state: RegistryState) => Change<T>,
  ): Promise<T> {
    return withLock(folder, async () => {
      const { content, state } = await load();
      const { entry, result } = decide(state);
      if (entry === null) return result(state);
      const fresh = await appendEntry(folder, content, { ...author, ...entry }, now());
      known = null;
      return result(foldRegistry(state, fresh));
    });
  }

  const state = async (): Promise<RegistryState> => (await load()).state;
  return {
    register: (registration) => change(authorOf(registration), (s) => register(s, registration)),
    setStage: (name, version, stage, author) =>
      change(author, (s) => stageChange(s, name, version, stage)),
    setAlias: (name, version, alias, author) =>
      change(author, (s) => aliasChange(s, name, version, alias)),
    removeAlias: (name, alias, author) => change(author, (s) => aliasRemoval(s, name, alias)),
    setTags: (name, version, tags, author) =>
      change(author, (s) => tagsChange(s, name, version, tags)),
    get: async (name, query = {}) => required(await state(), name, query),
    find: async (name, query = {}) => lookUp(await state(), name, query),
    models: async () => [...(await state()).models.keys()].sort(),
    versions: async (name) => (await state()).models.get(name) ?? [],
    productionAt: async (name, time) => productionAt((await load()).content.entries, name, time),
    history: async (name) =>
      (await load()).content.entries.filter((e) => name === undefined || e.data.name === name),
    verify: (expectedHead) => verifyLog(folder, expectedHead),
  };
}

function register(state: RegistryState, registration: Registration): Change<ModelVersion> {
  const { name, uri, stage = 'None', bump = 'minor', idempotencyKey } = registration;
  checkRegistration(registration);
  const request = {
    name,
    uri,
    metrics: registration.metrics ?? {},
    parameters: registration.parameters ?? {},
    lineage: registration.lineage ?? {},
    tags: registration.tags ?? {},
    stage,
  };
  const requestDigest = sha256(canonicalJson({ ...request, bump }));
  const earlier = idempotencyKey === undefined ? undefined : state.keys.get(idempotencyKey);
  if (earlier !== undefined) {
    if (earlier.digest !== requestDigest) {
      throw new RegistryError(
        'ResourceInUse',
        `The idempotency key of this registration was used for ${earlier.name} ${earlier.version} with other content.`,
      );
    }
    return { entry: null, result: (s) => required(s, earlier.name, { version: earlier.version }) };
  }
  const versions = state.models.get(name) ?? [];
  const version = nextVersion(
    versions.map((item) => item.version),
    bump,
  );
  const data: JsonObject = {
    ...request,
    version,
    archived: replacedBy(versions, version, stage),
    requestDigest,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
  return {
    entry: { what: 'VersionRegistered', data },
    result: (s) => required(s, name, { version }),
  };
}

function checkRegistration({ name, uri, stage, tags }: Registration): void {
  if (!NAME_PATTERN.test(name)) {
    throw invalid(`name: "${name}" must have 1 to 63 letters, digits or hyphens.`);
  }
  if (uri === '') throw invalid('uri: must not be empty.');
  if (stage !== undefined) checkStage(stage);
  if (tags !== undefined) checkTags(tags);
}

function stageChange(
  state: RegistryState,
  name: string,
  version: string,
  stage: Stage,
): Change<ModelVersion> {
  checkStage(stage);
  const current = required(state, name, { version });
  const result = (s: RegistryState): ModelVersion => required(s, name, { version });
  if (current.stage === stage) return { entry: null, result };
  const archived = replacedBy(state.models.get(name) ?? [], version, stage);
  const data = { name, version, stage, from: current.stage, archived };
  return { entry: { what: 'StageChanged', data }, result };
}

/** The versions that leave a stage because another one enters it. */
function replacedBy(versions: readonly ModelVersion[], version: string, stage: Stage): string[] {
  if (stage !== 'Production' && stage !== 'Staging') return [];
  return versions
    .filter((item) => item.stage === stage && item.version !== version)
    .map((item) => item.version);
}

function aliasChange(
  state: RegistryState,
  name: string,
  version: string,
  alias: string,
): Change<ModelVersion> {
  if (!NAME_PATTERN.test(alias)) throw invalid(`alias: "${alias}" is no valid name.`);
  const current = required(state, name, { version });
  const result = (s: RegistryState): ModelVersion => required(s, name, { version });
  if (current.aliases.includes(alias)) return { entry: null, result };
  const from = lookUp(state, name, { alias })?.version ?? null;
  return { entry: { what: 'AliasSet', data: { name, version, alias, from } }, result };
}

function aliasRemoval(state: RegistryState, name: string, alias: string): Change<void> {
  const holder = lookUp(state, name, { alias });
  const nothing = (): void => undefined;
  if (holder === null) return { entry: null, result: nothing };
  const data = { name, alias, version: holder.version };
  return { entry: { what: 'AliasRemoved', data }, result: nothing };
}

function tagsChange(
  state: RegistryState,
  name: string,
  version: string,
  tags: JsonObject,
): Change<ModelVersion> {
  checkTags(tags);
  required(state, name, { version });
  return {
    entry: { what: 'TagsSet', data: { name, version, tags } },
    result: (s) => required(s, name, { version }),
  };
}

function productionAt(
  entries: readonly LogEntry[],
  name: string,
  time: Date | string,
): ModelVersion | null {
  const instant = new Date(time).getTime();
  if (Number.isNaN(instant)) throw invalid(`time: "${String(time)}" is no date.`);
  const until = entries.filter((entry) => Date.parse(entry.at) <= instant);
  return lookUp(foldRegistry(EMPTY_STATE, until), name, { stage: 'Production' });
}

function lookUp(state: RegistryState, name: string, query: VersionQuery): ModelVersion | null {
  const matching = (state.models.get(name) ?? []).filter(
    (item) =>
      (query.version === undefined || item.version === query.version) &&
      (query.stage === undefined || item.stage === query.stage) &&
      (query.alias === undefined || item.aliases.includes(query.alias)),
  );
  return [...matching].sort((a, b) => compareVersions(a.version, b.version)).at(-1) ?? null;
}

function required(state: RegistryState, name: string, query: VersionQuery): ModelVersion {
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

function checkStage(stage: Stage): void {
  if (STAGES.includes(stage)) return;
  throw invalid(`stage: "${String(stage)}" must be one of ${STAGES.join(', ')}.`);
}

function checkTags(tags: JsonObject): void {
  for (const [key, value] of Object.entries(tags)) {
    const size = typeof value === 'string' ? value.length : JSON.stringify(value as Json).length;
    if (key.length > MAX_TAG_KEY || size > MAX_TAG_VALUE) {
      throw invalid(`tags: "${key.slice(0, 40)}" is longer than MLflow allows.`);
    }
  }
}

function authorOf({ who, why }: Registration): Author {
  return { who, why };
}

function invalid(message: string): RegistryError {
  return new RegistryError('ValidationException', message);
}
