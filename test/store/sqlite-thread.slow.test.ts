/** The real writer thread: what a process owes to it when one of the two ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SqliteStore } from '../../src/store/sqlite.js';
import { WriterThread } from '../../src/store/sqlite-thread.js';
import type { WriteBatch } from '../../src/store/sqlite-writes.js';
import { executionArn } from './fixtures.js';

const OTHER_PROCESS = new URL('./sqlite-other-process.ts', import.meta.url).pathname;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepwell-thread-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('a process that ends without closing its store ends at once, with what it wrote', async () => {
  const path = join(folder, 'a.db');
  const child = spawn(process.execPath, ['--import', 'tsx', OTHER_PROCESS, path, 'end'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, 'close');
  expect(code).toBe(0);
  expect(output).toBe('5 written\n');
  const store = SqliteStore.open(path);
  expect(await store.load(executionArn('end'))).toHaveLength(5);
  await store.close();
});

it('a thread that breaks over a batch says that its outcome is unknown, and so to every later one', async () => {
  const path = join(folder, 'a.db');
  await SqliteStore.open(path).close();
  const thread = new WriterThread({ path, maxPages: null });
  const nonsense = { values: [], starts: null } as unknown as WriteBatch;
  const broken = await thread.write(nonsense);
  expect(broken.outcomes).toBeNull();
  expect(broken.failure).toMatchObject({ name: 'StoreUnavailable', outcomeUnknown: true });
  expect(broken.failure?.message).toMatch(/the thread that writes it has broken/);
  expect(thread.ready).toBe(false);
  expect((await thread.write({ values: [], starts: [] })).failure).toBe(broken.failure);
  await thread.close();
});

it('a thread that cannot open the file is not ready, and closing it does not wait for ever', async () => {
  const thread = new WriterThread({ path: join(folder, 'none', 'a.db'), maxPages: null });
  expect((await thread.write({ values: [], starts: [] })).outcomes).toBeNull();
  expect(thread.ready).toBe(false);
  await thread.close();
});
