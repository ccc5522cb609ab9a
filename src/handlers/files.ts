/**
 * Paths that machines may use: inside the configured roots after every symbolic link is followed,
 * regular files and folders only. What Stepwell itself lives from (its state folder, the
 * configuration, the code of functions) is out of reach even when it lies inside a root.
 */
import type { Stats } from 'node:fs';
import { lstat, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Config } from './config/config.js';
import { type GuardedFiles, TaskFailure } from './handler.js';

export const FILES_REFUSED = 'Files.Refused';
export const FILES_NOT_FOUND = 'Files.NotFound';

export interface GuardedFilesOptions {
  readonly roots: readonly string[];
  /** Relative paths refer to it. */
  readonly base: string;
  /** Neither read nor written. */
  readonly hidden?: readonly string[];
  /** Read but not written. */
  readonly frozen?: readonly string[];
}

/** The guard that a configuration describes. */
export function filesOf(config: Config): GuardedFiles {
  const functionFiles = [...config.functions.values()].flatMap((target) =>
    target.kind === 'module' ? [target.file] : [],
  );
  const secretFiles = [...config.secrets.values()].flatMap((source) =>
    source.from === 'file' ? [source.path] : [],
  );
  return createGuardedFiles({
    roots: [...config.files.roots, config.artifacts],
    base: config.base,
    hidden: [config.stateFolder, ...secretFiles],
    frozen: [config.artifacts, ...functionFiles, ...(config.path === null ? [] : [config.path])],
  });
}

export function createGuardedFiles(options: GuardedFilesOptions): GuardedFiles {
  const { base, roots, hidden = [], frozen = [] } = options;
  const judge = async (path: string, real: string, writing: boolean): Promise<void> => {
    if (!(await Promise.all(roots.map(real_))).some((root) => isInside(real, root))) {
      throw new TaskFailure(
        FILES_REFUSED,
        `${path} lies outside the folders that machines may use (${roots.join(', ')}). To allow ` +
          `its folder add it to "files": {"roots": […]} in stepwell.config.json.`,
      );
    }
    const frozenReal = await Promise.all(frozen.map(real_));
    const hiddenReal = await Promise.all(hidden.map(real_));
    const isFrozen = frozenReal.some((place) => isInside(real, place));
    if (isFrozen ? writing : hiddenReal.some((place) => isInside(real, place))) {
      throw new TaskFailure(
        FILES_REFUSED,
        `${path} belongs to Stepwell itself and is kept closed.`,
      );
    }
  };
  return {
    resolveReadable: async (path) => {
      const wanted = absolute(path, base);
      const real = await realpath(wanted).catch((error) => {
        throw notFound(path, error);
      });
      await judge(path, real, false);
      assertOrdinary(path, await stat(real));
      return real;
    },
    resolveWritable: async (path) => {
      const wanted = absolute(path, base);
      const target = await realTarget(wanted);
      await judge(path, target, true);
      await mkdir(dirname(target), { recursive: true });
      const real = join(await realpath(dirname(target)), relative(dirname(target), target));
      await judge(path, real, true); // A link may have been put there in between.
      const existing = await lstat(real).catch(() => null);
      if (existing === null) return real;
      if (existing.isSymbolicLink()) throw refusedKind(path, 'a symbolic link');
      assertOrdinary(path, existing);
      if (existing.isFile() && existing.nlink > 1) throw refusedKind(path, 'a file with two names');
      return real;
    },
  };
}

function absolute(path: string, base: string): string {
  if (path.includes('\0')) throw new TaskFailure(FILES_REFUSED, 'A path contains a NUL character.');
  if (path === '') throw new TaskFailure(FILES_NOT_FOUND, 'The path is empty.');
  return resolve(base, path);
}

/** The real place of a path that need not exist: its deepest existing ancestor, followed, and the rest. */
async function realTarget(wanted: string): Promise<string> {
  for (let ancestor = wanted; ; ancestor = dirname(ancestor)) {
    const real = await realpath(ancestor).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw new TaskFailure(FILES_REFUSED, `${wanted} cannot be used: ${error.code}.`);
    });
    if (real !== null) return join(real, relative(ancestor, wanted));
    const link = await lstat(ancestor).catch(() => null);
    if (link !== null) throw refusedKind(ancestor, 'a symbolic link that leads nowhere');
  }
}

/** A configured folder may itself be a link, or not exist yet. */
async function real_(path: string): Promise<string> {
  return realTarget(path).catch(() => path);
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

function assertOrdinary(path: string, stats: Stats): void {
  if (!stats.isFile() && !stats.isDirectory()) throw refusedKind(path, 'a device, pipe or socket');
}

function refusedKind(path: string, kind: string): TaskFailure {
  return new TaskFailure(FILES_REFUSED, `${path} is ${kind}.`);
}

function notFound(path: string, error: NodeJS.ErrnoException): TaskFailure {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    return new TaskFailure(FILES_NOT_FOUND, `There is no file or folder ${path}.`);
  }
  return new TaskFailure(FILES_REFUSED, `${path} cannot be read: ${error.code ?? error.message}.`);
}
