/** The other process of the SQLite tests: holds a store, or commits in a loop and prints what is acknowledged. */
import { SqliteStore } from '../../src/store/sqlite.js';
import { commitAfter, EMPTY_HEAD, headAfter } from './fixtures.js';

const [path = '', job = ''] = process.argv.slice(2);
const store = SqliteStore.open(path);
if (job === 'hold') {
  process.stdout.write('holding\n');
  setInterval(() => {}, 1_000);
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
