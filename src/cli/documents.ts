/** Files that people write for tests: YAML or JSON, read as plain JSON, with the place of a mistake. */
import { extname } from 'node:path';
import { parseDocument } from 'yaml';
import { MAX_JSON_DEPTH } from '../core/limits.js';
import { exceedsDepth, type Json } from '../lib/json.js';
import { readText } from './input.js';
import { Problem } from './problem.js';

/** Our reason: a file is written by hand or recorded from one run. */
const MAX_CHARACTERS = 64 * 1024 * 1024;
const MAX_ALIASES = 1000;

export async function readDocument(path: string, what: string): Promise<Json> {
  const text = await readText(path, what);
  if (text.length > MAX_CHARACTERS) throw new Problem(`${path} is larger than 64 MiB.`);
  const value = extname(path) === '.json' ? parseJson(text, path) : parseYaml(text, path);
  if (exceedsDepth(value, MAX_JSON_DEPTH)) {
    throw new Problem(`${path} is nested deeper than ${MAX_JSON_DEPTH} levels.`);
  }
  return value;
}

function parseJson(text: string, path: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new Problem(`${path} is not JSON: ${(error as Error).message}`);
  }
}

function parseYaml(text: string, path: string): Json {
  const document = parseDocument(text, { prettyErrors: true });
  const [first] = document.errors;
  if (first !== undefined) throw new Problem(`${path} is not YAML: ${first.message}`);
  try {
    // Through text: what YAML knows and JSON does not (dates, maps with other keys) becomes plain.
    return JSON.parse(
      JSON.stringify(document.toJS({ maxAliasCount: MAX_ALIASES }) ?? null),
    ) as Json;
  } catch (error) {
    throw new Problem(`${path} cannot be read: ${(error as Error).message}`);
  }
}
