/**
 * Eight engines on one store race on every transition: each callback is answered by all of them at the
 * same moment, commits and notices take a random time, and one of them stops some executions as they
 * end. One seed decides the order of everything.
 */
import type { Fact } from '../../src/core/fact.js';
import type { EpochMs, ExecutionArn } from '../../src/lib/brand.js';
import type { JsonObject } from '../../src/lib/json.js';
import { createEngine } from '../../src/runtime/engine.js';
import type { Engine } from '../../src/runtime/face.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { Commit, SharedStore } from '../../src/store/store.js';
import { MemoryHub, MemoryPeers } from '../support/memory-peers.js';
import { startRequest } from '../support/run-machine.js';
import { ScriptedHandlers, silentLog, testServices } from '../support/scripted-handlers.js';
import { SeededRandom } from '../support/seeded-random.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { assertJournalLaws, derivedIndexes, foldOf, liveIndexes } from './laws.js';

export interface RaceOptions {
  readonly seed: number;
  readonly engines: number;
  readonly executions: number;
  readonly items: number;
  /** A bug to be found: what every engine's store answers to a commit that conflicts. */
  readonly onConflict?: 'committed';
}

export interface RaceReport {
  /** Commits that another engine had made impossible. */
  readonly conflicts: number;
  readonly commits: number;
  /** Answers by token, of which only the first of each counts. */
  readonly answers: number;
  readonly accepted: number;
  readonly tokens: number;
}

export const RACE_MACHINE: JsonObject = {
  StartAt: 'M',
  States: {
    M: {
      Type: 'Map',
      ItemsPath: '$.items',
      ItemProcessor: {
        StartAt: 'Ask',
        States: {
          Ask: {
            Type: 'Task',
            Resource: 's:ask.waitForTaskToken',
            Parameters: { 'token.$': '$$.Task.Token' },
            Next: 'Rest',
          },
          Rest: { Type: 'Wait', Seconds: 1, Next: 'Work' },
          Work: { Type: 'Task', Resource: 's:work', End: true },
        },
      },
      End: true,
    },
  },
};

/** Virtual; each takes about a second. */
const PATIENCE_MS = 60_000;
/** Longest delay of a commit or a notice. */
const LATE_MS = 4;
/** Of so many executions one is stopped while its last answers are on their way. */
const STOPPED_EVERY = 10;

/** Throws a sentence when a law is broken or something never ends. */
export async function race(options: RaceOptions): Promise<RaceReport> {
  const { seed, executions, items } = options;
  const clock = new VirtualClock();
  const random = new SeededRandom(seed);
  const delay = (): number => random.between(0, LATE_MS);
  const memory = new MemoryStore();
  const hub = new MemoryHub(clock, delay);
  const counts = { conflicts: 0, commits: 0, answers: 0, accepted: 0, tokens: 0 };
  const engines: Engine[] = [];
  for (let index = 0; index < options.engines; index++) {
    engines.push(await openRacer());
  }

  async function openRacer(): Promise<Engine> {
    const store = lateStore(memory, clock, delay, (answer) => {
      counts.commits++;
      if (answer === 'conflict') counts.conflicts++;
      return options.onConflict ?? answer;
    });
    const handlers = new ScriptedHandlers(
      (resource, parameters, { taskToken }) => {
        if (resource === 's:work') return { do: 'ok', afterMs: delay() };
        everybodyAnswers(taskToken ?? String((parameters as JsonObject).token));
        return { do: 'hang' };
      },
      clock,
      clock,
    );
    return createEngine({
      store,
      resources: handlers,
      services: testServices(),
      log: silentLog,
      clock,
      random: random.next,
      uuid: random.uuid,
      peers: new MemoryPeers(hub, store),
    });
  }

  function everybodyAnswers(token: string): void {
    const output = counts.tokens++;
    const at = (clock.now() + 5) as EpochMs;
    for (const engine of engines) {
      clock.at(at, () => {
        counts.answers++;
        engine.taskSucceeded(token, output).then(
          (answer) => {
            if (answer === 'accepted') counts.accepted++;
          },
          () => undefined,
        );
      });
    }
  }

  const work = Array.from({ length: executions }, async (_, index) => {
    const input = { items: Array.from({ length: items }, (_item, number) => number) };
    const request = startRequest(RACE_MACHINE, input, { name: `r${index}` });
    const arn = request.identity.arn as ExecutionArn;
    // All start it: one does.
    await Promise.all(engines.map((engine) => engine.start(request)));
    if (index % STOPPED_EVERY === STOPPED_EVERY - 1) {
      clock.at((clock.now() + 1_010) as EpochMs, () => {
        for (const engine of engines) {
          engine.stop(arn, { error: 'No', cause: 'more' }).catch(() => undefined);
        }
      });
    }
    const from = clock.now();
    while ((await memory.row(arn))?.status === 'RUNNING') {
      if (clock.now() - from > PATIENCE_MS) throw new Error(`${arn} never ends.`);
      await clock.sleep(100);
    }
    return arn;
  });
  const arns = await clock.runUntil(Promise.all(work));
  await clock.settle();
  for (const arn of arns) await judge(memory, arn, items);
  const { tokens, accepted } = counts;
  if (tokens !== executions * items) throw new Error(`Tasks were begun ${tokens} times.`);
  if (accepted !== tokens)
    throw new Error(`${accepted} answers to ${tokens} tokens were accepted.`);
  await Promise.all(engines.map((engine) => engine.close()));
  return counts;
}

/** Throws when the journal breaks a law, counts a result twice, or lacks one. */
export async function judge(store: SharedStore, arn: ExecutionArn, items: number): Promise<void> {
  const commits = await store.load(arn);
  const facts = commits.flatMap(({ facts: text }) => JSON.parse(text) as Fact[]);
  assertJournalLaws(facts);
  const { status } = foldOf(facts);
  if (status === 'RUNNING') throw new Error(`${arn} never ends.`);
  const counted = facts.flatMap((fact) => (fact.type === 'TaskSucceeded' ? [fact.scheduled] : []));
  if (new Set(counted).size !== counted.length) throw new Error(`${arn} counts a result twice.`);
  if (status === 'SUCCEEDED' && counted.length !== 2 * items) {
    throw new Error(`${arn} has ${counted.length} results.`);
  }
  const [live, derived] = [await liveIndexes(store, arn), derivedIndexes(facts)];
  if (JSON.stringify(live) !== JSON.stringify(derived)) {
    throw new Error(`The indexes of ${arn} are ${JSON.stringify(live)}.`);
  }
}

/** One engine's way to the store: commits take a random time to get there, and so do their replies. */
function lateStore(
  memory: MemoryStore,
  clock: VirtualClock,
  delay: () => number,
  onCommit: (answer: 'committed' | 'conflict') => 'committed' | 'conflict',
): SharedStore {
  const commit = async (made: Commit): Promise<'committed' | 'conflict'> => {
    await clock.sleep(delay());
    const answer = onCommit(await memory.commit(made));
    await clock.sleep(delay());
    return answer;
  };
  return new Proxy(memory, {
    get: (from, name) => {
      if (name === 'commit') return commit;
      const member: unknown = Reflect.get(from, name, from);
      return typeof member === 'function' ? member.bind(from) : member;
    },
  });
}
