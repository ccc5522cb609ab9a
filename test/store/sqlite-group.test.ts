/** What the group commit promises when COMMIT itself fails: no file can be made to do that on request. */
import { expect, it } from 'vitest';
import type { SqliteDatabase } from '../../src/store/sqlite-file.js';
import { WriteGroup } from '../../src/store/sqlite-group.js';
import type { StoreUnavailable } from '../../src/store/unavailable.js';

function groupOver(failures: (string | null)[]) {
  const ran: string[] = [];
  const state = { inTransaction: false };
  const database = {
    get inTransaction() {
      return state.inTransaction;
    },
    prepare: (sql: string) => ({
      run: () => {
        ran.push(sql);
        state.inTransaction = sql.startsWith('BEGIN');
        const code = sql === 'COMMIT' ? (failures.shift() ?? null) : null;
        if (code !== null) {
          state.inTransaction = true;
          throw Object.assign(new Error('disk I/O error'), { code });
        }
      },
    }),
  };
  let forgotten = 0;
  const group = new WriteGroup(database as unknown as SqliteDatabase, '/x.db', () => {
    forgotten += 1;
  });
  return { group, ran, forgotten: () => forgotten };
}

const reasonOf = (work: Promise<unknown>): Promise<StoreUnavailable> =>
  work.then(
    () => Promise.reject(new Error('it was acknowledged')),
    (reason) => reason,
  );

it('writes of one turn share one transaction', async () => {
  const { group, ran } = groupOver([]);
  expect(await Promise.all([1, 2, 3].map((n) => group.add(() => n)))).toEqual([1, 2, 3]);
  expect(ran).toEqual(['BEGIN IMMEDIATE', 'COMMIT']);
});

it('after a failed sync nothing is acknowledged any more: the outcome is unknown', async () => {
  const { group, ran, forgotten } = groupOver(['SQLITE_IOERR']);
  const failed = await Promise.all([1, 2].map((n) => reasonOf(group.add(() => n))));
  for (const reason of failed) expect(reason).toMatchObject({ outcomeUnknown: true });
  expect(failed[0]?.message).toMatch(/the disk reported an error/);
  expect(ran).toEqual(['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK']);
  expect(forgotten()).toBe(1);
  expect(await reasonOf(group.add(() => 3))).toBe(failed[0]);
  expect(ran).toHaveLength(3);
});

it('after a full disk the next write is tried again', async () => {
  const { group } = groupOver(['SQLITE_FULL']);
  expect(await reasonOf(group.add(() => 1))).toMatchObject({ outcomeUnknown: false });
  expect(await group.add(() => 2)).toBe(2);
});

it('a write that throws is taken out, and the others are done again without it', async () => {
  const { group, forgotten } = groupOver([]);
  const runs: number[] = [];
  const results = await Promise.allSettled([
    group.add(() => runs.push(1)),
    group.add(() => {
      throw new Error('mine alone');
    }),
    group.add(() => runs.push(3)),
  ]);
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(runs).toEqual([1, 1, 3]);
  expect(forgotten()).toBe(2);
});
