/**
 * Results of tasks by what went into them: handler and version, parameters, contents of inputs (never
 * their paths). What was asked last time for the same state is kept beside, so that a miss can say what
 * changed. Pure data on disk: one JSON file an entry, written atomically.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../lib/digest.js';
import { canonicalJson, isArray, isObject, type Json, type JsonObject } from '../lib/json.js';
import { readJsonIfPresent, replaceFile } from './registry/files.js';

export interface CacheQuestion {
  readonly resource: string;
  /** Of the handler: another one may compute something else. */
  readonly version: string;
  /** Parameters with every address replaced by the hash of its content. */
  readonly inputs: JsonObject;
  /** Names the state that asks, for the reason of a miss. */
  readonly place: string;
}

export interface CachedResult {
  readonly output: Json;
  readonly at: number;
  /** The execution that computed it. */
  readonly by: string;
}

export type CacheAnswer =
  | { readonly hit: true; readonly key: string; readonly result: CachedResult }
  | { readonly hit: false; readonly key: string; readonly reasons: readonly string[] };

export interface ResultCache {
  ask(question: CacheQuestion, maxAgeMs: number | null): Promise<CacheAnswer>;
  keep(question: CacheQuestion, result: CachedResult): Promise<void>;
  /** Forgets an entry whose artifacts are gone. */
  forget(key: string): Promise<void>;
}

const ENTRIES_MAX = 10_000;
const REASONS_MAX = 10;

export function openResultCache(folder: string, now: () => number = Date.now): ResultCache {
  const entryOf = (key: string) => join(folder, 'results', `${key}.json`);
  const lastOf = (question: CacheQuestion) =>
    join(folder, 'last', `${sha256(`${question.resource}\n${question.place}`)}.json`);
  let kept = 0;
  return {
    async ask(question, maxAgeMs) {
      const key = keyOf(question);
      const entry = await readJsonIfPresent(entryOf(key));
      if (isObject(entry ?? undefined)) {
        const result = entry as unknown as CachedResult;
        const age = now() - result.at;
        if (maxAgeMs === null || age <= maxAgeMs) return { hit: true, key, result };
        const seconds = [age, maxAgeMs].map((ms) => Math.round(ms / 1000));
        return {
          hit: false,
          key,
          reasons: [`the result is ${seconds[0]} s old, more than ${seconds[1]} s`],
        };
      }
      const last = (await readJsonIfPresent(lastOf(question))) as JsonObject | null;
      return { hit: false, key, reasons: reasonsOf(last, question) };
    },
    async keep(question, result) {
      await mkdir(join(folder, 'results'), { recursive: true });
      await mkdir(join(folder, 'last'), { recursive: true });
      await replaceFile(entryOf(keyOf(question)), JSON.stringify(result));
      const { version, inputs } = question;
      await replaceFile(lastOf(question), JSON.stringify({ version, inputs }));
      if (kept++ % 100 === 0) await prune(join(folder, 'results'));
    },
    forget: (key) => rm(entryOf(key), { force: true }),
  };
}

function keyOf({ resource, version, inputs }: CacheQuestion): string {
  return sha256(canonicalJson({ resource, version, inputs }));
}

/** What differs from the last time, `parameter: before -> now`. */
function reasonsOf(last: JsonObject | null, { version, inputs }: CacheQuestion): readonly string[] {
  if (last === null) return ['nothing was cached for this state yet'];
  const before = leavesOf({ version: last.version ?? null, ...(last.inputs as JsonObject) });
  const now = leavesOf({ version, ...inputs });
  const names = [...new Set([...before.keys(), ...now.keys()])];
  const changed = names.filter((name) => before.get(name) !== now.get(name));
  const told = changed
    .slice(0, REASONS_MAX)
    .map((name) => `${name}: ${before.get(name) ?? '(absent)'} → ${now.get(name) ?? '(absent)'}`);
  if (changed.length > REASONS_MAX) told.push(`and ${changed.length - REASONS_MAX} more`);
  return told.length > 0 ? told : ['the cached result was removed'];
}

const LEAF_MAX = 80;

function leavesOf(value: Json): ReadonlyMap<string, string> {
  const leaves = new Map<string, string>();
  const visit = (item: Json, name: string): void => {
    if (isObject(item) && Object.keys(item).length > 0) {
      for (const [key, part] of Object.entries(item))
        visit(part, name === '' ? key : `${name}.${key}`);
    } else if (isArray(item) && item.length > 0) {
      for (const [i, part] of item.entries()) visit(part, `${name}[${i}]`);
    } else {
      const text = JSON.stringify(item);
      // A long text that changed in its middle must not look the same before and after.
      const hash = sha256(text).slice(0, 8);
      leaves.set(name, text.length > LEAF_MAX ? `${text.slice(0, LEAF_MAX)}… (${hash})` : text);
    }
  };
  visit(value, '');
  return leaves;
}

/** The oldest go when there are too many. */
async function prune(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.length <= ENTRIES_MAX) return;
  const aged = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })),
  );
  aged.sort((a, b) => a.at - b.at);
  for (const { name } of aged.slice(0, names.length - ENTRIES_MAX))
    await rm(join(folder, name), { force: true });
}
