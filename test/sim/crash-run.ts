/**
 * One run of a machine in which one thing goes wrong: the process dies around a commit or inside a
 * handler, or the store fails. New processes open the same store until the run is over.
 */
import { expect } from 'vitest';
import type { Fact } from '../../src/core/fact.js';
import { AWS_LIMITS } from '../../src/core/limits.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { Json } from '../../src/lib/json.js';
import { createEngine } from '../../src/runtime/engine.js';
import type { Engine } from '../../src/runtime/face.js';
import { Ledger } from '../../src/simulate/ledger.js';
import { simulatedMapItems } from '../../src/simulate/map-items.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';
import {
  type CommitCounter,
  Crash,
  type Fault,
  faultyStore,
  type WriteFault,
} from '../support/faulty-store.js';
import { resultOf, startRequest, TEST_ARN } from '../support/run-machine.js';
import {
  type Call,
  ScriptedHandlers,
  silentLog,
  testServices,
} from '../support/scripted-handlers.js';
import { SeededRandom } from '../support/seeded-random.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { AttemptEnds } from './attempt-ends.js';
import type { CorpusMachine } from './corpus.js';
import { heldStore } from './held-store.js';
import { assertJournalLaws, derivedIndexes, foldOf, liveIndexes } from './laws.js';

export type Point =
  | { readonly fault: Fault | WriteFault; readonly at: number }
  /** The process dies as a handler is called, or as one has its result. */
  | { readonly fault: 'dies-in-handler' | 'dies-with-result'; readonly at: number }
  | null;

export interface Ended {
  readonly result: Json;
  readonly status: string;
  /** By execution: the machine's own, and the children of its Map Runs. */
  readonly journals: ReadonlyMap<ExecutionArn, readonly Fact[]>;
  readonly calls: readonly Call[];
  readonly commits: number;
  /** Documents and timers written besides. */
  readonly writes: number;
  /** Number of the commit that holds the end of each attempt, by idempotency key. */
  readonly endedAt: ReadonlyMap<string, number>;
  readonly starts: number;
}

/** A store with nothing in it, and what is done with it afterwards. */
export interface FreshStore {
  readonly store: Store;
  /** Its calls take real time. */
  readonly isReal: boolean;
}

const MAX_STEPS = 20_000;

export async function runWith(
  machine: CorpusMachine,
  point: Point,
  fresh: FreshStore = { store: new MemoryStore(), isReal: false },
): Promise<Ended> {
  const world = new VirtualClock();
  const random = new SeededRandom(7);
  const shared = fresh.isReal ? heldStore(fresh.store, world) : fresh.store;
  const counter: CommitCounter = { count: 0, writes: 0 };
  const script = typeof machine.script === 'function' ? machine.script() : machine.script;
  const handlers = new ScriptedHandlers(script, world, world);
  const ends = new AttemptEnds();
  const journals = new Map<ExecutionArn, { facts: Fact[]; texts: string[] }>();
  let starts = 0;
  let dead: Promise<void> = Promise.resolve();
  handlers.hooks = { commits: () => counter.count };

  /** One process after another, until one has opened the store. */
  const open = async (): Promise<Engine> => {
    for (;;) {
      const opening = start();
      const engine = await Promise.race([opening, dead.then(() => null)]);
      if (engine !== null) return engine;
    }
  };

  const start = async (): Promise<Engine> => {
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
    const store = faultyStore(shared, {
      fault: first && point !== null && !isHandlerFault(point.fault) ? point.fault : null,
      at: point?.at ?? 0,
      counter,
      crash,
      onCommitted: ({ arn, facts: text }) => {
        const facts = JSON.parse(text) as Fact[];
        const journal = journals.get(arn);
        if (journal === undefined) journals.set(arn, { facts, texts: [text] });
        else {
          for (const fact of facts) journal.facts.push(fact);
          journal.texts.push(text);
        }
        ends.add(arn, facts, counter.count + 1);
      },
    });
    const engine = await createEngine({
      store,
      resources: handlers.inProcess(() => crash.dead),
      services: testServices(),
      log: silentLog,
      clock,
      random: random.next,
      uuid: random.uuid,
      limits: { ...AWS_LIMITS, historyEvents: machine.historyEvents ?? HISTORY_EVENTS },
      mapItems: itemsOf(machine, world),
    });
    handlers.engine = engine;
    return engine;
  };

  const request = startRequest(machine.definition, machine.input ?? {});
  let engine = await open();
  for (;;) {
    const work = startAndWait(engine, request);
    const outcome = await world.runUntil(Promise.race([work, dead.then(() => null)]), {
      maxSteps: MAX_STEPS,
    });
    if (outcome !== null) {
      await world.settle();
      for (const [arn, { facts, texts }] of journals) {
        const journal = await shared.load(arn);
        assertEqual(journal.length, texts.length);
        journal.forEach((commit, index) => {
          if (commit.facts !== texts[index]) assertEqual(commit.facts, texts[index]);
        });
        assertEqual(await liveIndexes(shared, arn), derivedIndexes(facts));
      }
      const { calls } = handlers;
      return {
        result: resultOf(outcome),
        status: outcome.status,
        journals: new Map([...journals].map(([arn, { facts }]) => [arn, facts])),
        calls,
        commits: counter.count,
        writes: counter.writes,
        endedAt: ends.endedAt,
        starts,
      };
    }
    engine = await open();
  }
}

/** Compares texts first: tens of thousands of runs are compared, and what differs is shown well. */
function assertEqual(is: unknown, should: unknown): void {
  if (JSON.stringify(is) !== JSON.stringify(should)) expect(is).toEqual(should);
}

/** Loops that made-up answers do not end are ended by the history limit: a smaller one, sooner. */
const HISTORY_EVENTS = 2_000;
/** One that is ended so has said long before how it crashes. */
const LOOP_EVENTS = 400;

/** The run without a fault, and the machine as it is swept: an endless loop goes round less often. */
export async function cleanRun<M extends CorpusMachine>(machine: M): Promise<readonly [M, Ended]> {
  const clean = await runWith(machine, null);
  const endless = JSON.stringify(clean.result).includes('the maximum number of history events');
  if (!endless) return [machine, clean];
  const shorter = { ...machine, historyEvents: LOOP_EVENTS };
  return [shorter, await runWith(shorter, null)];
}

/** Whatever a Map Run reads from outside is what the corpus says; what it writes is only counted. */
function itemsOf(
  machine: CorpusMachine,
  clock: VirtualClock,
): ReturnType<typeof simulatedMapItems> {
  return simulatedMapItems({
    ledger: new Ledger(async () => null),
    clock,
    answer: async (call) => {
      const full = { ...call, invocation: 0, at: clock.now() };
      return {
        ...full,
        answer: { return: machine.items?.(full) ?? [] },
        by: 'corpus',
        endedAt: null,
      };
    },
  });
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
  'dies-in-commit',
  'dies-after-commit',
  'dies-after-ack',
  'reply-lost',
  'reply-lost-then-away',
  'refused',
];

const WRITE_FAULTS: readonly WriteFault[] = ['dies-before-write', 'dies-after-write'];

export const HANDLER_FAULTS = ['dies-in-handler', 'dies-with-result'] as const;

/**
 * Every point of a run without faults: each commit with each fault of the store, each other write and
 * each call of a handler with both of theirs. A process dies before a commit, during it, after it and
 * before the answer, after the answer and before anything is handed out, after a task is handed out and
 * before its result, and after the result and before its commit.
 */
export function pointsOf(clean: Ended): readonly NonNullable<Point>[] {
  return [
    ...STORE_FAULTS.flatMap((fault) => upTo(clean.commits).map((at) => ({ fault, at }))),
    ...WRITE_FAULTS.flatMap((fault) => upTo(clean.writes).map((at) => ({ fault, at }))),
    ...HANDLER_FAULTS.flatMap((fault) => upTo(clean.calls.length).map((at) => ({ fault, at }))),
  ];
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function isHandlerFault(fault: string): fault is (typeof HANDLER_FAULTS)[number] {
  return (HANDLER_FAULTS as readonly string[]).includes(fault);
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

/** What differs from run to run by nature: instants, ids, and numbers of events. */
const OF_THE_MOMENT =
  /EnteredTime|StartTime|RedriveTime|UUID|\$now|\$millis|\$uuid|\$random|Random|Token/;

export function assertSameAs(machine: CorpusMachine, clean: Ended, ended: Ended): void {
  if (OF_THE_MOMENT.test(JSON.stringify([machine.definition, clean.result]))) {
    expect(ended.status).toBe(clean.status);
  } else {
    assertEqual(withoutPlace(ended.result), withoutPlace(clean.result));
  }
  assertLawful(ended);
}

/**
 * Where several things run at a time, the number of an event depends on which is first; and the name of
 * a Map Run that was not written is drawn again.
 */
function withoutPlace(result: Json): unknown {
  const text = JSON.stringify(result).replaceAll(/event id #\d+/g, 'event id #');
  return JSON.parse(text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '#'));
}

/** Over, lawful, and nothing that was finished ran again. */
export function assertLawful(ended: Ended): void {
  for (const facts of ended.journals.values()) {
    assertJournalLaws(facts);
    expect(foldOf(facts).status).not.toBe('RUNNING');
  }
  for (const call of ended.calls) {
    const end = ended.endedAt.get(call.idempotencyKey);
    if (end !== undefined && call.commits >= end) {
      throw new Error(`${call.resource} was called after commit ${end} had its result.`);
    }
  }
}
