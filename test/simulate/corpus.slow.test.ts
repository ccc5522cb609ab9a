/**
 * Every machine of ../shared/definitions runs to an end under made-up answers, and the same seed gives
 * the same journals, byte for byte: for them, and for generated machines.
 */
import { describe, expect, it } from 'vitest';
import { AWS_LIMITS } from '../../src/core/limits.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { defaultResponder, plausibleInput } from '../../src/simulate/mocks/defaults.js';
import { type Simulation, simulate } from '../../src/simulate/simulate.js';
import { generateMachine } from '../sim/generator.js';
import { publicMachines, publicMachinesAreThere } from '../support/samples.js';

if (!publicMachinesAreThere) console.warn('SKIPPED: no machines at ../shared/definitions');

/** Loops that made-up answers do not end are ended by the history limit: a smaller one, sooner. */
const LIMITS = { ...AWS_LIMITS, historyEvents: 2000 };

function run(definition: JsonObject, input: Json, seed: number): Promise<Simulation> {
  const responders = [defaultResponder(definition)];
  return simulate({ definition, input, responders, seed, limits: LIMITS });
}

const journalsOf = ({ journals }: Simulation): string => JSON.stringify([...journals]);

describe.skipIf(!publicMachinesAreThere)('the machines of ../shared/definitions', () => {
  it('all end under made-up answers, most of them well, and the same seed gives the same bytes', async () => {
    let succeeded = 0;
    const open: string[] = [];
    const different: string[] = [];
    const machines = publicMachines();
    for (const { id, definition } of machines) {
      const input = plausibleInput(definition);
      const first = await run(definition, input, 7);
      if (first.status === 'RUNNING') open.push(`${id}: ${JSON.stringify(first.waitsFor)}`);
      if (first.status === 'SUCCEEDED') succeeded++;
      const second = await run(definition, input, 7);
      if (journalsOf(first) !== journalsOf(second)) different.push(id);
    }
    expect(machines.length).toBeGreaterThan(140);
    expect(open).toEqual([]);
    expect(different).toEqual([]);
    expect(succeeded / machines.length).toBeGreaterThan(0.7);
  });
});

describe('generated machines', () => {
  it('give the same bytes for the same seed', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { definition, input } = generateMachine(seed);
      const first = await run(definition, input ?? {}, seed);
      const second = await run(definition, input ?? {}, seed);
      expect(journalsOf(first)).toBe(journalsOf(second));
    }
  });
});
