/**
 * What the registry knows, and how a log entry changes it. Pure: the state is the fold of the log,
 * and may be folded up to any instant, which answers what was in production then.
 */
import { isArray, isObject, type JsonObject } from '../../lib/json.js';
import type { LogEntry } from './log.js';

export type Stage = 'None' | 'Staging' | 'Production' | 'Archived';
export const STAGES: readonly Stage[] = ['None', 'Staging', 'Production', 'Archived'];

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
}

export const EMPTY_STATE: RegistryState = { models: new Map(), keys: new Map() };

export function foldRegistry(state: RegistryState, entries: readonly LogEntry[]): RegistryState {
  const draft = { models: new Map(state.models), keys: new Map(state.keys) };
  for (const entry of entries) apply(draft, entry);
  return draft;
}

type Draft = {
  models: Map<string, readonly ModelVersion[]>;
  keys: Map<string, { name: string; version: string; digest: string }>;
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
