/** Where writes go and in which order, with a thread that answers when the test says so. */
import Database from 'libsql';
import { beforeEach, expect, it } from 'vitest';
import { createSchema, type SqliteDatabase } from '../../src/store/sqlite-file.js';
import { WriteQueue } from '../../src/store/sqlite-queue.js';
import type { WriterThread, Written } from '../../src/store/sqlite-thread.js';
import { WRITE, type WriteBatch } from '../../src/store/sqlite-writes.js';
import { StoreUnavailable } from '../../src/store/unavailable.js';

class SlowThread {
  ready = true;
  closed = false;
  readonly batches: WriteBatch[] = [];
  #answer: ((written: Written) => void) | null = null;

  write(batch: WriteBatch): Promise<Written> {
    expect(this.#answer).toBeNull();
    this.batches.push(batch);
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  /** The batch under way is durable, or what is given happened. */
  async answer(written?: Written): Promise<void> {
    const batch = this.batches.at(-1);
    const outcomes = batch?.starts.map((_, at) => ({ value: `written ${at}` })) ?? [];
    this.#answer?.(written ?? { outcomes, failure: null });
    this.#answer = null;
    await turn();
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

const turn = () => new Promise((done) => setImmediate(done));

let database: SqliteDatabase;
let thread: SlowThread;
let started: number;
beforeEach(() => {
  database = new Database(':memory:');
  createSchema(database, ':memory:');
  thread = new SlowThread();
  started = 0;
});

function queueOf(where: 'auto' | 'thread'): WriteQueue {
  return new WriteQueue({
    database,
    path: '/x.db',
    where,
    startThread: () => {
      started += 1;
      return thread as unknown as WriterThread;
    },
  });
}

const put = (queue: WriteQueue, id: string): Promise<unknown> =>
  queue.send((values) => {
    values.push(WRITE.putDocument, 'k', id, '1', null);
  });
const kept = (): number =>
  (database.prepare('SELECT count(*) AS n FROM documents').all() as { n: number }[])[0]?.n ?? 0;

it('what arrives while a batch is being written makes the next one', async () => {
  const queue = queueOf('thread');
  const results: unknown[] = [];
  for (const id of ['a', 'b']) void put(queue, id).then((result) => results.push(result));
  await turn();
  for (const id of ['c', 'd', 'e']) void put(queue, id).then((result) => results.push(result));
  await turn();
  expect(thread.batches.map(({ starts }) => starts.length)).toEqual([2]);
  await thread.answer();
  expect(thread.batches.map(({ starts }) => starts.length)).toEqual([2, 3]);
  expect(results).toEqual(['written 0', 'written 1']);
  await thread.answer();
  expect(results).toHaveLength(5);
});

it('a lone writer never starts the thread; steady company does, and its end brings writes back', async () => {
  const queue = queueOf('auto');
  for (let at = 0; at < 60; at += 1) await put(queue, `alone ${at}`);
  expect(started).toBe(0);
  for (let at = 0; at < 30 && started === 0; at += 1) {
    await Promise.race([Promise.all([put(queue, `a ${at}`), put(queue, `b ${at}`)]), turn()]);
    await turn();
  }
  expect(started).toBe(1);
  expect(thread.batches).toHaveLength(1);
  await thread.answer();
  const before = kept();
  for (let at = 0; kept() === before && at < 60; at += 1) {
    void put(queue, `back ${at}`);
    await turn();
    await thread.answer();
  }
  expect(kept()).toBeGreaterThan(before);
});

it('a thread that is not up yet, or never comes up, leaves the writing here', async () => {
  thread.ready = false;
  const queue = queueOf('auto');
  for (let at = 0; at < 60; at += 1)
    await Promise.all([put(queue, `a${at}`), put(queue, `b${at}`)]);
  expect(started).toBe(1);
  expect(thread.batches).toEqual([]);
  expect(kept()).toBe(120);
});

it('a function waits for the batch before it, and what comes later waits for the function', async () => {
  const queue = queueOf('thread');
  const order: string[] = [];
  void put(queue, 'a').then(() => order.push('first'));
  const run = queue.run(() => order.push(`function, ${thread.batches.length} sent`));
  void put(queue, 'b');
  await turn();
  expect(order).toEqual([]);
  await thread.answer();
  await run;
  expect(order).toEqual(['function, 1 sent', 'first']);
  expect(thread.batches).toHaveLength(2);
});

it('a write that cannot be put into values fails alone', async () => {
  const queue = queueOf('thread');
  const results = Promise.allSettled([
    put(queue, 'a'),
    queue.send((values) => {
      values.push('half');
      throw new Error('mine alone');
    }),
    put(queue, 'b'),
  ]);
  await turn();
  await thread.answer();
  expect((await results).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  expect(thread.batches[0]?.values).toEqual([5, 'k', 'a', '1', null, 5, 'k', 'b', '1', null]);
});

it('when the thread breaks nothing is acknowledged and nothing more is written', async () => {
  const queue = queueOf('thread');
  const lost = put(queue, 'a');
  await turn();
  const waiting = put(queue, 'b');
  const failure = new StoreUnavailable('the thread has broken', { outcomeUnknown: true });
  const [one, two] = [lost, waiting].map((write) => write.catch((error: unknown) => error));
  await thread.answer({ outcomes: null, failure });
  expect(await one).toBe(failure);
  expect(await two).toBe(failure);
  await expect(put(queue, 'c')).rejects.toBe(failure);
  expect(kept()).toBe(0);
});

it('closing writes what waits, takes nothing more, and ends the thread', async () => {
  const queue = queueOf('thread');
  const results = [put(queue, 'a')];
  await turn();
  results.push(put(queue, 'b'));
  const closed = new StoreUnavailable('closed');
  queue.refuse(closed);
  const closing = queue.close();
  await expect(put(queue, 'c')).rejects.toBe(closed);
  await thread.answer();
  expect(thread.closed).toBe(false);
  await thread.answer();
  await closing;
  expect(await Promise.all(results)).toEqual(['written 0', 'written 0']);
  expect(thread.closed).toBe(true);
});
