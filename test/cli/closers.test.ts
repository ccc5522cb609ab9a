/** What was opened is closed, last first, whatever fails meanwhile. */
import { expect, it } from 'vitest';
import { Closers } from '../../src/cli/closers.js';

it('closes in reverse, tries every step, and throws the first failure', async () => {
  const closed: string[] = [];
  const opened = new Closers();
  for (const name of ['store', 'engine', 'server']) {
    opened.add(async () => {
      closed.push(name);
      if (name !== 'store') throw new Error(name);
    });
  }
  await expect(opened.close()).rejects.toThrow('server');
  expect(closed).toEqual(['server', 'engine', 'store']);
  await opened.close();
  expect(closed).toHaveLength(3);
});
