/**
 * The bar of explore: every state that can be reached, of at least 95 % of the machines in
 * ../shared/definitions; and everything there is of the machines we ship. The table is printed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/lib/json.js';
import { explore } from '../../src/simulate/explore/explore.js';
import { Search } from '../../src/simulate/explore/search.js';
import { filledIn } from '../../src/simulate/explore/placeholders.js';
import { statesCutOff } from '../../src/simulate/explore/transitions.js';
import { publicMachines, publicMachinesAreThere } from '../support/samples.js';

if (!publicMachinesAreThere) console.warn('SKIPPED: no machines at ../shared/definitions');

const shipped = fileURLToPath(new URL('../../state-machines/', import.meta.url));

/** The bar is 10 s a machine; CI gives each a part of that, in runs, so that the clock decides nothing. */
const BUDGET = { maxPaths: 150, timeLimitMs: 10_000 };

/** States that were not reached, though transitions lead to them. */
async function unreached(definition: JsonObject): Promise<readonly string[]> {
  const filled = filledIn(definition).definition;
  const search = new Search({
    definition: filled,
    input: undefined,
    type: 'STANDARD',
    seed: 0,
    ...BUDGET,
  });
  await search.explore();
  const cutOff = statesCutOff(filled, new Set(['', ...search.proofs.contradictions.keys()]));
  return search.report.places
    .filter(({ hits, kind, state }) => kind === 'state' && hits === 0 && !cutOff.has(state))
    .map(({ state }) => state);
}

describe('explore', () => {
  it.skipIf(!publicMachinesAreThere)(
    'reaches every reachable state of at least 95 % of the machines of ../shared/definitions',
    async () => {
      const machines = publicMachines();
      const table: string[] = [];
      for (const { definition, id } of machines) {
        const left = await unreached(definition);
        if (left.length > 0) table.push(`${id}: ${left.slice(0, 4).join(', ')}`);
      }
      const rate = 1 - table.length / machines.length;
      console.log(
        `${(100 * rate).toFixed(1)} % of ${machines.length} machines; not all of\n  ${table.join('\n  ')}`,
      );
      expect(machines.length).toBeGreaterThan(140);
      expect(rate).toBeGreaterThanOrEqual(0.95);
    },
    180_000,
  );

  it.each(readdirSync(shipped).filter((name) => name.endsWith('.asl.json')))(
    'reaches everything of %s, and finds no error in it',
    async (name) => {
      const definition = JSON.parse(readFileSync(shipped + name, 'utf8')) as JsonObject;
      const seen = await explore({
        definition,
        input: undefined,
        type: 'STANDARD',
        seed: 0,
        ...BUDGET,
        maxPaths: 400,
      });
      expect(seen.coverage.places.filter(({ hits }) => hits === 0).map(({ id }) => id)).toEqual([]);
      expect(seen.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    },
  );
});
