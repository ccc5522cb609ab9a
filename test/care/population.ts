/** A store with executions of every kind of fate: ended, waiting, with a task out, with children. */
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { JsonObject } from '../../src/lib/json.js';
import { loadJournal } from '../../src/runtime/journal.js';
import type { Store } from '../../src/store/store.js';
import { openWorld, startRequest } from '../support/run-machine.js';
import type { Script } from '../support/scripted-handlers.js';
import { VirtualClock } from '../support/virtual-clock.js';

const wait = { Type: 'Wait', Seconds: 3600, Next: 'T' };
const task = {
  Type: 'Task',
  Resource: 's:t',
  TimeoutSeconds: 9000,
  HeartbeatSeconds: 600,
  End: true,
};

export const MACHINES: Readonly<Record<string, JsonObject>> = {
  ended: { StartAt: 'P', States: { P: { Type: 'Pass', Result: { x: 1 }, End: true } } },
  failed: { StartAt: 'F', States: { F: { Type: 'Fail', Error: 'Oops', Cause: 'because' } } },
  waiting: { TimeoutSeconds: 90_000, StartAt: 'W', States: { W: wait, T: { ...task } } },
  working: { StartAt: 'T', States: { T: { ...task, Resource: 's:slow' } } },
  parallel: {
    StartAt: 'B',
    States: {
      B: {
        Type: 'Parallel',
        Branches: [
          { StartAt: 'W', States: { W: wait, T: { ...task } } },
          { StartAt: 'T', States: { T: { ...task } } },
        ],
        End: true,
      },
    },
  },
  mapped: {
    StartAt: 'M',
    States: {
      M: {
        Type: 'Map',
        ItemsPath: '$.items',
        ItemProcessor: { StartAt: 'W', States: { W: wait, T: { ...task } } },
        End: true,
      },
    },
  },
};

export const SCRIPT: Script = {
  's:t': { do: 'ok', output: 'done', afterMs: 50 },
  's:slow': { do: 'ok', output: 'slow', afterMs: 7_200_000 },
};

export const NAMES = Object.keys(MACHINES);

export function arnOf(name: string): ExecutionArn {
  return `arn:aws:states:us-east-1:123456789012:execution:Machine:${name}` as ExecutionArn;
}

export async function openEngine(store: Store, clock: VirtualClock) {
  return (await openWorld(SCRIPT, { store, clock, seed: 11 })).engine;
}

/** Starts all of them and stops the engine in the middle. */
export async function populate(store: Store, clock = new VirtualClock()): Promise<VirtualClock> {
  const engine = await openEngine(store, clock);
  for (const name of NAMES) {
    const machine = MACHINES[name] as JsonObject;
    await engine.start(startRequest(machine, { items: [1, 2, 3] }, { name }));
  }
  await clock.pass(1_000);
  await engine.close();
  return clock;
}

/** Every execution's facts, as they are read now. */
export async function journalsOf(store: Store): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const name of NAMES) {
    const journal = await loadJournal(store, arnOf(name));
    if (journal !== null) found.set(name, JSON.stringify(journal.facts));
  }
  return found;
}

/** Drives everything to its end and tells how it ended. */
export async function finish(store: Store, clock: VirtualClock): Promise<Record<string, string>> {
  const engine = await openEngine(store, clock);
  const ends: Record<string, string> = {};
  for (const name of NAMES) {
    const state = await clock.runUntil(engine.ended(arnOf(name)));
    ends[name] = JSON.stringify([state.status, state.outcome]);
  }
  await engine.close();
  return ends;
}
