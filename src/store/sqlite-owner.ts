/**
 * One process drives a store file. Ownership is an operating-system lock held on `PATH.lock` (an
 * empty SQLite file under an exclusive transaction), so a dead owner's lock is gone with its process:
 * no stale pid to judge, no race between two heirs. The owner's pid lies in the store for the message.
 */
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import Database from 'libsql';
import { openDatabase, type SqliteDatabase, sqliteCode, unavailable } from './sqlite-file.js';
import { StoreUnavailable } from './unavailable.js';

export interface Ownership {
  release(): void;
}

/** Becomes the owner of the store at `path`, or throws an error that names the present one. */
export function own(path: string): Ownership {
  const lockPath = `${path}.lock`;
  let lock: SqliteDatabase;
  try {
    mkdirSync(dirname(path), { recursive: true });
    lock = new Database(lockPath);
  } catch (error) {
    throw unavailable(error, path);
  }
  try {
    lock.pragma('journal_mode = MEMORY');
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (/BUSY|LOCKED/.test(sqliteCode(error))) throw new StoreUnavailable(ownedSentence(path));
    throw unavailable(error, lockPath);
  }
  return {
    release: () => {
      lock.exec('ROLLBACK');
      lock.close();
    },
  };
}

/** Writes who owns the store; only after `own`. */
export function signOwner(database: SqliteDatabase): void {
  const owner = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  database
    .prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('owner', ?)")
    .run([JSON.stringify(owner)]);
}

function ownedSentence(path: string): string {
  const owner = readOwner(path);
  const who =
    owner === null
      ? 'another process'
      : owner.pid === process.pid && owner.host === hostname()
        ? `this process (pid ${owner.pid})`
        : `process ${owner.pid} on ${owner.host} (since ${owner.since})`;
  return (
    `The store ${path} is in use by ${who}. One process drives a store: stop that one first, ` +
    'or open the store read-only.'
  );
}

function readOwner(path: string): { pid: number; host: string; since: string } | null {
  try {
    const database = openDatabase(path, true);
    const rows = database.prepare("SELECT value FROM meta WHERE key = 'owner'").all();
    database.close();
    return JSON.parse((rows[0] as { value: string }).value);
  } catch {
    return null; // The owner has not signed yet: the message says "another process".
  }
}
