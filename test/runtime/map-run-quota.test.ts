/** AWS's quota of open Map Runs: one more waits for its turn, or until nobody wants it. */
import { expect, it } from 'vitest';
import { Quota } from '../../src/runtime/map-runs/quota.js';

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('as many as the quota go on at once, the others in order as places get free', async () => {
  const quota = new Quota(2);
  const going: string[] = [];
  for (const name of ['a', 'b', 'c', 'd']) void quota.enter(name).then(() => going.push(name));
  await tick();
  expect(going).toEqual(['a', 'b']);
  quota.leave();
  await tick();
  expect(going).toEqual(['a', 'b', 'c']);
  quota.leave();
  await tick();
  expect(going).toEqual(['a', 'b', 'c', 'd']);
});

it('who is stopped does not wait, and takes no place of the others', async () => {
  const quota = new Quota(1);
  const going: string[] = [];
  for (const name of ['a', 'b', 'c']) void quota.enter(name).then(() => going.push(name));
  quota.release('b');
  await tick();
  expect(going).toEqual(['a', 'b']);
  quota.leave();
  await tick();
  expect(going).toEqual(['a', 'b', 'c']);
});
