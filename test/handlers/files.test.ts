import { execFileSync } from 'node:child_process';
import { link, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/handlers/config/load.js';
import {
  createGuardedFiles,
  FILES_NOT_FOUND,
  FILES_REFUSED,
  filesOf,
} from '../../src/handlers/files.js';
import type { GuardedFiles } from '../../src/handlers/handler.js';
import { failureOf } from './world.js';

let top: string;
let root: string;
let files: GuardedFiles;
beforeEach(async () => {
  top = await realpath(await mkdtemp(join(tmpdir(), 'stepwell-files-')));
  root = join(top, 'root');
  await mkdir(join(root, 'sub'), { recursive: true });
  await mkdir(join(top, 'root-sibling'));
  await writeFile(join(root, 'a.txt'), 'a');
  await writeFile(join(top, 'outside.txt'), 'o');
  await writeFile(join(top, 'root-sibling', 's.txt'), 's');
  await symlink(join(top, 'outside.txt'), join(root, 'escape.txt'));
  await symlink(top, join(root, 'escape'));
  await symlink(join(root, 'a.txt'), join(root, 'sub', 'inner.txt'));
  await symlink(join(top, 'nowhere'), join(root, 'dangling'));
  await link(join(top, 'outside.txt'), join(root, 'hard.txt'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  files = createGuardedFiles({ roots: [root], base: root });
});
afterEach(() => rm(top, { recursive: true, force: true }));

describe('reading', () => {
  it('files and folders inside a root may be read, also through links that stay inside', async () => {
    expect(await files.resolveReadable('a.txt')).toBe(join(root, 'a.txt'));
    expect(await files.resolveReadable('./sub/../a.txt')).toBe(join(root, 'a.txt'));
    expect(await files.resolveReadable(join(root, 'a.txt'))).toBe(join(root, 'a.txt'));
    expect(await files.resolveReadable('sub/inner.txt')).toBe(join(root, 'a.txt'));
    expect(await files.resolveReadable('sub')).toBe(join(root, 'sub'));
    expect(await files.resolveReadable('.')).toBe(root);
  });

  it.each([
    ['..', FILES_REFUSED],
    ['../outside.txt', FILES_REFUSED],
    ['sub/../../outside.txt', FILES_REFUSED],
    ['../root-sibling/s.txt', FILES_REFUSED],
    ['/etc/passwd', FILES_REFUSED],
    ['/proc/self/environ', FILES_REFUSED],
    ['/dev/zero', FILES_REFUSED],
    ['escape.txt', FILES_REFUSED],
    ['escape/outside.txt', FILES_REFUSED],
    ['pipe', FILES_REFUSED],
    ['a.txt\0.png', FILES_REFUSED],
    ['dangling', FILES_NOT_FOUND],
    ['absent.txt', FILES_NOT_FOUND],
    ['a.txt/b', FILES_NOT_FOUND],
    ['', FILES_NOT_FOUND],
    ['..%2foutside.txt', FILES_NOT_FOUND],
    ['..\\outside.txt', FILES_NOT_FOUND],
    ['file:///etc/passwd', FILES_NOT_FOUND],
  ])('%j is refused', async (path, error) => {
    expect((await failureOf(files.resolveReadable(path))).error).toBe(error);
  });

  it('the refusal names the roots and the line to add', async () => {
    const { reason } = await failureOf(files.resolveReadable('/etc/passwd'));
    expect(reason).toContain(root);
    expect(reason).toContain('"files": {"roots"');
  });
});

describe('writing', () => {
  it('new files may be written; parent folders are made', async () => {
    const path = await files.resolveWritable('new/deep/file.txt');
    await writeFile(path, 'x');
    expect(await files.resolveReadable('new/deep/file.txt')).toBe(path);
    expect(await files.resolveWritable('a.txt')).toBe(join(root, 'a.txt'));
    expect(await files.resolveWritable('sub/inner.txt')).toBe(join(root, 'a.txt'));
  });

  it.each([
    '../new.txt',
    '/tmp/x.txt',
    'escape.txt',
    'escape/new.txt',
    'escape/new/deep.txt',
    'dangling',
    'dangling/x',
    'hard.txt',
    'pipe',
    'x\0y',
    'a.txt/b',
  ])('%j is refused and nothing is made outside', async (path) => {
    expect((await failureOf(files.resolveWritable(path))).error).toBe(FILES_REFUSED);
    await expect(realpath(join(top, 'new'))).rejects.toThrow();
  });
});

describe('what Stepwell lives from', () => {
  it('is closed even inside a root: state, secrets, and writing to functions, configuration, artifacts', async () => {
    const config = parseConfig(
      { functions: { f: './a.txt#x.js' }, secrets: { s: { file: 'sub/secret' } } },
      { path: join(root, 'stepwell.config.json'), base: root },
    );
    await mkdir(join(root, '.stepwell', 'artifacts'), { recursive: true });
    for (const name of ['.stepwell/stepwell.db', 'stepwell.config.json', 'sub/secret']) {
      await writeFile(join(root, name), '{}');
    }
    await writeFile(join(root, '.stepwell', 'artifacts', 'model'), 'm');
    const guard = filesOf(config);
    await failureOf(guard.resolveReadable('.stepwell/stepwell.db'));
    await failureOf(guard.resolveReadable('sub/secret'));
    for (const name of ['.stepwell/x', 'stepwell.config.json', '.stepwell/artifacts/x', 'a.txt']) {
      await failureOf(guard.resolveWritable(name));
    }
    expect(await guard.resolveReadable('.stepwell/artifacts/model')).toMatch(/model$/);
    expect(await guard.resolveReadable('a.txt')).toBe(join(root, 'a.txt'));
  });
});
