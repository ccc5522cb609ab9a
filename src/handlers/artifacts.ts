/**
 * Content-addressed artifacts on disk: `ROOT/sha256/<first two>/<hex>/<name>`. A write goes to a
 * temporary name, is synced and renamed, so an address either holds the whole content or nothing, and
 * two writers of the same content end with one copy.
 */
import { createHash, randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import {
  chmod,
  copyFile,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ArtifactRef, type ArtifactStore, TaskFailure } from './handler.js';

export const ARTIFACTS_NOT_FOUND = 'Artifacts.NotFound';
const ADDRESS = /^artifact:\/\/sha256\/([0-9a-f]{64})((?:\/[^/\\\0]+)*)$/;
const READ_ONLY = 0o444;

export function createArtifactStore(root: string): ArtifactStore {
  const temporary = async (): Promise<string> => {
    const folder = join(root, 'incoming');
    await mkdir(folder, { recursive: true });
    return join(folder, randomUUID());
  };
  return {
    root,
    put: async (content, { name }) => {
      const incoming = await temporary();
      try {
        const written = await writeHashed(incoming, content);
        await settle(incoming, placeOf(root, written.sha256), safeName(name));
        return refOf(written.sha256, safeName(name), written.bytes);
      } finally {
        await rm(incoming, { force: true });
      }
    },
    putFolder: async (folder, { name }) => {
      const incoming = await temporary();
      try {
        const copied = await copyHashed(folder, incoming);
        await settle(incoming, placeOf(root, copied.sha256), safeName(name));
        return refOf(copied.sha256, safeName(name), copied.bytes);
      } finally {
        await rm(incoming, { recursive: true, force: true });
      }
    },
    path: (uri) => locate(root, uri),
  };
}

function refOf(sha256: string, name: string, bytes: number): ArtifactRef {
  return { uri: `artifact://sha256/${sha256}/${name}`, sha256, bytes };
}

function placeOf(root: string, sha256: string): string {
  return join(root, 'sha256', sha256.slice(0, 2), sha256);
}

interface Written {
  readonly sha256: string;
  readonly bytes: number;
}

async function writeHashed(
  path: string,
  content: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<Written> {
  const hash = createHash('sha256');
  let bytes = 0;
  const file = await open(path, 'wx');
  try {
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      hash.update(chunk);
      bytes += chunk.length;
      await writeAll(file, chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(path, READ_ONLY);
  return { sha256: hash.digest('hex'), bytes };
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    at += (await file.write(chunk, at)).bytesWritten;
  }
}

/**
 * Copies first and hashes the copy: what is addressed is what lies there. The hash covers the sorted
 * list of relative path, size and hash of each file.
 */
async function copyHashed(from: string, to: string): Promise<Written> {
  const files = await copyTree(from, to, '');
  const hash = createHash('sha256');
  let bytes = 0;
  for (const path of files.sort(byCodeUnit)) {
    const { sha256, bytes: size } = await hashFile(join(to, path));
    hash.update(`${JSON.stringify(path)} ${size} ${sha256}\n`);
    bytes += size;
  }
  return { sha256: hash.digest('hex'), bytes };
}

async function copyTree(from: string, to: string, prefix: string): Promise<string[]> {
  await mkdir(join(to, prefix), { recursive: true });
  const files: string[] = [];
  for (const entry of await readdir(join(from, prefix), { withFileTypes: true })) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) files.push(...(await copyTree(from, to, path)));
    else if (entry.isFile()) {
      await copyFile(join(from, path), join(to, path), constants.COPYFILE_FICLONE);
      await syncAndFreeze(join(to, path));
      files.push(path);
    } else {
      throw new TaskFailure(
        'Artifacts.Refused',
        `${path} is a link or device; an artifact holds files and folders only.`,
      );
    }
  }
  await syncFolder(join(to, prefix));
  return files;
}

async function syncAndFreeze(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
    await file.chmod(READ_ONLY);
  } finally {
    await file.close();
  }
}

async function hashFile(path: string): Promise<Written> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

/** Moves the finished content to its address; whoever comes second finds it there. */
async function settle(incoming: string, place: string, name: string): Promise<void> {
  await mkdir(place, { recursive: true });
  const [present] = await readdir(place);
  const target = join(place, name);
  if (present === name) return;
  if (present !== undefined && (await lstat(join(place, present))).isFile()) {
    await link(join(place, present), target).catch(ignoreExisting);
  } else {
    await rename(incoming, target).catch(ignoreExisting);
  }
  await syncFolder(place);
  await syncFolder(dirname(place));
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST' && error.code !== 'ENOTEMPTY') throw error;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function locate(root: string, uri: string): Promise<string> {
  const match = ADDRESS.exec(uri);
  const segments = (match?.[2] ?? '').split('/').slice(1);
  if (match === null || segments.some((segment) => segment === '.' || segment === '..')) {
    throw new TaskFailure(
      ARTIFACTS_NOT_FOUND,
      `"${uri}" is no artifact address; it looks like artifact://sha256/<64 hex digits>/<name>.`,
    );
  }
  const place = placeOf(root, match[1] as string);
  const names = segments.length > 0 ? segments : (await namesIn(place)).slice(0, 1);
  const path = join(place, ...names);
  const found = names.length > 0 && (await lstat(path).catch(() => null)) !== null;
  if (found) return path;
  throw new TaskFailure(
    ARTIFACTS_NOT_FOUND,
    `There is no artifact ${uri} under ${root}. It was made elsewhere, or removed.`,
  );
}

async function namesIn(place: string): Promise<string[]> {
  return readdir(place).catch(() => []);
}

/** One path segment that any file system takes; the name is for people, the hash is the identity. */
function safeName(name: string): string {
  const plain = name
    .replaceAll(/[^\w.-]+/g, '_')
    .replace(/^\.+/, '')
    .slice(0, 100);
  return plain === '' ? 'content' : plain;
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
