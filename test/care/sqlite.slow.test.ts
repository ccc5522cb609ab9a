/** Care over real SQLite files: repair, drills, and damage of every kind at random places. */
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diagnose } from '../../src/care/doctor.js';
import type { EpochMs } from '../../src/lib/brand.js';
import { loadJournal } from '../../src/runtime/journal.js';
import { SqliteStore } from '../../src/store/sqlite.js';
import type { Store } from '../../src/store/store.js';
import { SeededRandom } from '../support/seeded-random.js';
import { careSuite } from './care-suite.js';
import { arnOf, journalsOf, NAMES, populate } from './population.js';

careSuite('SqliteStore', () => {
  const folder = mkdtempSync(join(tmpdir(), 'stepwell-care-'));
  const path = join(folder, 'stepwell.db');
  return {
    open: async () => SqliteStore.open(path),
    breakDerived: async (store) => {
      await store.close();
      const database = new Database(path);
      database.exec(`
        DELETE FROM timers;
        DELETE FROM outbox;
        UPDATE executions SET status = 'SUCCEEDED' WHERE name = 'parallel';
        DELETE FROM executions WHERE name IN ('mapped', 'ended');
        INSERT INTO timers VALUES (99999, 'wait:1:0', 5);
      `);
      database.close();
    },
    reopen: async () => SqliteStore.open(path),
    cleanUp: async () => rmSync(folder, { recursive: true, force: true }),
  };
});

describe('a damaged SQLite file', () => {
  let folder: string;
  let source: string;
  let target: string;
  let whole: ReadonlyMap<string, string>;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'stepwell-damage-'));
    source = join(folder, 'whole.db');
    target = join(folder, 'damaged.db');
    const store = SqliteStore.open(source);
    await populate(store);
    whole = await journalsOf(store);
    await store.close();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What becomes of the executions: never another journal than the one that was written. */
  async function judge(): Promise<'harmless' | 'refused'> {
    let store: Store;
    try {
      store = SqliteStore.open(target, { readOnly: true });
    } catch {
      return 'refused';
    }
    let refused = false;
    let gone = false;
    try {
      for (const name of NAMES) {
        try {
          const journal = await loadJournal(store, arnOf(name));
          if (journal === null) gone = true;
          else expect(JSON.stringify(journal.facts)).toBe(whole.get(name));
        } catch (error) {
          if ((error as Error).name === 'AssertionError') throw error;
          refused = true;
        }
      }
      if (gone) {
        expect(await complains(store)).toBe(true);
        refused = true;
      }
    } finally {
      await store.close().catch(() => undefined);
    }
    return refused ? 'refused' : 'harmless';
  }

  async function complains(store: Store): Promise<boolean> {
    try {
      const options = { now: () => 0 as EpochMs, fix: false, deep: true };
      for await (const { level } of diagnose(store, options)) if (level === 'error') return true;
      return false;
    } catch {
      return true;
    }
  }

  it('never gives another journal than the one that was written: 400 flipped bits', async () => {
    const random = new SeededRandom(2026);
    const bytes = readFileSync(source);
    let refused = 0;
    for (let round = 0; round < 400; round++) {
      const damaged = Buffer.from(bytes);
      const at = Math.floor(random.next() * damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << Math.floor(random.next() * 8));
      writeFileSync(target, damaged);
      if ((await judge()) === 'refused') refused += 1;
    }
    expect(refused).toBeGreaterThan(20);
  });

  it('a flipped bit anywhere in a journal is refused: every column, 200 places', async () => {
    const random = new SeededRandom(7);
    for (let round = 0; round < 200; round++) {
      copyFileSync(source, target);
      const database = new Database(target);
      const rows = database
        .prepare('SELECT id, facts, digest, after, count FROM commits')
        .all() as {
        id: number;
        facts: string;
        digest: string;
      }[];
      const row = rows[Math.floor(random.next() * rows.length)];
      if (row === undefined) throw new Error('Populated.');
      const column = ['facts', 'facts', 'digest', 'after', 'count'][round % 5] as string;
      if (column === 'after' || column === 'count') {
        database.prepare(`UPDATE commits SET ${column} = ${column} + 1 WHERE id = ?`).run([row.id]);
      } else {
        const text = row[column as 'facts' | 'digest'];
        const at = Math.floor(random.next() * text.length);
        const code = text.charCodeAt(at) ^ 1;
        const changed = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
        database.prepare(`UPDATE commits SET ${column} = ? WHERE id = ?`).run([changed, row.id]);
      }
      database.close();
      expect(await judge(), `round ${round}: ${column}`).toBe('refused');
    }
  });

  it.each([
    ['a commit is dropped', 'DELETE FROM commits WHERE id = (SELECT max(id) FROM commits)'],
    ['the first commit is dropped', 'DELETE FROM commits WHERE id = 3'],
    ['a whole journal is dropped', 'DELETE FROM commits WHERE execution_id = 3'],
    [
      'two journals are swapped',
      `UPDATE commits SET execution_id = CASE execution_id WHEN 3 THEN 4 ELSE 3 END
       WHERE execution_id IN (3, 4)`,
    ],
    ['the head is set back', 'UPDATE executions SET last_seq = last_seq - 1 WHERE id = 5'],
    ['the head names another digest', "UPDATE executions SET digest = '00' WHERE id = 5"],
  ])('is refused when %s', async (_name, sql) => {
    copyFileSync(source, target);
    const database = new Database(target);
    database.exec(sql);
    database.close();
    expect(await judge()).toBe('refused');
  });

  it('is refused or whole at every length it may be cut to', async () => {
    const { size } = statSync(source);
    for (let length = size - 1; length > 0; length -= Math.ceil(size / 40)) {
      copyFileSync(source, target);
      truncateSync(target, length);
      await judge();
    }
  });
});
