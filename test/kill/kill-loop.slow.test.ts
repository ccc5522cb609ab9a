/** The kill loop as every run of the whole tests has it; `npm run kill-loop` kills as often as asked. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { REDIS_MISSING, redisBinary } from '../services/support/redis.js';
import { BUILT } from '../support/command-line.js';
import { killLoop } from './kill-loop.js';

const KILLS = Number(process.env.KILLS ?? 10);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
const built = existsSync(BUILT[0] as string);
const redis = redisBinary();
if (redis === null) console.warn(REDIS_MISSING);

describe.skipIf(!built)(`SIGKILL ${KILLS} times (seed ${SEED})`, () => {
  it('loses nothing that was acknowledged, and counts nothing twice, on sqlite', async () => {
    const report = await killLoop({ store: 'sqlite', kills: KILLS, seed: SEED });
    expect(report.problems).toEqual([]);
    expect(report.executions).toBeGreaterThan(0);
  });

  it.skipIf(redis === null)('nor with two workers on a Redis that is killed too', async () => {
    const report = await killLoop({ store: 'redis', kills: KILLS, seed: SEED, redisEvery: 4 });
    expect(report.problems).toEqual([]);
    expect(report.redisKills).toBeGreaterThan(0);
  });
});
