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
}

export interface EndpointSwitch {
  readonly revision: number;
  readonly at: string;
  readonly who: string;
  readonly why: string;
  /** The same key again is the same switch. */
  readonly key: string | null;
  readonly configName: string | null;
  readonly variants: readonly Variant[];
}

export interface EndpointRecord {
  readonly name: string;
  readonly arn: string;
  readonly status: 'InService';
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly configName: string | null;
  readonly variants: readonly Variant[];
  /** Oldest first; the last one is in force. */
  readonly history: readonly EndpointSwitch[];
}

export interface SwitchRequest {
  readonly arn?: string;
  readonly variants: readonly Variant[];
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
      checkVariants(request.variants);
      return withLock(folder, async () => {
        const current = await get(name);
        const done = current?.history.find(
          (item) => item.key !== null && item.key === (request.key ?? null),
        );
        if (current !== null && done !== undefined) return current;
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
  const { variants, who, why } = request;
  const step = { revision, at, who, why, key: request.key ?? null, configName, variants };
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
    variants,
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

function checkVariants(variants: readonly Variant[]): void {
  const names = new Set(variants.map((variant) => variant.name));
  if (variants.length === 0 || names.size !== variants.length) {
    throw new Error('An endpoint needs variants with different names.');
  }
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
