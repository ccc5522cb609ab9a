/** Scenario files below the given folders: `*.test.yaml`, `*.test.yml`, `*.test.json`. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '../problem.js';

const SCENARIOS = /\.test\.(ya?ml|json)$/;
/** Our reason: a folder that holds more is not one of tests. */
const MAX_FILES = 5_000;
const MAX_DEPTH = 20;

export async function findScenarioFiles(paths: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const info = await stat(path).catch(() => null);
    if (info === null)
      throw new Problem(`There is nothing at ${path}.`, 'Name files or folders with *.test.yaml.');
    if (info.isDirectory()) await walk(path, 0, found);
    else found.push(path);
  }
  const unique = [...new Set(found)].sort();
  if (unique.length === 0) {
    throw new Problem(
      `There are no scenario files in ${paths.join(', ')}.`,
      'They end in .test.yaml or .test.json; docs/testing.md shows how they look.',
    );
  }
  return unique;
}

async function walk(folder: string, depth: number, found: string[]): Promise<void> {
  if (depth > MAX_DEPTH) return;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await walk(path, depth + 1, found);
    else if (SCENARIOS.test(entry.name)) found.push(path);
    if (found.length > MAX_FILES) throw new Problem(`More than ${MAX_FILES} scenario files.`);
  }
}
