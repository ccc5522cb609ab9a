/** Files that people write for tests: YAML or JSON, read as plain JSON; FileProblems say what is wrong. */
import { readFile } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { MAX_JSON_DEPTH } from '../core/limits.js';
import { exceedsDepth, type Json } from '../lib/json.js';
import { FileProblems } from './mocks/problems.js';

/** Our reason: a file is written by hand or recorded from one run. */
const MAX_CHARACTERS = 64 * 1024 * 1024;
const MAX_ALIASES = 1000;

export async function readDocument(path: string, what: string): Promise<Json> {
  const text = await readTextFile(path, what);
  const value = extname(path) === '.json' ? parseJson(text, path) : parseYaml(text, path);
  if (exceedsDepth(value, MAX_JSON_DEPTH)) {
    throw problem(path, `It is nested deeper than ${MAX_JSON_DEPTH} levels.`);
  }
  return value;
}

export async function readTextFile(path: string, what: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(resolve(path), 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw problem(path, code === 'ENOENT' ? `There is no ${what} here.` : message);
  }
  if (text.length > MAX_CHARACTERS) throw problem(path, 'It is larger than 64 MiB.');
  return text;
}

function problem(path: string, message: string): FileProblems {
  return new FileProblems(path, [{ pointer: '', message, severity: 'error' }]);
}

function parseJson(text: string, path: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw problem(path, `It is not JSON: ${(error as Error).message}`);
  }
}

function parseYaml(text: string, path: string): Json {
  const document = parseDocument(text, { prettyErrors: true });
  const [first] = document.errors;
  if (first !== undefined) throw problem(path, `It is not YAML: ${first.message}`);
  try {
    // Through text: what YAML knows and JSON does not (dates, maps with other keys) becomes plain.
    return JSON.parse(
      JSON.stringify(document.toJS({ maxAliasCount: MAX_ALIASES }) ?? null),
    ) as Json;
  } catch (error) {
    throw problem(path, (error as Error).message);
  }
}
