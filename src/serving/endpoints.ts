/**
 * Endpoint records: which model version serves which endpoint, and every switch there was.
 * One file an endpoint, replaced in one step under a lock; running servers follow the files, so a
 * deployment in another process takes effect without talking to them.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject, type Json } from '../lib/json.js';
import { readJsonIfPresent, replaceFile, withLock } from '../ml/registry/files.js';
import { NAME_PATTERN } from '../ml/registry/limits.js';
import { MAX_HISTORY } from './limits.js';
import {
  type PartialSettings,
  type Scaling,
  scalingProblems,
  settingsProblems,
} from './settings.js';

/** Which model a variant serves. `path` is where it lay when it was deployed. */
export interface ServedModel {
  readonly name: string | null;
  readonly version: string | null;
  readonly uri: string;
  readonly path: string;
}

export interface Variant {
  readonly name: string;
  /** Its share of the requests is its weight divided by the sum of all. */
  readonly weight: number;
  readonly instanceCount: number;
  readonly model: ServedModel;
  readonly scaling?: Scaling;
}

/** Gets copies of requests after they were answered; its own answers are compared and dropped. */
export interface ShadowVariant {
  readonly name: string;
  readonly samplingPercentage: number;
  readonly instanceCount: number;
  readonly model: ServedModel;
}

/** The rollout that holds the endpoint: another one is refused until it ends. */
export interface OpenRollout {
  readonly id: string;
  readonly startedAt: string;
  /** Revision that a rollback restores. */
  readonly baseline: number;
}

/** Everything that a switch sets and a rollback restores. */
export interface EndpointState {
  readonly variants: readonly Variant[];
  readonly shadows?: readonly ShadowVariant[];
  readonly settings?: PartialSettings;
}

export interface EndpointSwitch extends EndpointState {
  readonly revision: number;
  readonly at: string;
  readonly who: string;
  readonly why: string;
  /** The same key again is the same switch. */
  readonly key: string | null;
  readonly configName: string | null;
}

export interface EndpointRecord extends EndpointState {
  readonly name: string;
  readonly arn: string;
  readonly status: 'InService';
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly configName: string | null;
  readonly rollout?: OpenRollout | null;
  /** Oldest first; the last one is in force. */
  readonly history: readonly EndpointSwitch[];
}

/** Absent shadows and settings stay as they are; a new endpoint has none. */
export interface SwitchRequest extends EndpointState {
  readonly arn?: string;
  /** Opens (an object) or ends (null) a rollout together with the switch. */
  readonly rollout?: OpenRollout | null;
  /** Refuses the switch when it throws; sees the record under the lock. */
  readonly check?: (current: EndpointRecord | null) => void;
  readonly who: string;
  readonly why: string;
  readonly key?: string;
  readonly configName?: string;
}

export interface Endpoints {
  get(name: string): Promise<EndpointRecord | null>;
  names(): Promise<readonly string[]>;
  list(): Promise<readonly EndpointRecord[]>;
  /** Makes the variants serve the endpoint from now on; creates it when it is new. */
  switchTo(name: string, request: SwitchRequest): Promise<EndpointRecord>;
}

export const DEFAULT_VARIANT = 'AllTraffic';

/** The folder of endpoint records below the product's home folder. */
export function endpointsFolder(home: string): string {
  return join(home, 'serving', 'endpoints');
}

export function openEndpoints(folder: string, now: () => number = Date.now): Endpoints {
  const pathOf = (name: string): string => {
    if (!NAME_PATTERN.test(name)) throw new Error(`"${name}" is no endpoint name.`);
    return join(folder, `${name}.json`);
  };
  async function get(name: string): Promise<EndpointRecord | null> {
    return NAME_PATTERN.test(name) ? recordOf(await readJsonIfPresent(pathOf(name))) : null;
  }
  async function names(): Promise<readonly string[]> {
    const files = (await filesIn(folder)).filter((file) => file.endsWith('.json'));
    return files
      .map((file) => file.slice(0, -'.json'.length))
      .filter((name) => NAME_PATTERN.test(name))
      .sort();
  }
  return {
    get,
    names,
    list: async () => {
      const records = await Promise.all((await names()).map(get));
      return records.filter((record) => record !== null);
    },
    switchTo: async (name, request) => {
      checkState(request);
      return withLock(folder, async () => {
        const current = await get(name);
        const done = current?.history.find(
          (item) => item.key !== null && item.key === (request.key ?? null),
        );
        if (current !== null && done !== undefined) return current;
        request.check?.(current);
        const record = switched(name, current, request, now());
        await replaceFile(pathOf(name), `${JSON.stringify(record, null, 2)}\n`);
        return record;
      });
    },
  };
}

function switched(
  name: string,
  current: EndpointRecord | null,
  request: SwitchRequest,
  now: number,
): EndpointRecord {
  const at = new Date(Math.max(now, Date.parse(current?.updatedAt ?? '') || 0)).toISOString();
  const revision = (current?.revision ?? 0) + 1;
  const configName = request.configName ?? null;
  const { who, why } = request;
  const state = {
    variants: request.variants,
    shadows: request.shadows ?? current?.shadows ?? [],
    settings: request.settings ?? current?.settings ?? {},
  };
  const rollout = request.rollout === undefined ? (current?.rollout ?? null) : request.rollout;
  const step = { revision, at, who, why, key: request.key ?? null, configName, ...state };
  return {
    name,
    arn:
      current?.arn ??
      request.arn ??
      `arn:aws:sagemaker:us-east-1:000000000000:endpoint/${name.toLowerCase()}`,
    status: 'InService',
    revision,
    createdAt: current?.createdAt ?? at,
    updatedAt: at,
    configName,
    ...state,
    rollout,
    history: [...(current?.history ?? []), step].slice(-MAX_HISTORY),
  };
}

/** The variant of one request: by name when asked for, else by weight. */
export function chooseVariant(
  variants: readonly Variant[],
  target: string | null,
  random: () => number,
): Variant | null {
  if (target !== null) return variants.find((variant) => variant.name === target) ?? null;
  const total = variants.reduce((sum, variant) => sum + variant.weight, 0);
  let point = random() * total;
  for (const variant of variants) {
    point -= variant.weight;
    if (point < 0 && variant.weight > 0) return variant;
  }
  return variants.findLast((variant) => variant.weight > 0) ?? null;
}

/** A point in [0, 1) that is the same for one session at one endpoint, whatever the weights are. */
export function sessionPoint(endpoint: string, session: string): number {
  // FNV-1a, then a finaliser: short ids that differ in one character must land far apart.
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${endpoint}\n${session}`, 'utf8')) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

function checkState({ variants, shadows = [], settings }: EndpointState): void {
  const names = new Set([...variants, ...shadows].map((variant) => variant.name));
  if (variants.length === 0 || names.size !== variants.length + shadows.length) {
    throw new Error('An endpoint needs variants with different names.');
  }
  const problems = [
    ...settingsProblems(
      settings,
      variants.map((variant) => variant.name),
    ),
    ...variants.flatMap((variant) =>
      variant.scaling === undefined ? [] : scalingProblems(variant.scaling),
    ),
  ];
  if (problems.length > 0)
    throw new Error(`The endpoint cannot be set so: ${problems.join('; ')}.`);
  const positive = variants.some((variant) => variant.weight > 0);
  if (!positive || variants.some((v) => !(v.weight >= 0 && Number.isFinite(v.weight)))) {
    throw new Error('The weights of variants must be at least 0, and one of them more.');
  }
}

function recordOf(value: Json | null): EndpointRecord | null {
  if (value === null) return null;
  const whole = isObject(value) && Array.isArray(value.variants) && Array.isArray(value.history);
  if (!whole) throw new Error('The endpoint record is damaged.');
  return value as unknown as EndpointRecord;
}

async function filesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return [];
    throw error;
  }
}
