/**
 * The crash-point sweep on real stores, sampled: SQLite files and Redis, some machines, every few points.
 * A "dead" process never speaks to its store again; the next one opens what is there.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openStore } from '../../src/store/open.js';
import type { Store } from '../../src/store/store.js';
import { CORPUS, type CorpusMachine } from '../sim/corpus.js';
import { type FreshStore, pointsOf, runWith } from '../sim/crash-run.js';
import { sweep } from '../sim/crash-sweep.js';
import { DURABLE, REDIS_MISSING, redisBinary, startRedis } from './support/redis.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

const MACHINES = ['retry', 'parallel that fails', 'map with retry', 'callback', 'heartbeat'];
/** Every so many points: so that all faults and commits have their turn. */
const STEP = 5;

async function sample(specOf: (run: number) => string): Promise<number> {
  let runs = 0;
  let points = 0;
  for (const name of MACHINES) {
    const machine = CORPUS[name] as CorpusMachine;
    const opened: Store[] = [];
    const fresh = async (): Promise<FreshStore> => {
      const store = await openStore(specOf(runs++));
      opened.push(store);
      return { store, isReal: true };
    };
    const clean = await runWith(machine, null, await fresh());
    const chosen = pointsOf(clean).filter((_point, index) => index % STEP === 0);
    points += await sweep(machine, clean, { points: chosen, fresh });
    await Promise.all(opened.map((store) => store.close()));
  }
  return points;
}

it('crash points on SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'stepwell-crash-'));
  try {
    const points = await sample((run) => `sqlite:${join(folder, `${run}.db`)}`);
    expect(points).toBeGreaterThan(30);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it.skipIf(binary === null)('crash points on Redis', async () => {
  const server = await startRedis(binary as string, DURABLE);
  try {
    const points = await sample((run) => `${server.url}?prefix=run${run}`);
    expect(points).toBeGreaterThan(30);
  } finally {
    await server.stop();
  }
});
