/** A fork at any event of a random machine; more machines in fork.slow.test.ts. */
import { expect, it } from 'vitest';
import { forkEverywhere } from './fork-everywhere.js';

const FIRST_SEED = Number(process.env.SIM_SEED ?? 1);
const SEEDS = Number(process.env.SIM_SEEDS ?? (process.env.SIM_SEED === undefined ? 12 : 1));

it('a fork takes over a journal that upholds the laws, and ends as the origin', async () => {
  const compared = await forkEverywhere(FIRST_SEED, SEEDS);
  if (process.env.SIM_SEED === undefined) expect(compared).toBeGreaterThan(2 * SEEDS);
});
