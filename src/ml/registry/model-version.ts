/**
 * What the registry knows, and how a log entry changes it. Pure: the state is the fold of the log,
 * and may be folded up to any instant, which answers what was in production then.
 */
import { isArray, isObject, type JsonObject } from '../../lib/json.js';
import { CARD_STATUSES, type CardStatus } from './card.js';
import type { LogEntry } from './log.js';

export type Stage = 'None' | 'Staging' | 'Production' | 'Archived';
export const STAGES: readonly Stage[] = ['None', 'Staging', 'Production', 'Archived'];

/** SageMaker's ModelApprovalStatus. */
export type Approval = 'PendingManualApproval' | 'Approved' | 'Rejected';
export const APPROVALS: readonly Approval[] = ['PendingManualApproval', 'Approved', 'Rejected'];

/** What a version must have before it enters Production or takes one of the guarded aliases. */
export interface ModelPolicy {
  readonly requireApproval: boolean;
  /** A complete model card with the status Approved. */
  readonly requireCard: boolean;
  readonly guardedAliases: readonly string[];
}
export const DEFAULT_POLICY: ModelPolicy = {
  requireApproval: false,
  requireCard: false,
  guardedAliases: ['champion'],
};

export interface ModelCard {
  readonly status: CardStatus;
  readonly content: JsonObject;
  readonly writtenAt: string;
  readonly writtenBy: string;
}

export interface ModelVersion {
  readonly name: string;
  readonly version: string;
  readonly uri: string;
  readonly stage: Stage;
  readonly aliases: readonly string[];
  readonly metrics: JsonObject;
  readonly parameters: JsonObject;
  /** Where it comes from: dataVersion, executionArn, baseModel, runId, … */
  readonly lineage: JsonObject;
  readonly tags: JsonObject;
  readonly approval: Approval;
  readonly card: ModelCard | null;
  readonly registeredAt: string;
  readonly registeredBy: string;
  readonly stageChangedAt: string;
}

export interface RegistryState {
  /** Versions of each model in the order of their registration. */
  readonly models: ReadonlyMap<string, readonly ModelVersion[]>;
  /** Idempotency key -> what was asked then and which version answered it. */
  readonly keys: ReadonlyMap<
    string,
    { readonly name: string; readonly version: string; readonly digest: string }
  >;
  readonly policies: ReadonlyMap<string, ModelPolicy>;
}

export const EMPTY_STATE: RegistryState = {
  models: new Map(),
  keys: new Map(),
  policies: new Map(),
};

export function foldRegistry(state: RegistryState, entries: readonly LogEntry[]): RegistryState {
  const draft = {
    models: new Map(state.models),
    keys: new Map(state.keys),
    policies: new Map(state.policies),
  };
  for (const entry of entries) apply(draft, entry);
  return draft;
}

type Draft = {
  models: Map<string, readonly ModelVersion[]>;
  keys: Map<string, { name: string; version: string; digest: string }>;
  policies: Map<string, ModelPolicy>;
};

/** Entries of kinds that this release does not know are skipped: the log is additive. */
function apply(draft: Draft, entry: LogEntry): void {
  const { data } = entry;
  const name = text(data.name);
  const version = text(data.version);
  switch (entry.what) {
    case 'VersionRegistered': {
      const added = registered(entry);
      draft.models.set(name, [...(draft.models.get(name) ?? []), added]);
      restage(draft, entry, added.stage);
      const key = text(data.idempotencyKey);
      if (key !== '') draft.keys.set(key, { name, version, digest: text(data.requestDigest) });
      return;
    }
    case 'StageChanged':
      restage(draft, entry, stage(data.stage));
      return;
    case 'AliasSet': {
      const alias = text(data.alias);
      edit(draft, name, (item) => {
        const others = item.aliases.filter((other) => other !== alias);
        return { ...item, aliases: item.version === version ? [...others, alias].sort() : others };
      });
      return;
    }
    case 'AliasRemoved':
      edit(draft, name, (item) => ({
        ...item,
        aliases: item.aliases.filter((alias) => alias !== text(data.alias)),
      }));
      return;
    case 'TagsSet':
      edit(draft, name, (item) =>
        item.version === version ? { ...item, tags: object(data.tags) } : item,
      );
      return;
    case 'ApprovalChanged':
      edit(draft, name, (item) =>
        item.version === version ? { ...item, approval: approval(data.approval) } : item,
      );
      return;
    case 'CardWritten':
      edit(draft, name, (item) =>
        item.version === version ? { ...item, card: cardOf(entry) } : item,
      );
      return;
    case 'PolicySet':
      draft.policies.set(name, policy(object(data.policy)));
  }
}

/** Sets the stage of the entry's version and archives those that the entry says it replaces. */
function restage(draft: Draft, entry: LogEntry, to: Stage): void {
  const version = text(entry.data.version);
  const archived = new Set(isArray(entry.data.archived) ? entry.data.archived : []);
  edit(draft, text(entry.data.name), (item) => {
    if (item.version === version) return { ...item, stage: to, stageChangedAt: entry.at };
    if (!archived.has(item.version)) return item;
    return { ...item, stage: 'Archived', stageChangedAt: entry.at };
  });
}

function edit(draft: Draft, name: string, change: (item: ModelVersion) => ModelVersion): void {
  const versions = draft.models.get(name);
  if (versions !== undefined) draft.models.set(name, versions.map(change));
}

function registered(entry: LogEntry): ModelVersion {
  const { data } = entry;
  return {
    name: text(data.name),
    version: text(data.version),
    uri: text(data.uri),
    stage: stage(data.stage),
    aliases: [],
    metrics: object(data.metrics),
    parameters: object(data.parameters),
    lineage: object(data.lineage),
    tags: object(data.tags),
    approval: approval(data.approval),
    card: null,
    registeredAt: entry.at,
    registeredBy: entry.who,
    stageChangedAt: entry.at,
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function object(value: JsonObject[string] | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function stage(value: unknown): Stage {
  return STAGES.find((known) => known === value) ?? 'None';
}

function approval(value: unknown): Approval {
  return APPROVALS.find((known) => known === value) ?? 'PendingManualApproval';
}

function cardOf(entry: LogEntry): ModelCard {
  const { content, status } = entry.data;
  return {
    status: CARD_STATUSES.find((known) => known === status) ?? 'Draft',
    content: object(content),
    writtenAt: entry.at,
    writtenBy: entry.who,
  };
}

function policy(value: JsonObject): ModelPolicy {
  const aliases = isArray(value.guardedAliases) ? value.guardedAliases : [];
  return {
    requireApproval: value.requireApproval === true,
    requireCard: value.requireCard === true,
    guardedAliases: aliases.filter((alias) => typeof alias === 'string'),
  };
}
