/**
 * One run of a machine in which one thing goes wrong: the process dies around a commit or inside a
 * handler, or the store fails. New processes open the same store until the run is over.
 */
import { expect } from 'vitest';
import type { Fact } from '../../src/core/fact.js';
import { sha256 } from '../../src/lib/digest.js';
import type { Json } from '../../src/lib/json.js';
import { createEngine } from '../../src/runtime/engine.js';
import type { Engine } from '../../src/runtime/face.js';
import { MemoryStore } from '../../src/store/memory.js';
import { type CommitCounter, Crash, type Fault, faultyStore } from '../support/faulty-store.js';
import { resultOf, startRequest, TEST_ARN } from '../support/run-machine.js';
import {
  type Call,
  ScriptedHandlers,
  silentLog,
  testServices,
} from '../support/scripted-handlers.js';
import { SeededRandom } from '../support/seeded-random.js';
import { settled, VirtualClock } from '../support/virtual-clock.js';
import type { CorpusMachine } from './corpus.js';
import { assertJournalLaws, derivedIndexes, foldOf, liveIndexes } from './laws.js';

export type Point =
  | { readonly fault: Fault; readonly at: number }
  /** The process dies as a handler is called, or as one has its result. */
  | { readonly fault: 'dies-in-handler' | 'dies-with-result'; readonly at: number }
  | null;

export interface Ended {
  readonly result: Json;
  readonly facts: readonly Fact[];
  readonly calls: readonly Call[];
  readonly commits: number;
  /** Number of the commit that holds the end of each attempt, by idempotency key. */
  readonly endedAt: ReadonlyMap<string, number>;
  readonly starts: number;
}

export async function runWith(machine: CorpusMachine, point: Point): Promise<Ended> {
  const world = new VirtualClock();
  const random = new SeededRandom(7);
  const memory = new MemoryStore();
  const counter: CommitCounter = { count: 0 };
  const handlers = new ScriptedHandlers(machine.script, world, world);
  const endedAt = new Map<string, number>();
  const facts: Fact[] = [];
  let starts = 0;
  let dead: Promise<void> = Promise.resolve();
  handlers.hooks = { commits: () => counter.count };

  const open = async (): Promise<Engine> => {
    starts++;
    const clock = world.process();
    let onDeath = (): void => undefined;
    dead = new Promise((resolve) => {
      onDeath = () => {
        clock.kill();
        handlers.engine = null;
        resolve();
      };
    });
    const crash = new Crash(onDeath);
    const first = starts === 1;
    armHandlers(handlers, crash, first ? point : null);
    handlers.clock = clock;
    const store = faultyStore(memory, {
      fault: first && point !== null && isStoreFault(point.fault) ? point.fault : null,
      at: point?.at ?? 0,
      counter,
      crash,
      onCommitted: (commit) => {
        facts.push(...(JSON.parse(commit.facts) as Fact[]));
        noteEnds(facts, counter.count + 1, endedAt);
      },
    });
    const engine = await createEngine({
      store,
      resources: handlers,
      services: testServices(),
      log: silentLog,
      clock,
      random: random.next,
      uuid: random.uuid,
    });
    handlers.engine = engine;
    return engine;
  };

  const request = startRequest(machine.definition, machine.input ?? {});
  let engine = await open();
  for (;;) {
    const work = startAndWait(engine, request);
    const outcome = await world.runUntil(Promise.race([work, dead.then(() => null)]), {
      maxSteps: 20_000,
    });
    if (outcome !== null) {
      await settled();
      const journal = await memory.load(TEST_ARN);
      expect(journal.flatMap((commit) => JSON.parse(commit.facts) as Fact[])).toEqual(facts);
      expect(await liveIndexes(memory, TEST_ARN)).toEqual(derivedIndexes(facts));
      const { calls } = handlers;
      return {
        result: resultOf(outcome),
        facts,
        calls,
        commits: counter.count,
        endedAt,
        starts,
      };
    }
    engine = await open();
  }
}

/** What a client does: starts again, under the same name, until the start is acknowledged. */
async function startAndWait(engine: Engine, request: ReturnType<typeof startRequest>) {
  for (let attempt = 0; ; attempt++) {
    try {
      await engine.start(request);
      return await engine.ended(TEST_ARN);
    } catch (error) {
      if (attempt > 10) throw error;
    }
  }
}

export const STORE_FAULTS: readonly Fault[] = [
  'dies-before-commit',
  'dies-after-commit',
  'reply-lost',
  'reply-lost-then-away',
  'refused',
];

function isStoreFault(fault: string): fault is Fault {
  return (STORE_FAULTS as readonly string[]).includes(fault);
}

function armHandlers(handlers: ScriptedHandlers, crash: Crash, point: Point): void {
  let called = 0;
  let finished = 0;
  const { commits } = handlers.hooks;
  handlers.hooks = {
    ...(commits === undefined ? {} : { commits }),
    onCall: () => {
      if (point?.fault === 'dies-in-handler' && ++called === point.at) crash.die();
    },
    onFinish: () => {
      if (point?.fault === 'dies-with-result' && ++finished === point.at) crash.die();
    },
  };
}

/** Keys of the attempts whose end `facts` hold by now. */
function noteEnds(facts: readonly Fact[], commit: number, endedAt: Map<string, number>): void {
  const entered = new Map<string, { readonly name: string; readonly event: number }>();
  const keys = new Map<number, string>();
  for (const fact of facts) {
    if (fact.type === 'StateEntered') {
      entered.set(fact.frame, { name: fact.name, event: fact.event?.id ?? 0 });
    }
    if (fact.type === 'TaskScheduled') {
      const visit = entered.get(fact.frame);
      const visitKey = sha256(`${TEST_ARN}\n${visit?.name}\n${fact.frame}\n${visit?.event}`);
      keys.set(fact.seq, sha256(`${visitKey}\n${fact.seq}\n${fact.nonce}`));
    }
    if (fact.type === 'TaskSucceeded' || fact.type === 'TaskFailed') {
      const key = keys.get(fact.scheduled) ?? '';
      if (!endedAt.has(key)) endedAt.set(key, commit);
    }
  }
}

export function assertSameAs(clean: Ended, ended: Ended): void {
  expect(ended.result).toEqual(clean.result);
  assertLawful(ended);
}

/** Over, lawful, and nothing that was finished ran again. */
export function assertLawful(ended: Ended): void {
  assertJournalLaws(ended.facts);
  expect(foldOf(ended.facts).status).not.toBe('RUNNING');
  for (const call of ended.calls) {
    const end = ended.endedAt.get(call.idempotencyKey);
    if (end !== undefined && call.commits >= end) {
      throw new Error(`${call.resource} was called after commit ${end} had its result.`);
    }
  }
}
