/**
 * The exhaustive crash-point sweep: every machine of the corpus, every commit, every kind of fault;
 * and random machines, each with a few faults drawn by its seed. Whatever happens, the outcome of a
 * corpus machine is that of the run without a fault; no run is stuck, no handler runs again once its
 * result is in the journal, and the journal is lawful.
 */
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../support/seeded-random.js';
import { CORPUS } from './corpus.js';
import { assertLawful, assertSameAs, type Point, runWith, STORE_FAULTS } from './crash-run.js';
import { generateMachine } from './generator.js';

const HANDLER_FAULTS = ['dies-in-handler', 'dies-with-result'] as const;

describe.each(Object.entries(CORPUS))('%s', (_name, machine) => {
  it('ends the same wherever the process dies or the store fails', async () => {
    const clean = await runWith(machine, null);
    expect(clean.starts).toBe(1);
    assertSameAs(clean, clean);
    const points: NonNullable<Point>[] = [
      ...STORE_FAULTS.flatMap((fault) => upTo(clean.commits).map((at) => ({ fault, at }))),
      ...HANDLER_FAULTS.flatMap((fault) => upTo(clean.calls.length).map((at) => ({ fault, at }))),
    ];
    for (const point of points) {
      try {
        assertSameAs(clean, await runWith(machine, point));
      } catch (error) {
        throw new Error(`${point.fault} at ${point.at}: ${String(error)}`, { cause: error });
      }
    }
  });
});

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

const FIRST_SEED = Number(process.env.SIM_SEED ?? 1);
const SEEDS = Number(process.env.SIM_SEEDS ?? (process.env.SIM_SEED === undefined ? 150 : 1));
const FAULTS_PER_SEED = 5;

describe('random machines', () => {
  // Work that is repeated takes its time again: a timeout may come first, so outcomes may differ.
  it('end, lawfully, wherever the process dies or the store fails', async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const machine = generateMachine(seed);
      const random = new SeededRandom(seed);
      const clean = await runWith(machine, null);
      for (let time = 0; time < FAULTS_PER_SEED; time++) {
        const fault = random.pick([...STORE_FAULTS, ...HANDLER_FAULTS]);
        const at = random.between(1, fault.includes('commit') ? clean.commits : 10);
        try {
          assertLawful(await runWith(machine, { fault, at } as Point));
        } catch (error) {
          const replay = `SIM_SEED=${seed} npx vitest run --project fast test/sim`;
          const shown = JSON.stringify(machine.definition);
          throw new Error(`${fault} at ${at}. ${replay}\n${String(error)}\n${shown}`, {
            cause: error,
          });
        }
      }
    }
  });
});
