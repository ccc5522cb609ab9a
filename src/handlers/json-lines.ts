/** A file of JSON lines that grows at its end: one writer per process, whole lines, synced on request. */
import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Json } from '../lib/json.js';

const writers = new Map<string, Promise<void>>();

/** Appends one line and syncs it; appends to one file happen one after another. */
export function appendLine(path: string, value: Json): Promise<void> {
  const before = writers.get(path) ?? Promise.resolve();
  const done = before.catch(() => {}).then(() => append(path, `${JSON.stringify(value)}\n`));
  writers.set(path, done);
  const forget = (): void => {
    if (writers.get(path) === done) writers.delete(path);
  };
  done.then(forget, forget);
  return done;
}

async function append(path: string, line: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'a');
  try {
    await file.appendFile(line);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** All whole lines; a line that a crash cut short is left out. */
export async function readLines(path: string): Promise<Json[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as Json];
    } catch {
      return [];
    }
  });
}

/** Replaces the file by these lines, at once. */
export async function rewriteLines(path: string, values: readonly Json[]): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, values.map((value) => `${JSON.stringify(value)}\n`).join(''));
  await rename(temporary, path);
}
