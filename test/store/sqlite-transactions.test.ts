/** What a batch promises when COMMIT itself fails: no file can be made to do that on request. */
import { expect, it } from 'vitest';
import type { SqliteDatabase } from '../../src/store/sqlite-file.js';
import { type Outcome, Transactions } from '../../src/store/sqlite-transactions.js';

function transactionsOver(failures: (string | null)[]) {
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
  const transactions = new Transactions(database as unknown as SqliteDatabase, '/x.db', () => {
    forgotten += 1;
  });
  const write = (...writes: (() => unknown)[]): Outcome[] =>
    transactions.together(writes.length, (from, to) => writes.slice(from, to).map((run) => run()));
  return { transactions, write, ran, forgotten: () => forgotten };
}

const wrote =
  <T>(value: T) =>
  () =>
    value;

it('writes of one batch share one transaction', () => {
  const { write, ran } = transactionsOver([]);
  expect(write(wrote(1), wrote(2), wrote(3))).toEqual([{ value: 1 }, { value: 2 }, { value: 3 }]);
  expect(ran).toEqual(['BEGIN IMMEDIATE', 'COMMIT']);
});

it('after a failed sync nothing is acknowledged any more: the outcome is unknown', () => {
  const { transactions, write, ran, forgotten } = transactionsOver(['SQLITE_IOERR']);
  const failed = write(wrote(1), wrote(2)).map((outcome) => 'error' in outcome && outcome.error);
  for (const error of failed) expect(error).toMatchObject({ outcomeUnknown: true });
  expect(String(failed[0])).toMatch(/the disk reported an error/);
  expect(ran).toEqual(['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK']);
  expect(forgotten()).toBe(1);
  expect(write(wrote(3))).toEqual([{ error: failed[0] }]);
  expect(transactions.failure).toBe(failed[0]);
  expect(ran).toHaveLength(3);
});

it('after a full disk the next write is tried again', () => {
  const { write } = transactionsOver(['SQLITE_FULL']);
  expect(write(wrote(1))).toMatchObject([{ error: { outcomeUnknown: false } }]);
  expect(write(wrote(2))).toEqual([{ value: 2 }]);
});

it('a write that throws is taken out, and the others are done again without it', () => {
  const { write, forgotten } = transactionsOver([]);
  const runs: number[] = [];
  const outcomes = write(
    () => runs.push(1),
    () => {
      throw new Error('mine alone');
    },
    () => runs.push(3),
  );
  expect(outcomes.map((outcome) => 'value' in outcome)).toEqual([true, false, true]);
  expect(runs).toEqual([1, 1, 3]);
  expect(forgotten()).toBe(2);
});
