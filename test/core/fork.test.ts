/** Forks: what is taken over, what runs again, what a person changes, what is refused. */
import { describe, expect, it } from 'vitest';
import type { Fact } from '../../src/core/fact.js';
import { ForkRefused } from '../../src/core/fork/prepare.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { JsonObject } from '../../src/lib/json.js';
import { projectHistory } from '../../src/wire/history.js';
import { forkMachine, FORK_ARN, prepare } from '../support/fork-machine.js';
import { openWorld, runMachine, startRequest, TEST_ARN } from '../support/run-machine.js';
import { assertJournalLaws } from '../sim/laws.js';

const LINE: JsonObject = {
  StartAt: 'Train',
  States: {
    Train: { Type: 'Task', Resource: 'train', ResultPath: '$.model', Next: 'Note' },
    Note: { Type: 'Pass', Assign: { seen: 'yes', 'score.$': '$.model.score' }, Next: 'Gate' },
    Gate: {
      Type: 'Choice',
      Choices: [{ Variable: '$score', NumericGreaterThan: 0.8, Next: 'Deploy' }],
      Default: 'Reject',
    },
    Deploy: { Type: 'Task', Resource: 'deploy', End: true },
    Reject: { Type: 'Fail', Error: 'BelowGate' },
  },
};
const WORLD = {
  train: { do: 'ok', output: { score: 0.7 }, afterMs: 7_200_000 },
  deploy: { do: 'ok', output: 'deployed' },
} as const;

function eventId(facts: readonly Fact[], type: Fact['type'], nth = 1): number {
  const found = facts.filter((fact) => fact.type === type && fact.event !== null)[nth - 1];
  if (found?.event == null) throw new Error(`No ${type} ${nth}.`);
  return found.event.id;
}

describe('a fork', () => {
  it('reuses what had ended and runs the rest with a changed variable', async () => {
    const origin = await runMachine(LINE, {}, WORLD);
    expect(origin.state.status).toBe('FAILED');
    const fork = await forkMachine(
      origin.facts,
      { at: { state: 'Gate' }, variables: { score: 0.9 } },
      LINE,
      WORLD,
    );
    expect(fork.state.status).toBe('SUCCEEDED');
    expect(fork.result).toBe('deployed');
    expect(fork.handlers.of('train')).toHaveLength(0);
    expect(fork.handlers.of('deploy')).toHaveLength(1);
    expect(fork.plan.reused.map(({ state }) => state)).toEqual(['Train', 'Note']);
    expect(fork.plan.rerun.map(({ state }) => state)).toEqual(['Gate', 'Reject']);
    expect(fork.plan.next).toEqual([{ place: 'root', state: 'Gate' }]);
    expect(fork.plan.reused[0]).toMatchObject({ resource: 'local:train', tookMs: 7_200_000 });
  });

  it('has an ARN, a start and a history of its own, and knows where it comes from', async () => {
    const origin = await runMachine(LINE, {}, WORLD);
    const before = JSON.stringify(origin.facts);
    const { state, facts } = await forkMachine(
      origin.facts,
      { at: { state: 'Gate' } },
      LINE,
      WORLD,
    );
    assertJournalLaws(facts);
    expect(state.identity.arn).toBe(FORK_ARN);
    expect(state.forkedFrom?.origin).toMatchObject({ arn: origin.state.identity.arn });
    expect(state.startedAt).toBeGreaterThanOrEqual(origin.state.startedAt);
    const types = projectHistory(facts).map(({ type }) => type);
    expect(types).toEqual(origin.history.map(({ type }) => type));
    expect(JSON.stringify(origin.facts)).toBe(before);
  });

  it('at the success of a task works on its result again, under a mended definition', async () => {
    const broken: JsonObject = {
      StartAt: 'Train',
      States: {
        Train: {
          Type: 'Task',
          Resource: 'train',
          ResultSelector: { 's.$': '$.scoore' },
          End: true,
        },
      },
    };
    const mended: JsonObject = {
      StartAt: 'Train',
      States: {
        Train: { Type: 'Task', Resource: 'train', ResultSelector: { 's.$': '$.score' }, End: true },
      },
    };
    const origin = await runMachine(broken, {}, WORLD);
    expect(origin.state.status).toBe('FAILED');
    const at = { event: eventId(origin.facts, 'TaskSucceeded') };
    const fork = await forkMachine(origin.facts, { at }, mended, WORLD);
    expect(fork.result).toEqual({ s: 0.7 });
    expect(fork.handlers.calls).toHaveLength(0);
    expect(fork.plan.result).toEqual({ place: 'root', state: 'Train' });
    const other = await forkMachine(origin.facts, { at, result: { score: 1 } }, mended, WORLD);
    expect(other.result).toEqual({ s: 1 });
  });

  it('at the first event is a new execution with the input of the whole', async () => {
    const machine: JsonObject = {
      StartAt: 'A',
      States: {
        A: {
          Type: 'Pass',
          Parameters: { 'whole.$': '$$.Execution.Input', 'own.$': '$' },
          End: true,
        },
      },
    };
    const origin = await runMachine(machine, { n: 1 });
    const fork = await forkMachine(origin.facts, { at: { event: 1 }, input: { n: 2 } }, machine);
    expect(fork.result).toEqual({ whole: { n: 2 }, own: { n: 2 } });
  });

  it('changes a part of the input by its path', async () => {
    const origin = await runMachine(LINE, { keep: 1, deep: { a: [1, 2] } }, WORLD);
    const patches = [
      ['$.deep.a[1]', 9],
      ['$.model.score', 1],
    ] as const;
    const fork = await forkMachine(origin.facts, { at: { state: 'Note' }, patches }, LINE, WORLD);
    expect(fork.handlers.of('deploy')[0]?.parameters).toEqual({
      keep: 1,
      deep: { a: [1, 9] },
      model: { score: 1 },
    });
    const whole = await forkMachine(
      origin.facts,
      { at: { event: 1 }, patches: [['$.keep', 2]] },
      LINE,
      WORLD,
    );
    expect(whole.state.input).toEqual({ keep: 2, deep: { a: [1, 2] } });
    const bad = { at: { state: 'Note' }, patches: [['$..a', 1]] } as const;
    expect(() => prepare(origin.facts, bad, LINE)).toThrow(ForkRefused);
  });

  it('of a finished success from its last event is over at once with the same output', async () => {
    const origin = await runMachine(
      LINE,
      {},
      { ...WORLD, train: { do: 'ok', output: { score: 1 } } },
    );
    const fork = await forkMachine(
      origin.facts,
      { at: { event: origin.history.length } },
      LINE,
      WORLD,
    );
    expect(fork.result).toEqual(origin.result);
    expect(fork.handlers.calls).toHaveLength(0);
    expect(fork.plan.rerun).toEqual([]);
  });

  it('counts its own TimeoutSeconds from the fork and keeps the StartTime expressions saw', async () => {
    const machine: JsonObject = {
      TimeoutSeconds: 100,
      StartAt: 'Wait',
      States: {
        Wait: { Type: 'Wait', Seconds: 60, Next: 'Bad' },
        Bad: { Type: 'Pass', Parameters: { 'start.$': '$$.Execution.StartTime' }, Next: 'Again' },
        Again: { Type: 'Wait', Seconds: 90, End: true },
      },
    };
    const origin = await runMachine(machine);
    expect(origin.state.status).toBe('TIMED_OUT');
    const fork = await forkMachine(origin.facts, { at: { state: 'Bad' } }, machine);
    expect(fork.state.status).toBe('SUCCEEDED');
    expect(fork.result).toEqual({ start: '2026-01-01T00:00:00Z' });
  });
});

const BRANCHES: JsonObject = {
  StartAt: 'Both',
  States: {
    Both: {
      Type: 'Parallel',
      Branches: [
        { StartAt: 'Fast', States: { Fast: { Type: 'Task', Resource: 'fast', End: true } } },
        {
          StartAt: 'First',
          States: {
            First: { Type: 'Task', Resource: 'first', Next: 'Second' },
            Second: { Type: 'Task', Resource: 'second', End: true },
          },
        },
        { StartAt: 'Slow', States: { Slow: { Type: 'Task', Resource: 'slow', End: true } } },
      ],
      End: true,
    },
  },
};

describe('a fork inside branches', () => {
  const script = {
    fast: { do: 'ok', output: 1 },
    first: { do: 'ok', output: 2, afterMs: 1000 },
    second: { do: 'fail', error: 'Broken', afterMs: 1000 },
    slow: { do: 'ok', output: 4, afterMs: 60_000 },
  } as const;
  const mended = { ...script, second: { do: 'ok', output: 3 } } as const;

  it('after a failed end keeps branches that had ended and runs the failed and stopped ones', async () => {
    const origin = await runMachine(BRANCHES, {}, script);
    const last = origin.history.length;
    const fork = await forkMachine(origin.facts, { at: { event: last } }, BRANCHES, mended);
    expect(fork.result).toEqual([1, 3, 4]);
    expect(fork.handlers.calls.map(({ resource }) => resource).sort()).toEqual(['second', 'slow']);
    expect(fork.plan.open.map(({ state }) => state)).toEqual(['Both']);
    assertJournalLaws(fork.facts);
  });

  it('changes the input of the one state that failed', async () => {
    const origin = await runMachine(BRANCHES, {}, script);
    const at = { event: origin.history.length };
    const fork = await forkMachine(origin.facts, { at, input: { mended: true } }, BRANCHES, mended);
    expect(fork.handlers.of('second')[0]?.parameters).toEqual({ mended: true });
    const edited = fork.facts.find((fact) => fact.type === 'FrameEdited');
    expect(edited).toMatchObject({ value: { mended: true } });
  });

  it('in the middle of a branch runs again only what had not ended', async () => {
    const origin = await runMachine(BRANCHES, {}, mended);
    const exit = origin.history.find(
      ({ details }) => details?.value.name === 'First' && 'output' in details.value,
    );
    const fork = await forkMachine(
      origin.facts,
      { at: { event: exit?.id ?? 0 } },
      BRANCHES,
      mended,
    );
    expect(fork.result).toEqual([1, 3, 4]);
    expect(fork.handlers.calls.map(({ resource }) => resource).sort()).toEqual(['second', 'slow']);
  });
});

describe('a fork of a redriven execution', () => {
  it('takes over what happened before the redrive as it is', async () => {
    const script = {
      fast: { do: 'ok', output: 1 },
      first: { do: 'ok', output: 2, afterMs: 1000 },
      // Attempts begin anew with a redrive: only a changed world lets it succeed.
      second: { do: 'fail', error: 'Broken', afterMs: 1000 },
      slow: { do: 'ok', output: 4, afterMs: 60_000 },
    } as const;
    const origin = await runMachine(BRANCHES, {}, script);
    await origin.engine.redrive(TEST_ARN);
    await origin.clock.runUntil(origin.engine.ended(TEST_ARN));
    const facts = (await origin.engine.facts(TEST_ARN)) ?? [];
    const history = projectHistory(facts);
    for (const { id } of history)
      assertJournalLaws(prepare(facts, { at: { event: id } }, BRANCHES).facts);
    const mended = { ...script, second: { do: 'ok', output: 3 } } as const;
    const fork = await forkMachine(facts, { at: { event: history.length } }, BRANCHES, mended);
    expect(fork.result).toEqual([1, 3, 4]);
    expect(fork.state.redriveCount).toBe(1);
    assertJournalLaws(fork.facts);
  });
});

describe('a fork is refused', () => {
  const refusal = (work: () => unknown): ForkRefused => {
    try {
      work();
    } catch (error) {
      if (error instanceof ForkRefused) return error;
      throw error;
    }
    throw new Error('It was not refused.');
  };

  it('where the new definition lacks the state it goes on with', async () => {
    const { facts } = await runMachine(LINE, {}, WORLD);
    const { Gate: _gone, ...States } = LINE.States as JsonObject;
    const without: JsonObject = {
      StartAt: 'Train',
      States: { ...States, Note: { Type: 'Pass', End: true } },
    };
    const { message, mend } = refusal(() => prepare(facts, { at: { state: 'Gate' } }, without));
    expect(message).toContain('/States/Gate');
    expect(mend).toContain('earlier event');
    expect(() => prepare(facts, { at: { state: 'Note' } }, without)).not.toThrow();
  });

  it('where a branch that is under way is gone', async () => {
    const { facts, history } = await runMachine(
      BRANCHES,
      {},
      {
        fast: { do: 'ok' },
        first: { do: 'fail', error: 'X' },
        second: { do: 'ok' },
        slow: { do: 'ok' },
      },
    );
    const both = (BRANCHES.States as JsonObject).Both as JsonObject;
    const fewer: JsonObject = {
      StartAt: 'Both',
      States: { Both: { ...both, Branches: (both.Branches as readonly JsonObject[]).slice(0, 1) } },
    };
    const { message } = refusal(() => prepare(facts, { at: { event: history.length } }, fewer));
    expect(message).toContain('/States/Both');
  });

  it('for unknown events, states, names of variables and results that are not there', async () => {
    const { facts } = await runMachine(LINE, {}, WORLD);
    expect(refusal(() => prepare(facts, { at: { event: 99 } }, LINE)).mend).toMatch(/1 to \d+/);
    expect(refusal(() => prepare(facts, { at: { state: 'Nope' } }, LINE)).mend).toContain('Train');
    const variables = { '1x': 1 };
    expect(
      refusal(() => prepare(facts, { at: { state: 'Gate' }, variables }, LINE)).message,
    ).toContain('1x');
    expect(
      refusal(() => prepare(facts, { at: { state: 'Gate' }, result: 1 }, LINE)).mend,
    ).toContain('succeeded');
    const at = { event: eventId(facts, 'TaskSucceeded') };
    expect(refusal(() => prepare(facts, { at, input: {} }, LINE)).mend).toContain('--at Train');
  });
});

describe('durability', () => {
  it('a fork is one commit: an engine that opens the store later drives it on', async () => {
    const origin = await runMachine(LINE, {}, WORLD);
    const store = new MemoryStore();
    const first = await openWorld({}, { store });
    const { revision } = startRequest(LINE, {}, { name: 'forked' });
    const prepared = prepare(origin.facts, { at: { state: 'Train' } }, LINE);
    await first.engine.fork({ prepared, revision });
    await first.engine.close();
    const second = await openWorld(WORLD, { store });
    const state = await second.clock.runUntil(second.engine.ended(FORK_ARN));
    expect(state.status).toBe('FAILED');
    const again = await second.engine.fork({ prepared, revision });
    expect(again.is).toBe('exists');
  });
});
