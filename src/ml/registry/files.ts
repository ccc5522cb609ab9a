/**
 * Durable files shared by several processes: an exclusive lock, atomic replacement, durable append.
 * The lock is an SQLite write lock (fcntl), so the system frees it when its holder dies: there is no
 * stale lock file to guess about. It must not be held over anything slow (training, a child's start).
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../../lib/json.js';
import { LOCK_RETRY_MS, LOCK_WAIT_MS } from './limits.js';

interface LockDatabase {
  exec(sql: string): void;
  close(): void;
}
type LockDatabaseConstructor = new (path: string, options: { timeout: number }) => LockDatabase;

const waiting = new Map<string, Promise<void>>();

/** Runs `work` while no other process, and no other call in this one, holds the folder's lock. */
export async function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'lock.db');
  const before = waiting.get(path) ?? Promise.resolve();
  let release = (): void => undefined;
  const mine = new Promise<void>((resolve) => {
    release = resolve;
  });
  const tail = before.then(() => mine);
  waiting.set(path, tail);
  await before;
  try {
    const database = await lockDatabase(path);
    try {
      return await work();
    } finally {
      database.exec('ROLLBACK');
      database.close();
    }
  } finally {
    release();
    if (waiting.get(path) === tail) waiting.delete(path);
  }
}

async function lockDatabase(path: string): Promise<LockDatabase> {
  const Database = createRequire(import.meta.url)('libsql') as LockDatabaseConstructor;
  const deadline = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    let database: LockDatabase | null = null;
    try {
      database = new Database(path, { timeout: 0 });
      database.exec('BEGIN EXCLUSIVE');
      return database;
    } catch (error) {
      database?.close();
      const busy = /SQLITE_BUSY|database is locked/.test(`${codeOf(error)} ${String(error)}`);
      if (!busy) throw error;
      if (Date.now() > deadline) {
        throw new Error(`Another process has held ${path} for ${LOCK_WAIT_MS} ms.`);
      }
      await sleep(LOCK_RETRY_MS);
    }
  }
}

/** Replaces a file in one step: a reader sees the old text or the new one, also after a crash. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2, 10)}.tmp`;
  try {
    await writeDurably(temporary, 'wx', text);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Appends text and waits until it is on disk. */
export async function appendDurably(path: string, text: string): Promise<void> {
  await writeDurably(path, 'a', text);
}

async function writeDurably(path: string, flag: 'a' | 'wx', text: string): Promise<void> {
  const file = await open(path, flag, 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes a rename or a new file in the folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The bytes of a file, or null when there is none. */
export async function readBytesIfPresent(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** The JSON in a file, or null when there is no such file. */
export async function readJsonIfPresent(path: string): Promise<Json | null> {
  const bytes = await readBytesIfPresent(path);
  if (bytes === null) return null;
  try {
    return JSON.parse(bytes.toString('utf8')) as Json;
  } catch (error) {
    throw new Error(`${path} holds no valid JSON: ${(error as Error).message}`);
  }
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
