/** Commits to the store at argv[2] and writes a line to argv[3] as soon as each is acknowledged; argv[4] says which thread writes. */
import { openSync, writeSync } from 'node:fs';
import { SqliteStore } from '../../src/store/sqlite.js';
import { commitAfter, EMPTY_HEAD, headAfter } from './fixtures.js';

const [path = '', acknowledged = '', where = 'auto'] = process.argv.slice(2);
const COMMITS = 12;

async function main(): Promise<void> {
  const ledger = openSync(acknowledged, 'a');
  let head = EMPTY_HEAD;
  // The second store is opened over a log that was folded into the file: checkpoints count, too.
  for (const part of [1, 2]) {
    const store = SqliteStore.open(path, { where: where as 'main' | 'thread' });
    for (let commits = 0; commits < COMMITS; commits++) {
      const made = commitAfter(head, 'a', { padding: 3_000 });
      if ((await store.commit(made)) !== 'committed') throw new Error('Nobody else writes.');
      head = headAfter(made);
      writeSync(ledger, `ack ${head.after}\n`);
      await store.documents.put('note', `n${head.after}`, head.after, null);
      writeSync(ledger, `doc ${head.after}\n`);
    }
    if (part === 1) await store.close();
  }
  process.kill(process.pid, 'SIGKILL');
}

void main();
