/** The engine among others: rival engines, damaged journals, bugs, and what it does on its way out. */
import { describe, expect, it } from 'vitest';
import type { Fact } from '../../src/core/fact.js';
import { fold } from '../../src/core/evolve.js';
import type { Digest } from '../../src/lib/brand.js';
import { createEngine } from '../../src/runtime/engine.js';
import type { Engine } from '../../src/runtime/face.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { JournalCommit, Store } from '../../src/store/store.js';
import { assertJournalLaws } from '../sim/laws.js';
import { openWorld, resultOf, startRequest, TEST_ARN } from '../support/run-machine.js';
import {
  type Script,
  ScriptedHandlers,
  silentLog,
  testServices,
} from '../support/scripted-handlers.js';
import { SeededRandom } from '../support/seeded-random.js';
import { settled, VirtualClock } from '../support/virtual-clock.js';

const FLOW = {
  StartAt: 'A',
  States: {
    A: { Type: 'Task', Resource: 's:a', Retry: [{ ErrorEquals: ['Oops'] }], Next: 'M' },
    M: {
      Type: 'Map',
      ItemsPath: '$.items',
      ItemProcessor: {
        StartAt: 'W',
        States: {
          W: { Type: 'Wait', Seconds: 5, Next: 'B' },
          B: { Type: 'Task', Resource: 's:b', End: true },
        },
      },
      End: true,
    },
  },
};

const SCRIPT: Script = {
  's:a': [
    { do: 'fail', error: 'Oops', afterMs: 10 },
    { do: 'ok', output: { items: [1, 2, 3, 4] }, afterMs: 10 },
  ],
  's:b': { do: 'ok', afterMs: 20 },
};

interface Rivals {
  readonly clock: VirtualClock;
  readonly store: Store;
  readonly engines: readonly Engine[];
  readonly handlers: readonly ScriptedHandlers[];
}

async function openRivals(count: number, store: Store): Promise<Rivals> {
  const clock = new VirtualClock();
  const engines: Engine[] = [];
  const handlers: ScriptedHandlers[] = [];
  for (let index = 0; index < count; index++) {
    const random = new SeededRandom(100 + index);
    const own = new ScriptedHandlers(SCRIPT, clock);
    engines.push(
      await createEngine({
        store,
        resources: own,
        services: testServices(),
        log: silentLog,
        clock,
        random: random.next,
        uuid: random.uuid,
      }),
    );
    handlers.push(own);
  }
  return { clock, store, engines, handlers };
}

async function factsOf(store: Store): Promise<Fact[]> {
  const commits = await store.load(TEST_ARN);
  return commits.flatMap((commit) => JSON.parse(commit.facts) as Fact[]);
}

describe('engines that race on one execution', () => {
  it('write one journal, and the execution starts and ends once', async () => {
    const rivals = await openRivals(8, new MemoryStore());
    const { clock, store, engines } = rivals;
    const started = await Promise.all(
      engines.map((engine) => engine.start(startRequest(FLOW, {}))),
    );
    expect(started.filter(({ is }) => is === 'started')).toHaveLength(1);
    await clock.pass(120_000);
    const facts = await factsOf(store);
    assertJournalLaws(facts);
    expect(facts.filter((fact) => fact.type === 'ExecutionEnded')).toHaveLength(1);
    const state = fold(facts);
    expect(state === null ? null : resultOf(state)).toEqual([1, 2, 3, 4]);
  });

  it('stop it once', async () => {
    const { clock, engines, store } = await openRivals(8, new MemoryStore());
    await engines[0]?.start(startRequest(FLOW, {}));
    await clock.pass(5);
    const failure = { error: null, cause: null };
    const stopped = await Promise.all(engines.map((engine) => engine.stop(TEST_ARN, failure)));
    // Equal commits cannot be told apart: whoever is told of a stop is told of the same one.
    expect(new Set(stopped.filter((at) => at !== null)).size).toBe(1);
    await clock.pass(60_000);
    const facts = await factsOf(store);
    expect(facts.filter((fact) => fact.type === 'ExecutionEnded')).toHaveLength(1);
    expect(facts.at(-1)?.type).toBe('ExecutionEnded');
  });
});

class DamagedStore extends MemoryStore {
  damage: ((commits: readonly JournalCommit[]) => readonly JournalCommit[]) | null = null;
  override async load(arn: typeof TEST_ARN): Promise<readonly JournalCommit[]> {
    const commits = await super.load(arn);
    return this.damage?.(commits) ?? commits;
  }
}

describe('a damaged journal', () => {
  it.each<[string, (commits: readonly JournalCommit[]) => readonly JournalCommit[]]>([
    [
      'a changed character',
      ([first, ...rest]) => [
        { ...(first as JournalCommit), facts: first?.facts.replace('"A"', '"B"') ?? '' },
        ...rest,
      ],
    ],
    ['a missing commit', (commits) => commits.slice(1)],
    [
      'another digest',
      ([first, ...rest]) => [{ ...(first as JournalCommit), digest: 'x' as Digest }, ...rest],
    ],
    ['swapped commits', (commits) => commits.toReversed()],
  ])('(%s) is detected and not driven; others go on', async (_what, damage) => {
    const store = new DamagedStore();
    const world = await openWorld(SCRIPT, { store });
    await world.engine.start(startRequest(FLOW, {}));
    await world.clock.pass(50);
    await world.engine.close();
    const before = (await store.load(TEST_ARN)).length;
    expect(before).toBeGreaterThan(1);
    store.damage = (commits) =>
      commits[0]?.facts.includes('"name":"run"') ? damage(commits) : commits;
    const second = await openWorld(SCRIPT, { store });
    await second.engine.start(startRequest(FLOW, {}, { name: 'other' }));
    const other = TEST_ARN.replace(/run$/, 'other') as typeof TEST_ARN;
    const state = await second.clock.runUntil(second.engine.ended(other));
    expect(state.status).toBe('SUCCEEDED');
    await expect(second.engine.state(TEST_ARN)).rejects.toThrow('damaged');
    store.damage = null;
    expect(await store.load(TEST_ARN)).toHaveLength(before);
  });
});

describe('closing', () => {
  it('leaves running work open; the next engine does it again', async () => {
    const store = new MemoryStore();
    const first = await openWorld({ 's:a': { do: 'ok', afterMs: 60_000 } }, { store });
    const definition = {
      StartAt: 'A',
      States: { A: { Type: 'Task', Resource: 's:a', End: true } },
    };
    await first.engine.start(startRequest(definition, { n: 1 }));
    await settled();
    expect(first.handlers.calls).toHaveLength(1);
    await first.engine.close();
    await expect(first.engine.start(startRequest(definition, {}))).rejects.toThrow('closed');
    const second = await openWorld({ 's:a': { do: 'ok' } }, { store });
    const state = await second.clock.runUntil(second.engine.ended(TEST_ARN));
    expect(resultOf(state)).toEqual({ n: 1 });
    expect(second.handlers.calls[0]?.idempotencyKey).toBe(first.handlers.calls[0]?.idempotencyKey);
  });
});

describe('starting', () => {
  it('twice is once, and says so', async () => {
    const world = await openWorld(SCRIPT);
    const [one, two] = await Promise.all([
      world.engine.start(startRequest(FLOW, {})),
      world.engine.start(startRequest(FLOW, {})),
    ]);
    expect([one.is, two.is]).toEqual(['started', 'exists']);
    await world.clock.runUntil(world.engine.ended(TEST_ARN));
    expect(world.handlers.of('s:a')).toHaveLength(2);
  });

  it('a listener that throws disturbs nobody', async () => {
    const world = await openWorld(SCRIPT);
    const heard: string[] = [];
    world.engine.subscribe(null, () => {
      throw new Error('A broken view.');
    });
    const leave = world.engine.subscribe(TEST_ARN, (_arn, facts) => {
      heard.push(...facts.map((fact) => fact.type));
    });
    await world.engine.start(startRequest(FLOW, {}));
    await world.clock.runUntil(world.engine.ended(TEST_ARN));
    leave();
    expect(heard.at(0)).toBe('ExecutionStarted');
    expect(heard.at(-1)).toBe('ExecutionEnded');
  });
});
