/** Runs one seed's schedule and throws, with the shrunk machine, when a law is broken. */
import { runSchedule, setupOf } from './schedule.js';
import { shrink } from './shrink.js';

/** Resolves to how many things went wrong in the schedule. */
export async function expectLawful(seed: number, engines?: number): Promise<number> {
  const setup = setupOf(seed, engines);
  const { error, faults } = await runSchedule(setup);
  if (error !== null) {
    const { setup: small } = await shrink(setup, error, faults);
    const shown = JSON.stringify({ faults: small.faults, machine: small.machine }, null, 1);
    const more = engines === undefined ? '' : ` --engines ${engines}`;
    throw new Error(`npm run sim -- --seed ${seed}${more}\n${String(error)}\n${shown}`, {
      cause: error,
    });
  }
  return faults.length;
}
