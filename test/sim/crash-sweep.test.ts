/**
 * The exhaustive crash-point sweep: every machine of the corpus, every commit, every kind of fault;
 * and random machines, each with a few faults drawn by its seed. Whatever happens, the outcome of a
 * corpus machine is that of the run without a fault; no run is stuck, no handler runs again once its
 * result is in the journal, and the journal is lawful. Machines of others: crash-sweep.slow.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { CORPUS } from './corpus.js';
import { runWith } from './crash-run.js';
import { sweep, sweepRandom } from './crash-sweep.js';

describe.each(Object.entries(CORPUS))('%s', (_name, machine) => {
  it('ends the same wherever the process dies or the store fails', async () => {
    const clean = await runWith(machine, null);
    expect(clean.starts).toBe(1);
    expect(await sweep(machine, clean)).toBeGreaterThan(0);
  });
});

const FIRST_SEED = Number(process.env.SIM_SEED ?? 1);
const SEEDS = Number(process.env.SIM_SEEDS ?? (process.env.SIM_SEED === undefined ? 40 : 1));

it(`${SEEDS} random machines end, lawfully, wherever the process dies or the store fails`, async () => {
  await sweepRandom(FIRST_SEED, SEEDS);
});
