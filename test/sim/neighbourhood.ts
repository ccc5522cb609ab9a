/** How the engines of one world are set up beside each other: who serves what, their clocks, the network. */
import type { Script } from '../support/scripted-handlers.js';
import { SeededRandom } from '../support/seeded-random.js';
import type { Place } from './peers.js';
import type { Neighbourhood } from './world.js';

const PLENTY = 100;

export function neighbourhoodOf(seed: number, engines: number, script: Script): Neighbourhood {
  const random = new SeededRandom(seed ^ 0x9ee5);
  const lost = random.pick([0, 0.05, 0.3]);
  const doubled = random.pick([0, 0.1]);
  const lateMs = random.pick([0, 5, 300]);
  const weather = { lost, doubled, lateMs, oneMachine: random.chance(0.3) };
  const spread = random.pick([0, 0, 30, 2_500]);
  const skews = Array.from({ length: engines }, () => random.between(-spread, spread));
  return { weather, places: placesOf(random, engines, script), skews };
}

/** All alike, all with little room, or a worker that alone serves some resources. */
function placesOf(random: SeededRandom, engines: number, script: Script): readonly Place[] {
  const kind = random.pick(['alike', 'tight', 'pools'] as const);
  const concurrency = kind === 'tight' ? random.between(1, 2) : PLENTY;
  const alike = Array.from({ length: engines }, () => ({ globs: [] as string[], concurrency }));
  if (kind !== 'pools') return alike;
  const pooled = Object.keys(script).filter((_name, at) => at % 2 === 0);
  const others = { globs: pooled.map((name) => `!${name}`), concurrency };
  return alike.map((place, slot) => {
    if (pooled.length === 0) return place;
    return slot === 0 ? { globs: pooled, concurrency: random.between(1, 3) } : others;
  });
}
