/**
 * A SQLite file opened the way durability needs it (WAL, synchronous=FULL), its schema and version,
 * and the translation of SQLite's errors into StoreUnavailable with a sentence that helps.
 */
import { existsSync } from 'node:fs';
import Database from 'libsql';
import { StoreUnavailable } from './unavailable.js';

export type SqliteDatabase = InstanceType<typeof Database>;

/** The part of a prepared statement that is used; values are bound as one list. */
export interface SqliteStatement {
  run(values: readonly SqlValue[]): { readonly changes: number; readonly lastInsertRowid: unknown };
  all(values: readonly SqlValue[]): unknown[];
}

export type SqlValue = string | number | null;

/** Raised only when an older Stepwell could not read the file any more. */
export const SCHEMA_VERSION = 1;
/** How long to wait for another SQLite tool that holds the write lock for a moment. */
const BUSY_TIMEOUT_MS = 5_000;
/** A commit's facts fill a page better than one of 4 KiB: half the writes to the log. */
const PAGE_BYTES = 8_192;
/** 32 MiB of log before it is folded back into the main file: fewer, larger writes. */
const CHECKPOINT_PAGES = 4_000;
const CACHE_KIB = 65_536;
/** `synchronous` = FULL: the log is synced at every commit. */
const FULL = 2;

/** `commits` holds the journal, one row per commit; the view `history` shows one row per fact. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS executions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  arn TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  state_machine_arn TEXT NOT NULL,
  state_machine_version_arn TEXT,
  state_machine_alias_arn TEXT,
  map_run_arn TEXT,
  status TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  stopped_at INTEGER,
  redrive_count INTEGER NOT NULL,
  redriven_at INTEGER,
  details TEXT NOT NULL,
  last_seq INTEGER NOT NULL,
  digest TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS executions_newest ON executions (started_at, id);
CREATE INDEX IF NOT EXISTS executions_by_machine
  ON executions (state_machine_arn, status, started_at, id);
CREATE INDEX IF NOT EXISTS executions_by_map_run ON executions (map_run_arn, started_at, id)
  WHERE map_run_arn IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_running ON executions (id) WHERE status = 'RUNNING';
CREATE TABLE IF NOT EXISTS commits (
  id INTEGER PRIMARY KEY,
  execution_id INTEGER NOT NULL,
  after INTEGER NOT NULL,
  count INTEGER NOT NULL,
  digest TEXT NOT NULL,
  facts TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS commits_by_execution ON commits (execution_id);
CREATE TABLE IF NOT EXISTS timers (
  execution_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  PRIMARY KEY (execution_id, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS timers_due ON timers (due_at);
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  execution_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  effect TEXT NOT NULL,
  UNIQUE (execution_id, key)
);
CREATE TABLE IF NOT EXISTS documents (
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS history AS
  SELECT e.name AS execution,
         fact.value ->> 'seq' AS seq,
         strftime('%Y-%m-%dT%H:%M:%fZ', (fact.value ->> 'at') / 1000.0, 'unixepoch') AS at,
         fact.value ->> 'type' AS type,
         fact.value AS fact,
         e.arn AS arn
  FROM executions e
  JOIN commits c ON c.execution_id = e.id
  JOIN json_each(c.facts) AS fact
  ORDER BY e.id, c.id, fact.id;
`;

/** Opens (and unless `readOnly` creates) the file, and checks that this program understands it. */
export function openDatabase(path: string, readOnly: boolean): SqliteDatabase {
  if (readOnly && !existsSync(path)) {
    throw new StoreUnavailable(`There is no store at ${path}.`);
  }
  let database: SqliteDatabase | null = null;
  try {
    database = new Database(path, { timeout: BUSY_TIMEOUT_MS });
    if (readOnly) database.pragma('query_only = ON');
    else prepareForWriting(database);
    checkVersion(database, path);
    return database;
  } catch (error) {
    database?.close();
    throw unavailable(error, path);
  }
}

function prepareForWriting(database: SqliteDatabase): void {
  // Decided when the file is made; an older file keeps what it has.
  database.pragma(`page_size = ${PAGE_BYTES}`);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  database.pragma(`cache_size = -${CACHE_KIB}`);
  database.pragma('temp_store = MEMORY');
  const [{ journal_mode: mode }] = database.pragma('journal_mode') as [{ journal_mode: string }];
  const [{ synchronous }] = database.pragma('synchronous') as [{ synchronous: number }];
  if (mode !== 'wal' || synchronous !== FULL) {
    throw new StoreUnavailable(
      `SQLite does not keep its promise here (journal mode ${mode}, synchronous ${synchronous}): ` +
        'the store needs a local file system that allows WAL.',
    );
  }
}

function checkVersion(database: SqliteDatabase, path: string): void {
  const version = schemaVersion(database);
  if (version !== null && version > SCHEMA_VERSION) {
    throw new StoreUnavailable(
      `${path} was written by a newer Stepwell (schema ${version}; this program knows ` +
        `${SCHEMA_VERSION}). Start it with that version, or restore a backup.`,
    );
  }
}

function schemaVersion(database: SqliteDatabase): number | null {
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE name = 'meta'").all();
  if (tables.length === 0) return null;
  const rows = database.prepare("SELECT value FROM meta WHERE key = 'schema_version'").all();
  return rows.length === 0 ? null : Number((rows[0] as { value: string }).value);
}

/** Creates what is missing; called by the owner only. */
export function createSchema(database: SqliteDatabase, path: string): void {
  try {
    database.exec('BEGIN IMMEDIATE');
    database.exec(SCHEMA);
    database
      .prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('schema_version', ?)")
      .run([String(SCHEMA_VERSION)]);
    database.exec('COMMIT');
  } catch (error) {
    throw unavailable(error, path);
  }
}

/** What SQLite's result codes mean to the person who runs the store. */
const SENTENCES: readonly (readonly [RegExp, string])[] = [
  [/^SQLITE_FULL/, 'the disk is full. Free some space; nothing that was acknowledged is lost'],
  [/^SQLITE_(NOTADB|CORRUPT)/, 'the file is damaged or not a SQLite file. Restore a backup'],
  [/^SQLITE_IOERR/, 'the disk reported an error. Restart after checking the disk'],
  [/^SQLITE_(READONLY|PERM|AUTH|CANTOPEN)/, 'the file or its folder cannot be written or opened'],
  [/^SQLITE_(BUSY|LOCKED)/, 'another program holds a lock on the file. Close it and try again'],
  [/^SQLITE_NOMEM/, 'the process ran out of memory'],
];

export function unavailable(error: unknown, path: string, outcomeUnknown = false): Error {
  if (error instanceof StoreUnavailable) return error;
  const code = sqliteCode(error);
  const message = error instanceof Error ? error.message : String(error);
  const sentence = SENTENCES.find(([pattern]) => pattern.test(code))?.[1] ?? message;
  const detail = sentence === message ? '' : ` (${code}: ${message})`;
  return new StoreUnavailable(`The store ${path} is unavailable: ${sentence}${detail}.`, {
    cause: error,
    outcomeUnknown,
  });
}

/** libsql names only primary result codes; extended ones come as a number whose low byte is primary. */
export function sqliteCode(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { code = '', rawCode = 0 } = error as Error & { code?: string; rawCode?: number };
  if (code.startsWith('SQLITE_')) return code;
  const primary = PRIMARY_CODES.get(rawCode & 0xff);
  if (primary !== undefined) return primary;
  return /Unable to open/.test(error.message) ? 'SQLITE_CANTOPEN' : code;
}

const PRIMARY_CODES: ReadonlyMap<number, string> = new Map([
  [3, 'SQLITE_PERM'],
  [5, 'SQLITE_BUSY'],
  [6, 'SQLITE_LOCKED'],
  [7, 'SQLITE_NOMEM'],
  [8, 'SQLITE_READONLY'],
  [10, 'SQLITE_IOERR'],
  [11, 'SQLITE_CORRUPT'],
  [13, 'SQLITE_FULL'],
  [14, 'SQLITE_CANTOPEN'],
  [19, 'SQLITE_CONSTRAINT'],
  [26, 'SQLITE_NOTADB'],
]);
