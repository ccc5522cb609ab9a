/** Batches against the same writes one by one, and that no statement of the hot path reads a whole table. */
import Database from 'libsql';
import { expect, it } from 'vitest';
import { createSchema, type SqliteDatabase, type SqlValue } from '../../src/store/sqlite-file.js';
import { SqliteWriter } from '../../src/store/sqlite-writer.js';
import { encodeCommit, WRITE, type WriteBatch } from '../../src/store/sqlite-writes.js';
import type { Commit } from '../../src/store/store.js';
import { commitAfter, EMPTY_HEAD, type Head, headAfter } from './fixtures.js';

/** A database that notes what is prepared on it. */
function noting(): { database: SqliteDatabase; prepared: Set<string> } {
  const database = new Database(':memory:');
  createSchema(database, ':memory:');
  const prepared = new Set<string>();
  const prepare = database.prepare.bind(database);
  database.prepare = (sql: string) => {
    prepared.add(sql);
    return prepare(sql);
  };
  return { database, prepared };
}

function batchOf(commits: readonly Commit[]): WriteBatch {
  const batch: WriteBatch = { values: [], starts: [] };
  for (const commit of commits) {
    batch.starts.push(batch.values.length);
    encodeCommit(batch.values, commit, undefined);
  }
  return batch;
}

/** Steps as the engine takes them, of many executions, some of them twice in the batch. */
function steps(): Commit[] {
  const heads = new Map<string, Head>();
  const commits: Commit[] = [];
  for (let turn = 0; turn < 5; turn += 1) {
    for (let of = 0; of < 45; of += 1) {
      if ((of + turn) % 4 === 3) continue;
      const name = `e${of}`;
      const head = heads.get(name) ?? EMPTY_HEAD;
      const outbox = [
        { key: `w${head.after}`, effect: null },
        { key: `w${head.after + 1}`, effect: { turn } },
        ...(of % 5 === 0 ? [{ key: 'same', effect: turn % 2 === 0 ? turn : null }] : []),
      ];
      const timers = of % 3 === 0 ? [{ key: 't', dueAt: (turn * 100 + of) as never }] : [];
      const made = commitAfter(head, name, { outbox, timers, note: `${turn}` });
      heads.set(name, headAfter(made));
      commits.push(made);
      if (of % 9 === 0) commits.push(made);
    }
  }
  return commits;
}

const TABLES = ['executions', 'commits', 'timers', 'outbox'];
function contents(database: SqliteDatabase): unknown[] {
  return TABLES.map((table) =>
    (database.prepare(`SELECT * FROM ${table}`).all() as { id?: number; key?: string }[])
      .map(({ id: _, ...columns }) => JSON.stringify(columns))
      .sort(),
  );
}

it('a batch leaves what its writes leave one by one, and each is judged by itself', () => {
  const commits = steps();
  const together = noting().database;
  const alone = noting().database;
  const batch = batchOf(commits);
  const results = new SqliteWriter(together).apply(batch, 0, commits.length);
  const writer = new SqliteWriter(alone);
  const single = commits.flatMap((_, at) => writer.apply(batch, at, at + 1));
  expect(results).toEqual(single);
  expect(new Set(results)).toEqual(new Set(['committed', 'conflict']));
  expect(contents(together)).toEqual(contents(alone));
});

it('no statement reads a whole table, however much an execution has pending', () => {
  const { database, prepared } = noting();
  const writer = new SqliteWriter(database);
  const commits = steps();
  writer.apply(batchOf(commits), 0, commits.length);
  const values: SqlValue[] = [WRITE.remove, commits[0]?.arn as string];
  writer.apply({ values, starts: [0] }, 0, 1);
  const plans = [...prepared].map((sql) => {
    const marks = sql.split('?').length - 1;
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(Array(marks).fill(1));
    return { sql, steps: (plan as { detail: string }[]).map(({ detail }) => detail) };
  });
  expect(plans.length).toBeGreaterThan(15);
  for (const { sql, steps } of plans) {
    for (const step of steps)
      expect(step, sql).not.toMatch(/SCAN (executions|commits|timers|outbox)/);
    if (!/^DELETE FROM outbox WHERE.*key/.test(sql)) continue;
    const searches = steps.filter((step) => step.startsWith('SEARCH outbox'));
    expect(searches.length).toBeGreaterThan(0);
    for (const search of searches) expect(search).toContain('(execution_id=? AND key=?)');
  }
});
