/**
 * The crash-point sweep over machines of others: public repositories, recordings, the shipped ones,
 * and generated ones. Every commit, every point; see crash-sweep.test.ts. `npm run sweep` leaves none out.
 */
import { expect, it } from 'vitest';
import { cleanRun } from './crash-run.js';
import { sweep, sweepRandom } from './crash-sweep.js';
import { foundMachines } from './found-machines.js';
import type { Ended } from './crash-run.js';

/** Longer runs repeat the same states: the sweep would grow with the square of their commits. */
const MAX_COMMITS = Number(process.env.SWEEP_COMMITS ?? 30);
const GENERATED = { from: 5_000, count: 60 };

/** Machines whose journals have the same facts in the same frames crash in the same places. */
function shapeOf(ended: Ended): string {
  const facts = [...ended.journals.values()].flat();
  return facts.map(({ type, frame }) => `${type} ${frame}`).join('\n');
}

it('machines of others end the same wherever the process dies or the store fails', async () => {
  const { machines, leftOut } = foundMachines(GENERATED);
  const shapes = new Set<string>();
  const failed: string[] = [];
  let [swept, points, same, long] = [0, 0, 0, 0];
  for (const found of machines) {
    try {
      const [machine, clean] = await cleanRun(found);
      const shape = shapeOf(clean);
      if (clean.commits > MAX_COMMITS) long++;
      else if (shapes.has(shape)) same++;
      else {
        shapes.add(shape);
        points += await sweep(machine, clean);
        swept++;
      }
    } catch (error) {
      failed.push(`${found.id}: ${String(error)}`);
    }
  }
  console.info(
    `${swept} machines at ${points} points; left out: ${same} of the same shape, ${long} of more ` +
      `than ${MAX_COMMITS} commits, ${leftOut.size} invalid or with activities`,
  );
  expect(failed).toEqual([]);
  expect(swept).toBeGreaterThan(60);
});

it('so do random machines', async () => {
  await sweepRandom(41, 160);
});
