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
  type Approval,
  APPROVALS,
  EMPTY_STATE,
  foldRegistry,
  type ModelPolicy,
  type ModelVersion,
  type RegistryState,
  type Stage,
  STAGES,
} from './model-version.js';
import {
  type Change,
  invalid,
  lookUp,
  RegistryError,
  required,
  type VersionQuery,
} from './lookup.js';
import { type Bump, nextVersion } from './version.js';
import {
  approvalChange,
  cardChange,
  policyChange,
  policyOf,
  refuseUnpromotable,
} from './governance.js';
import type { CardStatus } from './card.js';

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
  /** PendingManualApproval unless given. */
  readonly approval?: Approval;
  readonly bump?: Bump;
  /** The same key and content again answer the version of the first time. */
  readonly idempotencyKey?: string;
}

export interface Registry {
  register(registration: Registration): Promise<ModelVersion>;
  /** Production and Staging hold one version each: the former one is archived with the same entry. */
  setStage(name: string, version: string, stage: Stage, author: Author): Promise<ModelVersion>;
  setAlias(name: string, version: string, alias: string, author: Author): Promise<ModelVersion>;
  removeAlias(name: string, alias: string, author: Author): Promise<void>;
  setTags(name: string, version: string, tags: JsonObject, author: Author): Promise<ModelVersion>;
  setApproval(
    name: string,
    version: string,
    approval: Approval,
    author: Author,
  ): Promise<ModelVersion>;
  /** Content in SageMaker's shape; the status Approved is refused while required fields are empty. */
  setCard(
    name: string,
    version: string,
    card: { readonly status: CardStatus; readonly content: JsonObject },
    author: Author,
  ): Promise<ModelVersion>;
  /** What a version must have before it may enter Production or take a guarded alias. */
  setPolicy(name: string, policy: ModelPolicy, author: Author): Promise<ModelPolicy>;
  policy(name: string): Promise<ModelPolicy>;
  /** By version, stage or alias; the highest version when none is given. */
  get(name: string, query?: VersionQuery): Promise<ModelVersion>;
  find(name: string, query?: VersionQuery): Promise<ModelVersion | null>;
  models(): Promise<readonly string[]>;
  versions(name: string): Promise<readonly ModelVersion[]>;
  /** What was in production at that instant, as it stood then. */
  productionAt(name: string, time: Date | string): Promise<ModelVersion | null>;
  /** Every version as it stood at that instant, oldest registration first. */
  versionsAt(time: Date | string): Promise<readonly ModelVersion[]>;
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
    setApproval: (name, version, approval, author) =>
      change(author, (s) => approvalChange(s, name, version, approval)),
    setCard: (name, version, card, author) =>
      change(author, (s) => cardChange(s, name, version, card)),
    setPolicy: (name, policy, author) => change(author, (s) => policyChange(s, name, policy)),
    policy: async (name) => policyOf(await state(), name),
    get: async (name, query = {}) => required(await state(), name, query),
    find: async (name, query = {}) => lookUp(await state(), name, query),
    models: async () => [...(await state()).models.keys()].sort(),
    versions: async (name) => (await state()).models.get(name) ?? [],
    productionAt: async (name, time) => productionAt((await load()).content.entries, name, time),
    versionsAt: async (time) =>
      [...stateAt((await load()).content.entries, time).models.values()].flat(),
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
    ...(registration.approval === undefined ? {} : { approval: registration.approval }),
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
  if (stage === 'Production') {
    refuseUnpromotable(state, {
      name,
      version,
      approval: registration.approval ?? null,
      card: null,
    });
  }
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

function checkRegistration({ name, uri, stage, tags, approval }: Registration): void {
  if (!NAME_PATTERN.test(name)) {
    throw invalid(`name: "${name}" must have 1 to 63 letters, digits or hyphens.`);
  }
  if (uri === '') throw invalid('uri: must not be empty.');
  if (stage !== undefined) checkStage(stage);
  if (approval !== undefined && !APPROVALS.includes(approval)) {
    throw invalid(`approval: "${String(approval)}" must be one of ${APPROVALS.join(', ')}.`);
  }
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
  if (stage === 'Production') refuseUnpromotable(state, current);
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
  if (policyOf(state, name).guardedAliases.includes(alias)) refuseUnpromotable(state, current);
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
  return lookUp(stateAt(entries, time), name, { stage: 'Production' });
}

function stateAt(entries: readonly LogEntry[], time: Date | string): RegistryState {
  const instant = new Date(time).getTime();
  if (Number.isNaN(instant)) throw invalid(`time: "${String(time)}" is no date.`);
  const until = entries.filter((entry) => Date.parse(entry.at) <= instant);
  return foldRegistry(EMPTY_STATE, until);
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
