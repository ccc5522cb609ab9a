/**
 * Does the simulation find bugs? Known ones are planted between the engine and its store, one at a time,
 * and seeds are run until one fails. A bug that no seed finds would show a hole in the laws or the faults.
 * Bugs that one engine alone never meets (conflicts, claims, lost holders) run in worlds of three.
 *
 * `npx tsx test/sim/mutants.ts [SEEDS]` prints, for each bug, the seed that finds it and what it says.
 */
import { fileURLToPath } from 'node:url';
import type { SharedStore } from '../../src/store/store.js';
import { runSchedule, setupOf } from './schedule.js';
import { kindOf } from './shrink.js';
import type { SimWorld } from './world.js';

type Plant = (store: SharedStore, world: SimWorld) => SharedStore;

export const MUTANTS: Readonly<Record<string, Plant>> = {
  'a commit whose reply is lost is taken for applied': (store) => ({
    ...store,
    commit: (made) => store.commit(made).catch(() => 'committed' as const),
  }),
  'effects are handed out before the commit': (store) => ({
    ...store,
    commit: async (made) => {
      void store.commit(made).catch(() => undefined);
      return 'committed';
    },
  }),
  'timers are never found due': (store) => ({
    ...store,
    dueTimers: async () => [],
    nextTimer: async () => null,
  }),
  'timers are not written': (store) => ({
    ...store,
    commit: (made) => store.commit({ ...made, timers: [] }),
  }),
  'the start after a crash finds no work': (store) => ({
    ...store,
    pendingEffects: async () => ({ items: [], next: null }),
  }),
  'a journal is read without its last commit': (store, { time }) => ({
    ...store,
    // Now and then, as from a replica that lags.
    load: async (arn) => {
      const commits = await store.load(arn);
      return time.elapsed % 3 === 1 ? commits.slice(0, -1) : commits;
    },
  }),
  'work that is done stays in the outbox': (store) => ({
    ...store,
    commit: (made) =>
      store.commit({ ...made, outbox: made.outbox.filter(({ effect }) => effect !== null) }),
  }),
};

/** Only several engines on one store can meet these. */
export const SHARED_MUTANTS: Readonly<Record<string, Plant>> = {
  'a conflict is taken for a commit': (store) => ({
    ...store,
    commit: async (made) => {
      await store.commit(made);
      return 'committed';
    },
  }),
  'work of a lost engine is never found': (store) => ({
    ...store,
    pendingEffects: async () => ({ items: [], next: null }),
  }),
  'timers of a lost engine are never found': (store, { hub }) => ({
    ...store,
    dueTimers: async (now, limit) => {
      const due = await store.dueTimers(now, limit);
      return due.filter(({ holder }) => holder === undefined || hub?.lives(holder));
    },
  }),
  'a claim is not written': (store) => ({
    ...store,
    replaceEffect: async () => true,
  }),
};

export interface Found {
  readonly seed: number;
  readonly kind: string;
}

/** The first of `seeds` seeds that fails with the bug in it, or null. */
export async function findMutant(name: string, seeds: number): Promise<Found | null> {
  const shared = SHARED_MUTANTS[name];
  const plant = shared ?? MUTANTS[name];
  const engines = shared === undefined ? 1 : 3;
  if (plant === undefined) throw new Error(`No bug is called '${name}'.`);
  for (let seed = 1; seed <= seeds; seed++) {
    const { error } = await runSchedule({ ...setupOf(seed, engines), plant });
    if (error !== null) return { seed, kind: kindOf(error) };
  }
  return null;
}

async function main(seeds: number): Promise<void> {
  let missed = 0;
  for (const name of Object.keys({ ...MUTANTS, ...SHARED_MUTANTS })) {
    const found = await findMutant(name, seeds);
    if (found === null) missed++;
    const shown =
      found === null ? `not found in ${seeds} seeds` : `seed ${found.seed}: ${found.kind}`;
    console.log(`${name}\n  ${shown.slice(0, 200)}`);
  }
  process.exitCode = missed > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(Number(process.argv[2] ?? 200));
