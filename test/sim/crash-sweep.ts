/** Runs a machine once for each point at which something can go wrong, and holds every run to the laws. */
import { SeededRandom } from '../support/seeded-random.js';
import type { CorpusMachine } from './corpus.js';
import {
  assertLawful,
  assertSameAs,
  type Ended,
  type FreshStore,
  HANDLER_FAULTS,
  type Point,
  pointsOf,
  runWith,
  STORE_FAULTS,
} from './crash-run.js';
import { generateMachine } from './generator.js';

/** Resolves to the number of points; throws a sentence that names the one at which a law is broken. */
export async function sweep(
  machine: CorpusMachine,
  clean: Ended,
  options: {
    readonly points?: readonly NonNullable<Point>[];
    readonly fresh?: () => Promise<FreshStore>;
  } = {},
): Promise<number> {
  const { points = pointsOf(clean), fresh } = options;
  for (const point of points) {
    try {
      assertSameAs(machine, clean, await runWith(machine, point, await fresh?.()));
    } catch (error) {
      throw new Error(`${point.fault} at ${point.at}: ${String(error)}`, { cause: error });
    }
  }
  return points.length;
}

const FAULTS_PER_SEED = 5;

/** Work that is repeated takes its time again: a timeout may come first, so outcomes may differ. */
export async function sweepRandom(first: number, seeds: number): Promise<void> {
  for (let seed = first; seed < first + seeds; seed++) {
    const machine = generateMachine(seed);
    const random = new SeededRandom(seed);
    const clean = await runWith(machine, null);
    for (let time = 0; time < FAULTS_PER_SEED; time++) {
      const fault = random.pick([...STORE_FAULTS, ...HANDLER_FAULTS]);
      const at = random.between(1, isHandlerFault(fault) ? 10 : clean.commits);
      try {
        assertLawful(await runWith(machine, { fault, at } as NonNullable<Point>));
      } catch (error) {
        const replay = `SIM_SEED=${seed} npx vitest run --project fast test/sim`;
        const shown = JSON.stringify(machine.definition);
        throw new Error(`${fault} at ${at}. ${replay}\n${String(error)}\n${shown}`, {
          cause: error,
        });
      }
    }
  }
}

function isHandlerFault(fault: string): boolean {
  return (HANDLER_FAULTS as readonly string[]).includes(fault);
}
