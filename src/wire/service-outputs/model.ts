/**
 * What the services' models say of their answers, one file per service, read when first needed.
 * `scripts/service-outputs.py` writes the files and says what a shape means.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Lowest and highest, null: none. */
export type Bounds = readonly [number | null, number | null];

export type PlainShape = 'any' | 'string' | 'number' | 'boolean';
export type BoundedShape =
  | { readonly string: Bounds }
  | { readonly blob: Bounds }
  | { readonly number: Bounds }
  | { readonly enum: readonly string[] };
export interface ObjectShape {
  readonly object: { readonly [member: string]: number };
  readonly required?: readonly string[];
}
export type Shape =
  | PlainShape
  | BoundedShape
  | ObjectShape
  | { readonly array: number }
  | { readonly map: number };

export interface Model {
  /** Index of the shape of each action's result; actions without a result are absent. */
  readonly operations: { readonly [action: string]: number };
  readonly shapes: readonly Shape[];
}

/** The package's folder, from `src/` and from `dist/` alike. */
const FOLDER = new URL('../../../schemas/service-outputs/', import.meta.url);

/** At most one entry per file of the folder: names without a file are never kept. */
const models = new Map<string, Model>();
let known: ReadonlySet<string> | null = null;

/** The model of a service as Step Functions names it (`sfn`, `cloudwatchlogs`), or null. */
export function loadModel(service: string): Model | null {
  const loaded = models.get(service);
  if (loaded !== undefined) return loaded;
  // The name comes from a definition: it is looked up in a list, never made into a path unseen.
  known ??= new Set(readdirSync(FOLDER));
  const file = `${service}.json`;
  if (!known.has(file)) return null;
  const model = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Model;
  models.set(service, model);
  return model;
}
