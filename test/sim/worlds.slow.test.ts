/** 2,000 schedules, as every run of the whole tests has them; see worlds.test.ts. */
import { expect, it } from 'vitest';
import { expectLawful } from './expect-lawful.js';

const FIRST_SEED = Number(process.env.SIM_SEED ?? 1);
const SEEDS = Number(process.env.SIM_SEEDS ?? 2_000);

it(`${SEEDS} simulated worlds uphold the laws whatever goes wrong`, async () => {
  let faults = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) faults += await expectLawful(seed);
  // The schedules say something only if things do go wrong.
  if (SEEDS >= 100) expect(faults).toBeGreaterThan(SEEDS);
});
