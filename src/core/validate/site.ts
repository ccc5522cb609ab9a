/**
 * Where validation stands: each state of each scope (a States map) with its language and location.
 * Locations are AWS's: `/States/Name/Branches[0]/States/Inner`, names as written, `/` for the root.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { StateType } from './schemas/index.js';

export type Language = 'JSONPath' | 'JSONata';
export type MachineType = 'STANDARD' | 'EXPRESS';

export interface ScopeSite {
  readonly kind: 'machine' | 'branch' | 'inline' | 'distributed';
  readonly definition: JsonObject;
  /** Location of the object that holds StartAt and States; '' for the machine. */
  readonly at: string;
  /** The Parallel or Map state around this scope. */
  readonly owner: StateSite | null;
  /** What kind of execution runs these states. */
  readonly machineType: MachineType;
  readonly states: readonly StateSite[];
}

export interface StateSite {
  readonly name: string;
  readonly type: StateType;
  readonly state: JsonObject;
  readonly language: Language;
  readonly at: string;
  readonly scope: ScopeSite;
}

export function under(at: string, ...keys: readonly string[]): string {
  return keys.reduce((location, key) => `${location}/${key}`, at);
}

/** How AWS prints the location of an object: the root is `/`. */
export function shown(at: string): string {
  return at === '' ? '/' : at;
}

export function stringIn(object: JsonObject, key: string): string | undefined {
  const value = getOwn(object, key);
  return typeof value === 'string' ? value : undefined;
}

export function numberIn(object: JsonObject, key: string): number | undefined {
  const value = getOwn(object, key);
  return typeof value === 'number' ? value : undefined;
}

export function objectIn(object: JsonObject, key: string): JsonObject | undefined {
  const value = getOwn(object, key);
  return isObject(value) ? value : undefined;
}

export interface Item {
  readonly item: JsonObject;
  readonly at: string;
}

/** The objects of a list field with their locations; anything else in it is passed over. */
export function objectsIn(object: JsonObject, key: string, at: string): readonly Item[] {
  const list = getOwn(object, key);
  if (!isArray(list)) return [];
  return list.flatMap((item, i) => (isObject(item) ? [{ item, at: `${at}/${key}[${i}]` }] : []));
}

export function stringsIn(object: JsonObject, key: string): readonly string[] {
  const list = getOwn(object, key);
  return isArray(list) ? list.filter((item): item is string => typeof item === 'string') : [];
}

export interface Leaf {
  readonly value: string;
  readonly at: string;
}

/** Every string below a value, with its location; keys as written, indexes as `[i]`. */
export function leaves(value: Json, at: string, found: Leaf[] = []): readonly Leaf[] {
  if (typeof value === 'string') found.push({ value, at });
  else if (isArray(value)) {
    value.forEach((item, i) => {
      leaves(item, `${at}[${i}]`, found);
    });
  } else if (isObject(value)) {
    for (const key of Object.keys(value)) leaves(value[key] as Json, `${at}/${key}`, found);
  }
  return found;
}
