/** The walk-through of docs/testing.md ends where it says: every scenario passes, every place is reached. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { percentOf } from '../../src/simulate/coverage/coverage.js';
import { Suite } from '../../src/simulate/scenarios/suite.js';

const file = fileURLToPath(
  new URL('../../examples/testing/ml-lifecycle.test.yaml', import.meta.url),
);

describe('the example of docs/testing.md', () => {
  it('passes, and reaches everything of the shipped machine', async () => {
    const suite = new Suite();
    const wrong: string[] = [];
    for (const prepared of await suite.prepare(file)) {
      const { failures, scenario } = await suite.run(prepared);
      for (const { expectation, message } of failures) {
        wrong.push(`${scenario.name}: ${expectation} ${message}`);
      }
    }
    expect(wrong).toEqual([]);
    const [machine] = suite.machines.values();
    const report = machine?.coverage.report();
    expect(report?.places.filter(({ hits }) => hits === 0)).toEqual([]);
    expect(report === undefined ? 0 : percentOf(report.total)).toBe(100);
  });

  it('refuses to ignore a place that the machine does not have', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'stepwell-suite-'));
    const machine = fileURLToPath(
      new URL('../../state-machines/ml-lifecycle.asl.json', import.meta.url),
    );
    const typo = join(folder, 'a.test.json');
    writeFileSync(
      typo,
      JSON.stringify({ machine, ignoreCoverage: ['catch Deplyo 0'], expect: {} }),
    );
    await expect(new Suite().prepare(typo)).rejects.toThrow(
      '/ignoreCoverage/0: The machine has no place "catch Deplyo 0". Did you mean "catch Deploy 0"?',
    );
    rmSync(folder, { recursive: true });
  });
});
