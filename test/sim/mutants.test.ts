/** The simulation finds bugs that are planted: the laws and faults are worth something. */
import { expect, it } from 'vitest';
import { findMutant, MUTANTS } from './mutants.js';

it.each(Object.keys(MUTANTS))('%s', async (name) => {
  expect(await findMutant(name, 60)).not.toBeNull();
});
