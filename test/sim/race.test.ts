/** Engines that race on one store in virtual time; on a real Redis: test/services/workers/engines.test.ts. */
import { expect, it } from 'vitest';
import { race } from './race.js';

it('eight engines that race on every transition write every fact once', async () => {
  const report = await race({ seed: 1, engines: 8, executions: 20, items: 8 });
  expect(report.conflicts).toBeGreaterThan(500);
  expect(report.answers).toBe(8 * 20 * 8);
});

it('a store that takes a conflict for a commit is found out', async () => {
  const options = { engines: 8, executions: 4, items: 4, onConflict: 'committed' } as const;
  await expect(race({ seed: 2, ...options })).rejects.toThrow(/begun 128 times|never ends|twice/);
});
