/** The laws of ARCHITECTURE section 7 over random machines. A failing seed replays by itself. */
import { describe, expect, it } from 'vitest';
import { decide } from '../../src/core/decide.js';
import { compileMachine } from '../../src/core/compiler.js';
import { validateDefinition } from '../../src/core/validate.js';
import type { Env } from '../../src/core/env.js';
import { AWS_LIMITS } from '../../src/core/limits.js';
import type { ExecutionState } from '../../src/core/state.js';
import type { Stimulus } from '../../src/core/stimulus.js';
import type { EpochMs, Nonce, Seq } from '../../src/lib/brand.js';
import type { Fact } from '../../src/core/fact.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { Commit } from '../../src/store/store.js';
import { openWorld, startRequest, TEST_ARN } from '../support/run-machine.js';
import { generateMachine } from './generator.js';
import {
  assertJournalLaws,
  assertNothingIsStuck,
  assertSame,
  derivedIndexes,
  foldOf,
  liveIndexes,
  plain,
} from './laws.js';

const FIRST_SEED = Number(process.env.SIM_SEED ?? 1);
const SEEDS = Number(process.env.SIM_SEEDS ?? (process.env.SIM_SEED === undefined ? 400 : 1));
const seeds = Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index);

/** Runs `check` for every seed and names the seed that fails. */
async function forEachSeed(check: (seed: number) => Promise<void> | void): Promise<void> {
  for (const seed of seeds) {
    try {
      await check(seed);
    } catch (error) {
      const machine = JSON.stringify(generateMachine(seed).definition);
      const replay = `SIM_SEED=${seed} npx vitest run --project fast test/sim`;
      throw new Error(`Seed ${seed} fails. Replay: ${replay}\n${String(error)}\n${machine}`, {
        cause: error,
      });
    }
  }
}

class WatchedStore extends MemoryStore {
  readonly facts: Fact[] = [];
  watch: (() => Promise<void>) | null = null;

  override async commit(commit: Commit): Promise<'committed' | 'conflict'> {
    const answer = await super.commit(commit);
    if (answer === 'committed') {
      this.facts.push(...(JSON.parse(commit.facts) as Fact[]));
      await this.watch?.();
    }
    return answer;
  }
}

describe('random machines', () => {
  it('are valid', async () => {
    await forEachSeed((seed) => {
      const { definition } = generateMachine(seed);
      const { diagnostics } = validateDefinition(JSON.stringify(definition), {
        type: 'STANDARD',
        strict: false,
      });
      const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'ERROR');
      expect(errors).toEqual([]);
    });
  });

  it('uphold the laws after every commit and at the end', async () => {
    const ends = new Map<string, number>();
    await forEachSeed(async (seed) => {
      const { definition, input, script } = generateMachine(seed);
      const store = new WatchedStore();
      store.watch = async () => {
        const state = foldOf(store.facts);
        const live = await liveIndexes(store, TEST_ARN);
        expect(live).toEqual(derivedIndexes(store.facts));
        assertNothingIsStuck(state, live);
      };
      const world = await openWorld(script, { seed, store });
      world.engine.subscribe(TEST_ARN, (_arn, facts) => {
        expect(facts.at(-1)?.seq).toBe(store.facts.at(-1)?.seq);
      });
      await world.engine.start(startRequest(definition, input));
      const state = await world.clock.runUntil(world.engine.ended(TEST_ARN), { maxSteps: 5_000 });
      ends.set(state.status, (ends.get(state.status) ?? 0) + 1);
      assertJournalLaws(store.facts);
      assertSame(state, foldOf(store.facts), 'Memory differs from the fold of the journal.');
      expect(derivedIndexes(store.facts)).toEqual({ timers: [], outbox: [] });
    });
    // The generator is worth something only if runs end in different ways.
    if (SEEDS >= 100) {
      expect(ends.get('SUCCEEDED') ?? 0).toBeGreaterThan(SEEDS / 5);
      expect(ends.get('FAILED') ?? 0).toBeGreaterThan(SEEDS / 10);
    }
  });
});

describe('decide', () => {
  it('answers an ended run and a repeated stimulus with nothing', async () => {
    await forEachSeed(async (seed) => {
      await driveByHand(seed);
    });
  });
});

/** Drives a machine without an engine: every stimulus is delivered twice and once more at the end. */
async function driveByHand(seed: number): Promise<void> {
  const { definition, input } = generateMachine(seed);
  const machine = compileMachine(definition);
  const request = startRequest(definition, input);
  let now = 1_000_000;
  let nonces = 0;
  const env = (): Env => ({
    now: now as EpochMs,
    limits: AWS_LIMITS,
    random: () => 0.5,
    uuid: () => 'uuid',
    nonce: () => `nonce-${nonces++}` as Nonce,
    taskToken: () => 'token',
  });
  const facts: Fact[] = [];
  const used: Stimulus[] = [];
  let state: ExecutionState | null = null;
  const deliver = async (stimulus: Stimulus): Promise<void> => {
    const before = JSON.stringify(plain(state));
    const turn = await decide(machine, state, stimulus, env());
    expect(JSON.stringify(plain(state))).toBe(before);
    facts.push(...turn.facts);
    state = foldOf(JSON.parse(JSON.stringify(facts)) as Fact[]);
    assertSame(state, turn.state, 'The draft differs from the fold of its facts.');
    while (state.status === 'RUNNING' && state.ready.size > 0) {
      const more = await decide(machine, state, { type: 'Continue' }, env());
      facts.push(...more.facts);
      state = foldOf(facts);
    }
    used.push(stimulus);
    const again = await decide(machine, state, stimulus, env());
    expect(again.facts).toEqual([]);
  };
  await deliver({
    type: 'Start',
    identity: request.identity,
    revision: request.revision.id,
    input,
    traceHeader: null,
    deadlineAt: null,
  });
  for (let step = 0; step < 500 && foldOf(facts).status === 'RUNNING'; step++) {
    now += 1000;
    await deliver(nextStimulus(foldOf(facts), step));
  }
  expect(foldOf(facts).status).not.toBe('RUNNING');
  assertJournalLaws(facts);
  const others: Stimulus[] = [
    { type: 'Continue' },
    { type: 'TimersDue', keys: ['deadline', 'wait:3:0', 'timeout:4:0'] },
    { type: 'Stop', failure: { error: null, cause: null } },
  ];
  for (const stimulus of [...used, ...others]) {
    const turn = await decide(machine, foldOf(facts), stimulus, env());
    expect(turn.facts).toEqual([]);
  }
}

/** Ends the wait or task of some frame that waits for the outside. */
function nextStimulus(state: ExecutionState, step: number): Stimulus {
  const waiting = [...state.frames.values()].filter(
    ({ phase }) => phase.is === 'waiting' || phase.is === 'task',
  );
  const frame = waiting[step % waiting.length];
  if (frame === undefined) throw new Error('Nothing waits, and the run is not over.');
  const { phase } = frame;
  if (phase.is === 'waiting') {
    return { type: 'TimersDue', keys: [`wait:${phase.setBy}:${frame.id}`] };
  }
  if (phase.is !== 'task') throw new Error('Unreachable.');
  const task = { frame: frame.id, scheduled: phase.scheduled as Seq, nonce: phase.nonce };
  if (step % 5 === 4)
    return { type: 'TimersDue', keys: [`timeout:${phase.scheduled}:${frame.id}`] };
  return step % 3 === 2
    ? { type: 'TaskResult', task, outcome: { ok: false, failure: { error: 'Oops', cause: null } } }
    : { type: 'TaskResult', task, outcome: { ok: true, output: { step } } };
}
