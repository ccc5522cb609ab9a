/** Forks at any event of more random machines; see fork.test.ts. */
import { expect, it } from 'vitest';
import { forkEverywhere } from './fork-everywhere.js';

it('forks of 60 more machines end as their origins', async () => {
  expect(await forkEverywhere(13, 60)).toBeGreaterThan(120);
});
