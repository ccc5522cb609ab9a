/** The SQLite store: the common laws, and what only a file on a disk can get wrong. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open as openFile, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/open.js';
import { SqliteStore } from '../../src/store/sqlite.js';
import { StoreUnavailable } from '../../src/store/unavailable.js';
import { storeConformance } from './conformance.js';
import { commitAfter, EMPTY_HEAD, executionArn, headAfter } from './fixtures.js';

const OTHER_PROCESS = new URL('./sqlite-other-process.ts', import.meta.url).pathname;

for (const where of ['main', 'thread'] as const) {
  storeConformance(
    `SqliteStore, written by the ${where} thread`.replace('thread thread', 'writer thread'),
    () => {
      let folder = '';
      const open = async () => SqliteStore.open(join(folder, 'stepwell.db'), { where });
      return {
        open: async () => {
          folder = await mkdtemp(join(tmpdir(), 'stepwell-sqlite-'));
          return open();
        },
        reopen: async (store) => {
          await store.close();
          return open();
        },
        cleanUp: () => rm(folder, { recursive: true, force: true }),
      };
    },
  );
}

describe('SqliteStore as a file', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stepwell-sqlite-'));
    path = join(folder, 'deep', 'stepwell.db');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('the file can be read by any SQLite tool: one row per fact in the view history', async () => {
    const store = SqliteStore.open(path);
    const first = commitAfter(EMPTY_HEAD, 'a', { count: 2 });
    await store.commit(first);
    await store.commit(commitAfter(headAfter(first), 'a'));
    const tool = new Database(path);
    const rows = tool.prepare('SELECT execution, seq, at, type FROM history').all();
    expect(rows).toEqual(
      [1, 2, 3].map((seq) => ({
        execution: 'a',
        seq,
        at: '2023-11-14T22:13:20.000Z',
        type: 'StateEntered',
      })),
    );
    tool.close();
    await store.close();
  });

  it('the log is on and every commit is synced', async () => {
    const store = SqliteStore.open(path);
    await store.close();
    const file = new Database(path);
    expect(file.pragma('journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    file.close();
  });

  it('a second driver is refused with the pid of the first, and a reader is not', async () => {
    const store = SqliteStore.open(path);
    await store.commit(commitAfter(EMPTY_HEAD, 'a'));
    expect(() => SqliteStore.open(path)).toThrow(`pid ${process.pid}`);
    const reader = await openStore(`sqlite:${path}`, { readOnly: true });
    expect(await reader.load(executionArn('a'))).toHaveLength(1);
    await expect(reader.commit(commitAfter(EMPTY_HEAD, 'b'))).rejects.toThrow(/read-only/);
    await store.commit(commitAfter(EMPTY_HEAD, 'c'));
    expect(await reader.row(executionArn('c'))).not.toBeNull();
    await reader.close();
    await store.close();
    await SqliteStore.open(path).close();
  });

  it('a process that owns the store keeps others out until it is killed', async () => {
    const other = startOther(path, 'hold');
    await once(other.stdout, 'data');
    expect(() => SqliteStore.open(path)).toThrow(`process ${other.pid}`);
    other.kill('SIGKILL');
    await once(other, 'exit');
    const store = SqliteStore.open(path);
    await store.close();
  });

  it('of processes that start at the same moment exactly one becomes the owner', async () => {
    const others = Array.from({ length: 5 }, () =>
      spawn(process.execPath, ['--import', 'tsx', OTHER_PROCESS, path, 'hold'], { stdio: 'pipe' }),
    );
    const outcomes = await Promise.all(
      others.map(async (other) => {
        let errors = '';
        other.stderr.on('data', (chunk) => {
          errors += chunk;
        });
        const holds = once(other.stdout, 'data').then(() => 'owner');
        return Promise.race([holds, once(other, 'close').then(() => errors)]);
      }),
    );
    for (const other of others) other.kill('SIGKILL');
    const losers = outcomes.filter((outcome) => outcome !== 'owner');
    expect(losers).toHaveLength(4);
    for (const loser of losers) expect(loser).toMatch(/is in use by (another )?process/);
  });

  it('a kill -9 loses no acknowledged commit', async () => {
    let acknowledged = 0;
    for (let round = 0; round < 20; round += 1) {
      const other = startOther(path, `write ${round}`);
      let output = '';
      other.stdout.on('data', (chunk) => {
        output += chunk;
      });
      const wanted = 50 + 97 * round;
      while (output.split('\n').length < wanted) {
        expect(other.exitCode).toBeNull();
        await new Promise((done) => setTimeout(done, 5));
      }
      other.kill('SIGKILL');
      await once(other, 'close');
      const store = SqliteStore.open(path);
      const kept = new Set<string>();
      for (let writer = 0; writer < 8; writer += 1) {
        const journal = await store.load(executionArn(`write-${round}-${writer}`));
        for (const { digest } of journal) kept.add(digest);
      }
      for (const line of output.split('\n').slice(0, -1)) {
        expect(kept).toContain(line.split(' ')[1]);
        acknowledged += 1;
      }
      await store.close();
    }
    expect(acknowledged).toBeGreaterThan(10_000);
  }, 120_000);

  it('a file that is no database is refused with a sentence that says so', async () => {
    const bad = join(folder, 'bad.db');
    await writeFile(bad, 'this is not a database, it only looks like a file'.repeat(100));
    expect(() => SqliteStore.open(bad)).toThrow(StoreUnavailable);
    expect(() => SqliteStore.open(bad)).toThrow(/damaged or not a SQLite file/);
    expect(await readFile(bad, 'utf8')).toContain('only looks like a file');
  });

  it('a damaged page is reported as damage, not as data', async () => {
    const store = SqliteStore.open(path);
    for (let i = 0; i < 50; i += 1) {
      await store.commit(commitAfter(EMPTY_HEAD, `e${i}`, { padding: 2_000 }));
    }
    await store.close();
    const file = await openFile(path, 'r+');
    const { size } = await file.stat();
    for (let page = 2; page * 4096 < size; page += 1) {
      await file.write(Buffer.alloc(64, 0xff), 0, 64, page * 4096);
    }
    await file.close();
    await expect(readAll()).rejects.toThrow(/damaged/);
    async function readAll(): Promise<void> {
      const damaged = SqliteStore.open(path);
      try {
        for (let i = 0; i < 50; i += 1) await damaged.load(executionArn(`e${i}`));
        await damaged.list({}, 100, null);
      } finally {
        await damaged.close().catch(() => {});
      }
    }
  });

  it('a newer schema is refused, naming both versions', async () => {
    await SqliteStore.open(path).close();
    const file = new Database(path);
    file.exec("UPDATE meta SET value = '99' WHERE key = 'schema_version'");
    file.close();
    expect(() => SqliteStore.open(path)).toThrow(/schema 99; this program knows 1/);
  });

  it('a full disk is StoreUnavailable, harms nothing written, and passes when space is free', async () => {
    const store = SqliteStore.open(path);
    await store.commit(commitAfter(EMPTY_HEAD, 'a'));
    await store.close();
    const file = new Database(path);
    const [{ page_count: pages }] = file.pragma('page_count') as [{ page_count: number }];
    file.close();
    const limited = SqliteStore.open(path, { maxPages: pages + 4 });
    const big = commitAfter(EMPTY_HEAD, 'big', { padding: 100_000 });
    const results = await Promise.allSettled([
      limited.commit(big),
      limited.commit(commitAfter(EMPTY_HEAD, 'other')),
    ]);
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { name: 'StoreUnavailable' } });
      expect(String((result as PromiseRejectedResult).reason)).toMatch(/disk is full/);
    }
    expect(await limited.load(executionArn('a'))).toHaveLength(1);
    expect(await limited.commit(commitAfter(EMPTY_HEAD, 'small'))).toBe('committed');
    await limited.close();
  });

  it('a write that breaks is alone in failing', async () => {
    const store = SqliteStore.open(path);
    const broken = commitAfter(EMPTY_HEAD, 'broken', {
      timers: [{ key: 'nul\0', dueAt: 1 as never }],
    });
    const results = await Promise.allSettled([
      store.commit(commitAfter(EMPTY_HEAD, 'a')),
      store.commit(broken),
      store.commit(commitAfter(EMPTY_HEAD, 'b')),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await store.row(broken.arn)).toBeNull();
    expect(await store.row(executionArn('a'))).not.toBeNull();
    await store.close();
  });

  it('reads leave nothing open that would stop the log from being folded back', async () => {
    const store = SqliteStore.open(path);
    await store.commit(commitAfter(EMPTY_HEAD, 'a', { timers: [{ key: '1', dueAt: 1 as never }] }));
    await store.row(executionArn('a'));
    await store.nextTimer();
    await store.list({}, 1, null);
    await store.documents.get('k', 'i');
    await store.commit(commitAfter(EMPTY_HEAD, 'b', { padding: 50_000 }));
    const tool = new Database(path);
    const [result] = tool.pragma('wal_checkpoint(TRUNCATE)') as { busy: number; log: number }[];
    expect(result).toMatchObject({ busy: 0, log: 0 });
    tool.close();
    await store.close();
  });
});

describe('openStore', () => {
  it('opens memory and sqlite, and names the known kinds for anything else', async () => {
    expect((await openStore('memory')).description).toMatch(/^memory/);
    await expect(openStore('etcd://localhost')).rejects.toThrow(
      /^Unknown store "etcd:\/\/localhost"\. Known kinds: memory, sqlite:PATH, redis:/,
    );
    await expect(openStore('sqlite')).rejects.toThrow(/sqlite:PATH/);
  });

  it('a missing file opened for reading is an error, not a new file', async () => {
    await expect(openStore('sqlite:/tmp/none/x.db', { readOnly: true })).rejects.toThrow(
      'There is no store at /tmp/none/x.db.',
    );
  });
});

function startOther(path: string, job: string) {
  return spawn(process.execPath, ['--import', 'tsx', OTHER_PROCESS, path, job], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
