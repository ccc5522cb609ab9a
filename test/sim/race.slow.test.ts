/** Thousands of races between eight engines, in other orders; see race.test.ts. */
import { expect, it } from 'vitest';
import { race } from './race.js';

it('eight engines race thousands of times, and nothing is lost, doubled or stuck', async () => {
  let [conflicts, answers] = [0, 0];
  for (let seed = 10; seed < 20; seed++) {
    const report = await race({ seed, engines: 8, executions: 10, items: 8 });
    conflicts += report.conflicts;
    answers += report.answers;
  }
  console.info(`${answers} answers, ${conflicts} conflicts`);
  expect(conflicts).toBeGreaterThan(3_000);
});
