/**
 * Whole worlds: the production engine and API under random machines, clients and faults, each decided
 * by its seed. `npm run sim -- --seed N --seeds M` runs more of them, in two processes.
 */
import { describe, expect, it } from 'vitest';
import { expectLawful } from './expect-lawful.js';
import { runSchedule, setupOf } from './schedule.js';
import known from './seeds.json' with { type: 'json' };
import { kindOf } from './shrink.js';

describe('a simulated world', () => {
  it('upholds the laws and keeps its promises whatever goes wrong', async () => {
    for (let seed = 1; seed <= 60; seed++) await expectLawful(seed);
  });

  it('does so for every seed that has failed before', async () => {
    for (const { seed, engines } of known.seeds) await expectLawful(seed, engines);
  }, 60_000);

  it('does so with several engines on one store', async () => {
    for (let seed = 1; seed <= 30; seed++) await expectLawful(seed, 2 + (seed % 3));
  });

  it('replays a seed to the same commits and faults', async () => {
    for (const seed of [7, 44, 83, 251]) {
      for (const engines of [1, 3]) {
        const setup = setupOf(seed, engines);
        expect(await runSchedule(setup)).toEqual(await runSchedule(setup));
      }
    }
  });

  it('tells different failures apart by what they say', () => {
    expect(kindOf(new Error('Fact 12 is no next.'))).toBe(kindOf(new Error('Fact 7 is no next.')));
  });
});
