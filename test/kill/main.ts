/** npm run kill-loop -- --store sqlite|redis [--kills N] [--seed S] [--redis-every N]: see kill-loop.ts. */
import { parseArgs } from 'node:util';
import { killLoop } from './kill-loop.js';

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'sqlite' },
    kills: { type: 'string', default: '25' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'redis-every': { type: 'string', default: '0' },
  },
});
const store = values.store;
if (store !== 'sqlite' && store !== 'redis') {
  console.error('Usage: npm run kill-loop -- --store sqlite|redis [--kills N] [--seed S]');
  process.exit(2);
}
const report = await killLoop({
  store,
  kills: Number(values.kills),
  seed: Number(values.seed),
  redisEvery: Number(values['redis-every']),
  onKill: (kills) => {
    if (kills % 25 === 0) console.log(`${kills} kills`);
  },
});
const { problems, ...figures } = report;
console.log(JSON.stringify({ store, seed: values.seed, ...figures, problems: problems.length }));
for (const problem of problems.slice(0, 20)) console.log(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
