/**
 * The other process of the SQLite tests: holds a store, commits in a loop and prints what is acknowledged,
 * or writes with the writer thread and just ends.
 */
import { SqliteStore } from '../../src/store/sqlite.js';
import { commitAfter, EMPTY_HEAD, headAfter } from './fixtures.js';

const [path = '', job = ''] = process.argv.slice(2);
const store = SqliteStore.open(path, job === 'end' ? { where: 'thread' } : {});
if (job === 'hold') {
  process.stdout.write('holding\n');
  setInterval(() => {}, 1_000);
} else if (job === 'end') {
  void writeAndEnd();
} else {
  for (let writer = 0; writer < 8; writer += 1) void write(`${job.replace(' ', '-')}-${writer}`);
}

async function write(name: string): Promise<void> {
  for (let head = EMPTY_HEAD; ; ) {
    const commit = commitAfter(head, name, { padding: 300 });
    if ((await store.commit(commit)) !== 'committed') throw new Error('conflict');
    process.stdout.write(`${name} ${commit.digest}\n`);
    head = headAfter(commit);
  }
}

async function writeAndEnd(): Promise<void> {
  let head = EMPTY_HEAD;
  for (let written = 0; written < 5; written += 1) {
    const commit = commitAfter(head, 'end');
    await store.commit(commit);
    head = headAfter(commit);
  }
  process.stdout.write('5 written\n');
}
