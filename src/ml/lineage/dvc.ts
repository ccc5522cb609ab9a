/**
 * Datasets and artifacts as DVC 3 knows them: content by MD5 in the cache layout `files/md5/ab/cd…`, a
 * `.dvc` file per path, and `dvc.lock` with a stage per step. A folder's hash is the MD5 of the JSON list
 * of its files, sorted by path, as Python's `json.dumps(…, sort_keys=True)` writes it, plus `.dir`.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { parse, stringify } from 'yaml';
import { DataFailure } from '../data/data-failure.js';

export interface DvcOut {
  readonly md5: string;
  readonly size: number;
  /** Of a folder. */
  readonly nfiles?: number;
  readonly hash: 'md5';
  readonly path: string;
}

interface Listed {
  readonly md5: string;
  readonly relpath: string;
}

/** Hash and size of a file or folder, as a `.dvc` file says them; `path` is the name it gets there. */
export async function dvcOut(source: string, path: string): Promise<DvcOut> {
  const { isFolder, files, size } = await contents(source);
  if (!isFolder) return { md5: (files[0] as Listed).md5, size, hash: 'md5', path };
  const md5 = `${md5Of(folderListing(files))}.dir`;
  return { md5, size, nfiles: files.length, hash: 'md5', path };
}

/** The file that stands for a folder in the cache. Non-ASCII is escaped, as Python does by default. */
export function folderListing(files: readonly Listed[]): string {
  const sorted = [...files].sort((a, b) => compare(a.relpath, b.relpath));
  const items = sorted.map(
    ({ md5, relpath }) => `{"md5": "${md5}", "relpath": ${pythonText(relpath)}}`,
  );
  return `[${items.join(', ')}]`;
}

/** By code points, as Python compares; UTF-16 would put some letters elsewhere. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function pythonText(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Copies the content into a DVC cache (`.dvc/cache`); what is there already stays. */
export async function dvcCache(source: string, cache: string): Promise<void> {
  const { isFolder, files } = await contents(source);
  for (const { md5, relpath } of files) {
    await copied(isFolder ? join(source, ...relpath.split('/')) : source, place(cache, md5));
  }
  if (!isFolder) return;
  const listing = folderListing(files);
  const target = place(cache, `${md5Of(listing)}.dir`);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, listing);
}

export function place(cache: string, md5: string): string {
  return join(cache, 'files', 'md5', md5.slice(0, 2), md5.slice(2));
}

async function copied(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const isThere = (await stat(to).catch(() => null)) !== null;
  if (!isThere) await copyFile(from, to);
}

async function contents(source: string) {
  const found = await stat(source);
  if (!found.isDirectory()) {
    const files: Listed[] = [{ md5: await fileMd5(source), relpath: basename(source) }];
    return { isFolder: false, files, size: found.size };
  }
  const files: Listed[] = [];
  let size = 0;
  for (const name of await readdir(source, { recursive: true })) {
    const path = join(source, name);
    const file = await stat(path);
    if (!file.isFile()) continue;
    files.push({ md5: await fileMd5(path), relpath: name.split(sep).join('/') });
    size += file.size;
  }
  return { isFolder: true, files, size };
}

async function fileMd5(path: string): Promise<string> {
  const hash = createHash('md5');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function md5Of(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

/** The text of `<path>.dvc`. */
export function dvcFile(out: DvcOut): string {
  return stringify({ outs: [{ ...out, path: basename(out.path) }] });
}

export interface DvcStage {
  readonly name: string;
  readonly cmd: string;
  readonly deps: readonly DvcOut[];
  readonly outs: readonly DvcOut[];
}

/** `dvc.lock`, and the `dvc.yaml` that it belongs to. */
export function dvcPipeline(stages: readonly DvcStage[]): {
  readonly lock: string;
  readonly yaml: string;
} {
  const locked = stages.map(({ name, cmd, deps, outs }) => [
    name,
    { cmd, deps: deps.map(inLock), outs: outs.map(inLock) },
  ]);
  const declared = stages.map(({ name, cmd, deps, outs }) => [
    name,
    { cmd, deps: deps.map((one) => one.path), outs: outs.map((one) => one.path) },
  ]);
  return {
    lock: stringify({ schema: '2.0', stages: Object.fromEntries(locked) }),
    yaml: stringify({ stages: Object.fromEntries(declared) }),
  };
}

/** In a lock the path comes first. */
function inLock({ path, hash, md5, size, nfiles }: DvcOut) {
  return { path, hash, md5, size, ...(nfiles === undefined ? {} : { nfiles }) };
}

/** What a `.dvc` file points at; throws `Dvc.BadFile` for anything else. */
export async function readDvc(path: string): Promise<DvcOut> {
  const value: unknown = parse(await readFile(path, 'utf8'));
  const outs = (value as { readonly outs?: unknown } | null)?.outs;
  const [out] = Array.isArray(outs) ? (outs as readonly Partial<DvcOut>[]) : [];
  const isKnown = typeof out?.md5 === 'string' && /^[0-9a-f]{32}(\.dir)?$/.test(out.md5);
  if (isKnown && typeof out.path === 'string') {
    return { ...out, hash: 'md5', size: Number(out.size ?? 0) } as DvcOut;
  }
  throw new DataFailure('Dvc.BadFile', `${path}: needs "outs" with "md5" and "path".`);
}
