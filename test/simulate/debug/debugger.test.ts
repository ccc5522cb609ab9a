/** The debugger over simulations, recordings and live executions. */
import { describe, expect, it } from 'vitest';
import { compileMachine } from '../../../src/core/compiler.js';
import { fold } from '../../../src/core/evolve.js';
import { AWS_LIMITS } from '../../../src/core/limits.js';
import { ROOT_FRAME } from '../../../src/core/state.js';
import type { Fact } from '../../../src/core/fact.js';
import type { ExecutionArn } from '../../../src/lib/brand.js';
import type { Json, JsonObject } from '../../../src/lib/json.js';
import { createEngine } from '../../../src/runtime/engine.js';
import { Debugger } from '../../../src/simulate/debug/debugger.js';
import type { Stop } from '../../../src/simulate/debug/stops.js';
import { Gates } from '../../../src/simulate/debug/gates.js';
import { liveTimeline, Overrides } from '../../../src/simulate/debug/live.js';
import { recordedTimeline } from '../../../src/simulate/debug/recorded.js';
import { simulatedTimeline } from '../../../src/simulate/debug/simulated.js';
import { chunksOf } from '../../../src/simulate/debug/timeline.js';
import { lastVisit, scopesOf, stackOf, threadsOf } from '../../../src/simulate/debug/view.js';
import type { Answer } from '../../../src/simulate/index.js';
import { MemoryStore } from '../../../src/store/memory.js';
import { generateMachine } from '../../sim/generator.js';
import { assertJournalLaws } from '../../sim/laws.js';
import { runMachine, startRequest, TEST_ARN } from '../../support/run-machine.js';
import { awsSamples, shippedMachines } from '../../support/samples.js';
import { ScriptedHandlers, silentLog, testServices } from '../../support/scripted-handlers.js';
import { realClock } from '../../../src/runtime/clock.js';

const MACHINE: JsonObject = {
  StartAt: 'First',
  States: {
    First: { Type: 'Pass', Assign: { total: 0 }, Next: 'Work' },
    Work: { Type: 'Task', Resource: 'work', ResultPath: '$.done', Next: 'Each' },
    Each: {
      Type: 'Map',
      ItemsPath: '$.items',
      ItemProcessor: {
        StartAt: 'Double',
        States: {
          Double: { Type: 'Pass', Parameters: { 'n.$': 'States.MathAdd($, $)' }, Next: 'Check' },
          Check: { Type: 'Pass', OutputPath: '$.n', End: true },
        },
      },
      ResultPath: '$.doubled',
      Next: 'Wait',
    },
    Wait: { Type: 'Wait', Seconds: 2_592_000, Next: 'Last' },
    Last: { Type: 'Pass', OutputPath: '$.doubled', End: true },
  },
};
const INPUT = { items: [1, 2] };

async function debugMachine(
  definition: JsonObject,
  input: Json,
  answers: Readonly<Record<string, Answer>> = {},
): Promise<Debugger> {
  const timeline = await simulatedTimeline({
    definition: JSON.stringify(definition),
    input,
    responders: () => [
      { name: 'test', answer: (call) => answers[call.state] ?? { return: { ok: true } } },
    ],
  });
  return new Debugger(timeline, compileMachine(definition));
}

const where = ({ reason, state, when }: Stop): string => `${reason} ${when} ${state}`;

describe('a simulation under the debugger', () => {
  it('steps over states, in virtual time, to its end', async () => {
    const session = await debugMachine(MACHINE, INPUT);
    const stops = [where(await session.begin())];
    for (let count = 0; count < 20; count++) {
      const stop = await session.step('over');
      stops.push(where(stop));
      if (stop.reason === 'ended') break;
    }
    expect(stops).toEqual([
      'entry before First',
      'step before Work',
      'step before Each',
      'step before Wait',
      'step before Last',
      'ended after Last',
    ]);
    expect(session.execution?.outcome).toEqual({
      ok: true,
      output: [{ n: 2 }, { n: 4 }].map(({ n }) => n),
    });
    assertJournalLaws(session.facts);
    await session.close(true);
  });

  it('steps into iterations and out of them', async () => {
    const session = await debugMachine(MACHINE, INPUT);
    await session.begin();
    await session.step('over');
    await session.step('over');
    const inside = await session.step('in');
    expect(where(inside)).toBe('step before Double');
    expect(threadsOf(session).map(({ place }) => place)).toEqual([
      'root',
      'root › Each[0]',
      'root › Each[1]',
    ]);
    expect(stackOf(session, inside.frame).map(({ state }) => state)).toEqual(['Double', 'Each']);
    const over = await session.step('over');
    expect([over.frame, over.state]).toEqual([inside.frame, 'Check']);
    expect(where(await session.step('out'))).toBe('step before Wait');
    await session.close(true);
  });

  it('stops at breakpoints by state, by exit, by condition and by hit count', async () => {
    const session = await debugMachine(MACHINE, { items: [1, 2, 3, 4] });
    const { breakpoints } = session;
    breakpoints.add({ on: 'entered', state: 'Double', condition: '$ >= 3' });
    breakpoints.add({ on: 'exited', state: 'Work', condition: '$states.result.done.ok = true' });
    await session.begin();
    expect(where(await session.continue())).toBe('breakpoint after Work');
    const first = await session.continue();
    expect(where(first)).toBe('breakpoint before Double');
    expect(session.execution?.frames.get(first.frame)?.value).toBe(3);
    await session.continue();
    expect(where(await session.continue())).toBe('ended after Last');
    await session.close(true);
    const again = await debugMachine(MACHINE, { items: [1, 2, 3, 4] });
    again.breakpoints.add({ on: 'entered', state: 'Double', hit: 3 });
    await again.begin();
    const third = await again.continue();
    expect(again.execution?.frames.get(third.frame)?.value).toBe(3);
    await again.close(true);
  });

  it('stops at failures: any, or only those nothing takes', async () => {
    const machine: JsonObject = {
      StartAt: 'A',
      States: {
        A: {
          Type: 'Task',
          Resource: 'a',
          Catch: [{ ErrorEquals: ['States.ALL'], Next: 'B' }],
          End: true,
        },
        B: { Type: 'Task', Resource: 'b', End: true },
      },
    };
    const failing = {
      A: { throw: { error: 'Caught' } },
      B: { throw: { error: 'Bare', cause: 'why' } },
    } as const;
    const any = await debugMachine(machine, {}, failing);
    any.breakpoints.add({ on: 'failed', state: null });
    await any.begin();
    expect(where(await any.continue())).toBe('failed after A');
    expect(where(await any.continue())).toBe('failed after B');
    const bare = await debugMachine(machine, {}, failing);
    bare.breakpoints.add({ on: 'failed', state: null, uncaught: true });
    await bare.begin();
    const stop = await bare.continue();
    expect(where(stop)).toBe('failed after B');
    expect(stop.text).toBe('B failed: Bare: why (raise).');
    expect(where(await bare.continue())).toBe('ended after B');
  });

  it('goes back, and forward again over the same facts', async () => {
    const session = await debugMachine(MACHINE, INPUT);
    await session.begin();
    while ((await session.step('in')).reason !== 'ended');
    const whole = JSON.stringify(session.facts);
    const stops: string[] = [];
    for (let stop = await session.back(); stop.state !== 'First'; stop = await session.back())
      stops.push(stop.state);
    expect(stops.at(-1)).toBe('Work');
    expect(stops.slice(0, 2)).toEqual(['Last', 'Wait']);
    session.breakpoints.add({ on: 'entered', state: 'Wait' });
    expect(where(await session.continue())).toBe('breakpoint before Wait');
    await session.continue();
    expect(JSON.stringify(session.facts)).toBe(whole);
    expect(where(await session.reverseContinue())).toBe('breakpoint before Wait');
    expect(where(await session.reverseContinue())).toBe('entry before First');
  });

  it('goes back to the breakpoint right before, not past it', async () => {
    const session = await debugMachine(MACHINE, INPUT);
    session.breakpoints.add({ on: 'entered', state: 'First' });
    session.breakpoints.add({ on: 'exited', state: 'Each' });
    session.breakpoints.add({ on: 'entered', state: 'Wait' });
    await session.begin();
    while ((await session.step('over')).state !== 'Last');
    expect(where(await session.reverseContinue())).toBe('breakpoint before Wait');
    expect(where(await session.reverseContinue())).toBe('breakpoint before First');
  });

  it('a change in the past makes another future, the same one every time', async () => {
    const session = await debugMachine(MACHINE, INPUT);
    await session.begin();
    await session.step('over');
    await session.step('over');
    const stop = await session.step('over');
    await session.back();
    expect(session.stop?.state).toBe('Each');
    await session.edit({ frame: ROOT_FRAME, value: { items: [7] }, variables: { total: 9 } });
    await session.step('over');
    expect(session.execution?.frames.get(ROOT_FRAME)?.value).toEqual({ items: [7], doubled: [14] });
    expect(session.execution?.frames.get(ROOT_FRAME)?.variables).toEqual({ total: 9 });
    expect(stop.state).toBe('Wait');
    // Back behind the change and forward again: rebuilt, with what was changed before it only.
    await session.continue();
    await session.back();
    await session.back();
    await session.override('Work', { output: 'made' }).catch(() => undefined);
    assertJournalLaws(session.facts);
    expect(fold(session.facts)?.status).toBe('RUNNING');
    await session.close(true);
  });

  it('answers a task itself when told to', async () => {
    const session = await debugMachine(MACHINE, INPUT);
    await session.begin();
    await session.step('over');
    await session.override('Work', { output: 'by hand' });
    await session.step('over');
    expect(session.execution?.frames.get(ROOT_FRAME)?.value).toMatchObject({ done: 'by hand' });
    await session.back();
    await session.override('Work', { failure: { error: 'Oops', cause: null } });
    expect(where(await session.continue())).toBe('ended after Work');
    await expect(session.override('Wait', { output: 1 })).rejects.toThrow('no Task');
  });

  it('evaluates paths, comparisons and JSONata in a frame, and shows its scopes', async () => {
    const session = await debugMachine(MACHINE, INPUT);
    await session.begin();
    await session.step('over');
    await session.step('over');
    expect(await session.evaluate('$.items[1]')).toBe(2);
    expect(await session.evaluate('$total')).toBe(0);
    expect(await session.evaluate('$$.Execution.Name')).toBe('simulation');
    expect(await session.evaluate('$.items[0] < 2')).toBe(true);
    expect(await session.evaluate('$sum($states.input.items) + $total')).toBe(3);
    expect(await session.evaluate('$sum($.items) * 2')).toBe(6);
    await session.patch(ROOT_FRAME, '$.items[1]', 5);
    expect(await session.evaluate('$.items[1]')).toBe(5);
    await session.patch(ROOT_FRAME, '$.items[1]', 2);
    await expect(session.evaluate('$sum(')).rejects.toThrow();
    const scopes = await scopesOf(session, ROOT_FRAME);
    expect(scopes?.Input).toEqual({ items: [1, 2], done: { ok: true } });
    expect(scopes?.Variables).toEqual({ total: 0 });
    expect(scopes?.['Data flow']).toMatchObject({ state: 'Work', result: { ok: true } });
    expect((await lastVisit(session, ROOT_FRAME))?.state).toBe('Work');
  });

  it('says so when nothing will go on by itself', async () => {
    const session = await debugMachine(MACHINE, INPUT, { Work: { hang: true } });
    await session.begin();
    const stop = await session.continue();
    expect(where(stop)).toBe('waits after Work');
  });
});

describe('a recording under the debugger', () => {
  it('is cut as an engine that takes one step a turn would have written it', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { definition, input, script } = generateMachine(seed);
      const limits = { ...AWS_LIMITS, factsPerTurn: 1 };
      const { store } = await runMachine(definition, input, script, { limits });
      const commits = await store.load(TEST_ARN);
      const facts = commits.flatMap((commit) => JSON.parse(commit.facts) as Fact[]);
      const cut = chunksOf(facts);
      expect(cut.flat()).toEqual(facts);
      for (const chunk of cut) {
        expect(chunk.slice(1).some(({ type }) => type === 'StateEntered')).toBe(false);
      }
    }
  });

  it('can be looked at step by step, forward and back, and refuses changes', async () => {
    const { facts } = await runMachine(MACHINE, INPUT, { work: { do: 'ok', output: 1 } });
    const session = new Debugger(recordedTimeline(facts), compileMachine(MACHINE));
    session.breakpoints.add({ on: 'entered', state: 'Check' });
    expect(where(await session.begin())).toBe('entry before First');
    expect(where(await session.continue())).toBe('breakpoint before Check');
    expect(where(await session.back())).toBe('step before Double');
    await expect(session.edit({ frame: ROOT_FRAME, value: 1 })).rejects.toThrow('recorded');
    session.breakpoints.remove(1);
    expect(where(await session.continue())).toBe('ended after Last');
  });
});

describe('a live execution under the debugger', () => {
  it('does real work one step at a time, takes changes, and goes on alone when left', async () => {
    const store = new MemoryStore();
    const gates = new Gates();
    const overrides = new Overrides();
    const handlers = new ScriptedHandlers({ work: { do: 'ok', output: 5 } }, realClock);
    const machine: JsonObject = {
      ...MACHINE,
      States: {
        ...(MACHINE.States as JsonObject),
        Wait: { Type: 'Wait', Seconds: 0, Next: 'Last' },
      },
    };
    const engine = await createEngine({
      store: gates.over(store),
      resources: overrides.over(handlers),
      services: testServices(),
      log: silentLog,
      isStepped: (arn) => gates.has(arn),
    });
    const begin = (): Promise<unknown> => engine.start(startRequest(machine, INPUT));
    const options = {
      arn: TEST_ARN as ExecutionArn,
      engine,
      store,
      gates,
      overrides,
      machine: compileMachine(machine),
    };
    const session = new Debugger(await liveTimeline({ ...options, begin }), options.machine);
    session.breakpoints.add({ on: 'entered', state: 'Each' });
    expect(where(await session.begin())).toBe('entry before First');
    expect(handlers.calls).toHaveLength(0);
    expect(where(await session.continue())).toBe('breakpoint before Each');
    await session.edit({ frame: ROOT_FRAME, value: { items: [10] } });
    await session.step('over');
    await expect(
      session.back().then(() => session.edit({ frame: ROOT_FRAME, value: 1 })),
    ).rejects.toThrow('does not go back');
    await session.close(false);
    const state = await engine.ended(TEST_ARN);
    expect(state.outcome).toEqual({ ok: true, output: [20] });
    assertJournalLaws((await engine.facts(TEST_ARN)) ?? []);
    await engine.close();
  });
});

describe('a live execution that waits for days', () => {
  it('is attached to at once, runs on until paused, and keeps waiting when left', async () => {
    const machine: JsonObject = {
      StartAt: 'Long',
      States: { Long: { Type: 'Wait', Seconds: 864_000, Next: 'End' }, End: { Type: 'Succeed' } },
    };
    const store = new MemoryStore();
    const gates = new Gates();
    const overrides = new Overrides();
    const engine = await createEngine({
      store: gates.over(store),
      resources: overrides.over(new ScriptedHandlers({}, realClock)),
      services: testServices(),
      log: silentLog,
      isStepped: (arn) => gates.has(arn),
    });
    await engine.start(startRequest(machine, {}));
    const compiled = compileMachine(machine);
    const live = { arn: TEST_ARN, engine, store, gates, overrides, machine: compiled };
    const session = new Debugger(await liveTimeline(live), compiled);
    expect(where(await session.begin())).toBe('entry after Long');
    const running = session.continue();
    session.pause();
    expect(where(await running)).toBe('pause after Long');
    await session.close(false);
    expect((await engine.state(TEST_ARN))?.status).toBe('RUNNING');
    const again = new Debugger(await liveTimeline(live), compiled);
    await again.begin();
    await again.close(true);
    expect((await engine.state(TEST_ARN))?.outcome).toMatchObject({
      ok: false,
      failure: { error: 'Debugger.Stopped' },
    });
    await engine.close();
  });
});

describe('every machine', () => {
  it('shipped and of the AWS samples, can be stepped through and back', async () => {
    let stepped = 0;
    for (const { definition } of [...shippedMachines(), ...awsSamples().slice(0, 14)]) {
      const session = await debugMachine(definition, {}, {});
      let stop = await session.begin();
      for (
        let count = 0;
        (count < 60 && stop.reason === 'step') || stop.reason === 'entry';
        count++
      )
        stop = await session.step('in');
      expect(['ended', 'waits', 'step']).toContain(stop.reason);
      await session.back();
      assertJournalLaws(session.facts);
      await session.close(true);
      stepped++;
    }
    expect(stepped).toBeGreaterThan(3);
  });
});
