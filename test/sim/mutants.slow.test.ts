/** Planted bugs that only several engines on one store can meet; the others: mutants.test.ts. */
import { expect, it } from 'vitest';
import { findMutant, SHARED_MUTANTS } from './mutants.js';

it.each(Object.keys(SHARED_MUTANTS))('%s', async (name) => {
  expect(await findMutant(name, 60)).not.toBeNull();
});
