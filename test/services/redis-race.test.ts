/**
 * Eight engines race on every transition over a real Redis. `STEPWELL_RACES=40` for more seeds, from
 * `STEPWELL_RACE_SEED` on.
 */
import { expect, it } from 'vitest';
import { REDIS_MISSING, redisBinary, startRedis } from './support/redis.js';
import { raceOnRedis } from './support/redis-race.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

const ROUNDS = Number(process.env.STEPWELL_RACES ?? 3);
const FIRST = Number(process.env.STEPWELL_RACE_SEED ?? 1);

it.skipIf(binary === null)(
  'eight engines race on a real Redis, and every fact is there once',
  async () => {
    const server = await startRedis(binary as string, { appendonly: 'yes', save: '' });
    const sum = { commits: 0, conflicts: 0, answers: 0, tokens: 0 };
    for (let seed = FIRST; seed < FIRST + ROUNDS; seed += 1) {
      const race = { seed, engines: 8, executions: 10, items: 8 };
      const report = await raceOnRedis(`${server.url}?prefix=race${seed}`, race);
      sum.commits += report.commits;
      sum.conflicts += report.conflicts;
      sum.answers += report.answers;
      sum.tokens += report.tokens;
    }
    await server.stop();
    console.info(`races: ${JSON.stringify(sum)}`);
    expect(sum.tokens).toBe(80 * ROUNDS);
    expect(sum.conflicts).toBeGreaterThan(100 * ROUNDS);
  },
  60_000 + 20_000 * ROUNDS,
);
