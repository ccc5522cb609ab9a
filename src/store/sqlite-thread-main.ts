/** The writer thread: one connection, one batch after the other, an answer to each once it is durable. */
import { parentPort, workerData } from 'node:worker_threads';
import { openDatabase } from './sqlite-file.js';
import { type Answer, type PlainOutcome, plainError, type ThreadSetup } from './sqlite-thread.js';
import { type Outcome, Transactions } from './sqlite-transactions.js';
import { SqliteWriter } from './sqlite-writer.js';
import type { WriteBatch } from './sqlite-writes.js';

const { path, maxPages } = workerData as ThreadSetup;
const database = openDatabase(path, false);
if (maxPages !== null) database.pragma(`max_page_count = ${maxPages}`);
const writer = new SqliteWriter(database);
const transactions = new Transactions(database, path, () => writer.forget());

function written(batch: WriteBatch): Answer {
  const outcomes = transactions.together(batch.starts.length, (from, to) =>
    writer.apply(batch, from, to),
  );
  const others: [number, PlainOutcome][] = [];
  for (const [index, outcome] of outcomes.entries()) {
    if (!isCommitted(outcome)) others.push([index, plain(outcome)]);
  }
  const { failure } = transactions;
  return { count: outcomes.length, others, failure: failure === null ? null : plainError(failure) };
}

function isCommitted(outcome: Outcome): boolean {
  return 'value' in outcome && outcome.value === 'committed';
}

function plain(outcome: Outcome): PlainOutcome {
  return 'error' in outcome ? { error: plainError(outcome.error) } : outcome;
}

parentPort?.on('message', (message: WriteBatch | 'close') => {
  if (message === 'close') {
    database.close();
    parentPort?.close();
  } else {
    parentPort?.postMessage(written(message));
  }
});
parentPort?.postMessage('ready');
