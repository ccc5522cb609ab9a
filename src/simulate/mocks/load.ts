/** Mocks from a document: AWS's format or ours, with the functions that its rules name. */
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { getOwn, isArray, isObject, type Json } from '../../lib/json.js';
import { isMockConfig, readMockConfig } from './aws-config.js';
import { type ReadPlan, readMockFile } from './file.js';
import { FileProblems } from './problems.js';
import type { MockFunction } from './outcomes.js';

export interface WantedCase {
  /** Name of the machine, for MockConfigFiles. */
  readonly machine: string | null;
  readonly testCase: string | null;
}

/** `path` is the file that the mocks stand in, `pointer` where in it; modules are relative to it. */
export async function loadPlan(
  value: Json,
  path: string,
  wanted: WantedCase,
  pointer = '',
  functions: ReadonlyMap<string, MockFunction> = new Map(),
): Promise<ReadPlan> {
  if (isMockConfig(value)) return readMockConfig(value, path, wanted);
  const found = new Map([...functions, ...(await functionsOf(value, path))]);
  return readMockFile(value, path, found, pointer);
}

/** Functions that the rules name: `name` of the file's `module`, or `./file.js#name`. */
async function functionsOf(value: Json, path: string): Promise<ReadonlyMap<string, MockFunction>> {
  const found = new Map<string, MockFunction>();
  const own = isObject(value) ? getOwn(value, 'module') : undefined;
  if (typeof own === 'string') {
    for (const [name, exported] of Object.entries(await load(own, path))) {
      if (typeof exported === 'function') found.set(name, exported as MockFunction);
    }
  }
  for (const name of functionNames(value)) {
    const hash = name.indexOf('#');
    if (hash < 0) continue;
    const exported = (await load(name.slice(0, hash), path))[name.slice(hash + 1)];
    if (typeof exported === 'function') found.set(name, exported as MockFunction);
  }
  return found;
}

function functionNames(value: Json): readonly string[] {
  if (isArray(value)) return value.flatMap(functionNames);
  if (!isObject(value)) return [];
  const own = getOwn(value, 'function');
  const inner = Object.entries(value).flatMap(([key, member]) =>
    // Results are data: what looks like a rule in them is none.
    key === 'return' || key === 'payload' || key === 'items' ? [] : functionNames(member as Json),
  );
  return typeof own === 'string' ? [own, ...inner] : inner;
}

/** A module that the operator has written beside the file; its code runs in this process. */
async function load(module: string, from: string): Promise<Record<string, unknown>> {
  const file = resolve(dirname(resolve(from)), module);
  try {
    // A changed file is loaded anew: `test --watch` goes on in one process.
    const { mtimeMs } = await stat(file);
    return (await import(`${pathToFileURL(file).href}?v=${mtimeMs}`)) as Record<string, unknown>;
  } catch (error) {
    const message = `The module ${module} cannot be loaded: ${(error as Error).message}`;
    throw new FileProblems(from, [{ pointer: '/module', message, severity: 'error' }]);
  }
}
