import { describe, expect, it } from 'vitest';
import type { ExecutionState } from '../../src/core/state.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import {
  createWorld,
  fail,
  mapMachine,
  PASS,
  SCOPE,
  task,
  until,
  type World,
} from './map-run-world.js';

function failureOf(state: ExecutionState): { error: string | null; cause: string | null } {
  const { outcome } = state;
  if (outcome === null || outcome.ok) throw new Error('It has not failed.');
  return outcome.failure;
}

function outputOf(state: ExecutionState): Json {
  const { outcome } = state;
  if (!outcome?.ok) throw new Error(`It failed: ${JSON.stringify(outcome)}`);
  return outcome.output;
}

async function onlyRun(world: World, arn: string) {
  const { items } = await world.engine.mapRuns.list(arn, 10, null);
  expect(items).toHaveLength(1);
  return items[0] as NonNullable<(typeof items)[0]>;
}

async function children(world: World, mapRunArn: string) {
  return (await world.engine.list({ mapRunArn }, 1000, null)).items;
}

/** A function whose calls wait until they are let go. */
function gate() {
  const calls: { readonly input: Json; open(): void }[] = [];
  return {
    calls,
    run: (input: Json) =>
      new Promise<Json>((resolve) => calls.push({ input, open: () => resolve(input) })),
  };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('the parent of a Map Run', () => {
  it('sees the recorded events', async () => {
    const world = await createWorld();
    const arn = await world.start(mapMachine({}, PASS), ['Hello', 'World']);
    const state = await world.engine.ended(arn);
    expect(state.outcome).toEqual({ ok: true, output: ['Hello', 'World'] });
    expect(await world.events(arn)).toEqual([
      'ExecutionStarted <- 0',
      'MapStateEntered <- 0',
      'MapStateStarted <- 2',
      'MapRunStarted <- 3',
      'MapRunSucceeded <- 4',
      'MapStateSucceeded <- 5',
      'MapStateExited <- 5',
      'ExecutionSucceeded <- 7',
    ]);
    expect(world.errors).toEqual([]);
  });

  it('fails with the threshold error when the first item fails and nothing is tolerated', async () => {
    const world = await createWorld({ functions: { 'fn:bad': () => fail('Bad', 'so') } });
    const arn = await world.start(mapMachine({}, task('fn:bad')), [1, 2]);
    const state = await world.engine.ended(arn);
    const failure = {
      error: 'States.ExceedToleratedFailureThreshold',
      cause: 'The specified tolerated failure threshold was exceeded',
    };
    expect(failureOf(state)).toEqual(failure);
    expect((await world.events(arn)).slice(3)).toEqual([
      'MapRunStarted <- 3',
      'MapRunFailed <- 4',
      'MapStateFailed <- 5',
      'ExecutionFailed <- 6',
    ]);
    expect((await onlyRun(world, arn)).status).toBe('FAILED');
  });

  it('starts a new Map Run when the state is retried', async () => {
    let calls = 0;
    const functions = { 'fn:once': () => (calls++ === 0 ? fail('Bad') : 'fine') };
    const world = await createWorld({ functions });
    const retry = [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 1, MaxAttempts: 1 }];
    const arn = await world.start(mapMachine({ Retry: retry }, task('fn:once')), ['a']);
    expect(outputOf(await world.engine.ended(arn))).toEqual(['fine']);
    const { items } = await world.engine.mapRuns.list(arn, 10, null);
    expect(items.map((run) => run.status)).toEqual(['FAILED', 'SUCCEEDED']);
  });

  it('catches a failed Map Run', async () => {
    const world = await createWorld({ functions: { 'fn:bad': () => fail('Bad') } });
    const machine = mapMachine(
      { Catch: [{ ErrorEquals: ['States.ExceedToleratedFailureThreshold'], Next: 'Caught' }] },
      task('fn:bad'),
    );
    const states = { ...(machine.States as JsonObject), Caught: { Type: 'Pass', End: true } };
    const output = outputOf(await world.run({ ...machine, States: states }, [1])) as JsonObject;
    expect(output.Error).toBe('States.ExceedToleratedFailureThreshold');
  });
});

describe('the items of a Map Run', () => {
  it('come from an object as Key and Value', async () => {
    const world = await createWorld();
    const selector = {
      'k.$': '$$.Map.Item.Key',
      'v.$': '$$.Map.Item.Value',
      's.$': '$$.Map.Item.Source',
    };
    expect(outputOf(await world.run(mapMachine({}, PASS), { a: 1 }))).toEqual([
      { Key: 'a', Value: 1 },
    ]);
    expect(
      outputOf(await world.run(mapMachine({ ItemSelector: selector }, PASS), { a: 1 })),
    ).toEqual([{ k: 'a', v: 1, s: 'STATE_DATA' }]);
  });

  it('are batched by number and by bytes, the smaller limit first', async () => {
    const world = await createWorld();
    const batcher = { MaxItemsPerBatch: 2, BatchInput: { 'who.$': '$.who' } };
    const machine = mapMachine({ ItemsPath: '$.items', ItemBatcher: batcher }, PASS);
    expect(outputOf(await world.run(machine, { who: 'me', items: [1, 2, 3] }))).toEqual([
      { BatchInput: { who: 'me' }, Items: [1, 2] },
      { BatchInput: { who: 'me' }, Items: [3] },
    ]);
    const small = mapMachine({ ItemBatcher: { MaxInputBytesPerBatch: 15 } }, PASS);
    expect(outputOf(await world.run(small, [1, 2, 3]))).toEqual([
      { Items: [1, 2] },
      { Items: [3] },
    ]);
  });

  it('fail the Map Run when ItemSelector cannot be evaluated', async () => {
    const world = await createWorld();
    const machine = mapMachine({ ItemSelector: { 'a.$': '$$.Map.Item.Value.no' } }, PASS);
    const arn = await world.start(machine, [{}]);
    const failure = failureOf(await world.engine.ended(arn));
    expect(failure.error).toBe('States.Runtime');
    expect(failure.cause).toContain("executing the state 'MapState' (entered at the event id #2)");
    expect((await world.events(arn)).at(-3)).toBe('MapRunFailed <- 4');
  });

  it('give States.DataLimitExceeded when the outputs are too large together', async () => {
    const big = 'x'.repeat(100_000);
    const world = await createWorld({ functions: { 'fn:big': () => big } });
    const failure = failureOf(await world.run(mapMachine({}, task('fn:big')), [1, 2, 3]));
    expect(failure).toEqual({
      error: 'States.DataLimitExceeded',
      cause:
        "The state/task 'MapState' returned a result with a size exceeding the maximum number of bytes service limit.",
    });
  });
});

describe('the children of a Map Run', () => {
  it('are executions of their own with the names AWS gives them', async () => {
    const world = await createWorld();
    const arn = await world.start(mapMachine({ Label: 'L' }, PASS), [1]);
    await world.engine.ended(arn);
    const run = await onlyRun(world, arn);
    expect(run.arn).toMatch(new RegExp(`^${SCOPE}:mapRun:m/L:[0-9a-f-]{36}$`));
    const [child] = await children(world, run.arn);
    expect(child?.arn).toMatch(new RegExp(`^${SCOPE}:execution:m/L:[0-9a-f-]{36}$`));
    expect(child?.stateMachineArn).toBe(`${SCOPE}:stateMachine:m/L`);
    const history = await world.events(child?.arn as string);
    expect(history[1]).toBe('PassStateEntered <- 0');
  });

  it('run no more at a time than MaxConcurrency, more after UpdateMapRun', async () => {
    const { calls, run } = gate();
    const world = await createWorld({ functions: { 'fn:wait': run } });
    const arn = await world.start(mapMachine({ MaxConcurrency: 2 }, task('fn:wait')), range(6));
    await until(() => calls.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(calls).toHaveLength(2);
    const { arn: mapRunArn } = await onlyRun(world, arn);
    const shown = await world.engine.mapRuns.get(mapRunArn);
    expect(shown?.itemCounts).toMatchObject({ pending: 4, running: 2, total: 6 });
    expect(await world.engine.mapRuns.update(mapRunArn, { maxConcurrency: 4 })).toBe('updated');
    await until(() => calls.length === 4);
    for (let done = 0; done < 6; done++) {
      await until(() => calls.length > done);
      calls[done]?.open();
    }
    expect(outputOf(await world.engine.ended(arn))).toEqual(range(6));
    expect(await world.engine.mapRuns.update(mapRunArn, { maxConcurrency: 9 })).toBe('over');
    expect((await world.engine.mapRuns.get(mapRunArn))?.maxConcurrency).toBe(4);
  });

  it('may fail up to the tolerated count', async () => {
    const functions = { 'fn:odd': (n: Json) => (Number(n) % 2 === 1 ? fail('Odd') : n) };
    const world = await createWorld({ functions });
    const machine = mapMachine({ ToleratedFailureCount: 3 }, task('fn:odd'));
    const arn = await world.start(machine, range(6));
    expect(outputOf(await world.engine.ended(arn))).toEqual([0, 2, 4]);
    const run = await onlyRun(world, arn);
    expect(run.itemCounts).toMatchObject({ succeeded: 3, failed: 3, total: 6, pending: 0 });
    const strict = mapMachine({ ToleratedFailureCount: 2 }, task('fn:odd'));
    expect(failureOf(await world.run(strict, range(6))).error).toBe(
      'States.ExceedToleratedFailureThreshold',
    );
  });

  it('may fail up to the tolerated percentage', async () => {
    const functions = { 'fn:odd': (n: Json) => (Number(n) % 2 === 1 ? fail('Odd') : n) };
    const world = await createWorld({ functions });
    const half = mapMachine({ ToleratedFailurePercentage: 50 }, task('fn:odd'));
    expect(outputOf(await world.run(half, range(4)))).toEqual([0, 2]);
    const less = mapMachine({ ToleratedFailurePercentage: 49.9 }, task('fn:odd'));
    expect(failureOf(await world.run(less, range(4))).error).toBe(
      'States.ExceedToleratedFailureThreshold',
    );
  });

  it('are aborted when the Map Run fails', async () => {
    const { calls, run } = gate();
    const functions = { 'fn:mixed': (n: Json) => (n === 3 ? fail('Three') : run(n)) };
    const world = await createWorld({ functions });
    const arn = await world.start(mapMachine({}, task('fn:mixed')), range(4));
    await world.engine.ended(arn);
    expect(calls.length).toBeGreaterThan(0);
    const shown = await onlyRun(world, arn);
    expect(shown.itemCounts).toMatchObject({ failed: 1, aborted: 3, running: 0 });
    const rows = await children(world, shown.arn);
    expect(rows.map((row) => row.status).sort()).toEqual([
      'ABORTED',
      'ABORTED',
      'ABORTED',
      'FAILED',
    ]);
  });

  it('are aborted when the parent is stopped', async () => {
    const { calls, run } = gate();
    const world = await createWorld({ functions: { 'fn:wait': run } });
    const arn = await world.start(mapMachine({}, task('fn:wait')), range(3));
    await until(() => calls.length === 3);
    await world.engine.stop(arn, { error: 'Enough', cause: null });
    await until(async () => (await onlyRun(world, arn)).status === 'ABORTED');
    const shown = await onlyRun(world, arn);
    expect(shown.itemCounts).toMatchObject({ aborted: 3, running: 0 });
    expect((await children(world, shown.arn)).every((row) => row.status === 'ABORTED')).toBe(true);
    expect((await world.events(arn)).slice(-2)).toEqual([
      'MapRunAborted <- 4',
      'ExecutionAborted <- 0',
    ]);
  });

  it('may hold Map Runs themselves', async () => {
    const world = await createWorld();
    const inner = mapMachine({ ItemsPath: '$.inner' }, PASS).States as JsonObject;
    const output = outputOf(
      await world.run(mapMachine({}, inner), [{ inner: [1, 2] }, { inner: [] }]),
    );
    expect(output).toEqual([[1, 2], []]);
  });

  it('are aborted when a branch beside the Map fails', async () => {
    const { calls, run } = gate();
    const functions = { 'fn:wait': run, 'fn:bad': () => fail('Bad') };
    const world = await createWorld({ functions });
    const map = mapMachine({}, task('fn:wait'));
    const wait = { StartAt: 'W', States: { W: { Type: 'Wait', Seconds: 1, Next: 'Item' } } };
    const bad = { ...wait, States: { ...wait.States, ...task('fn:bad') } };
    const branches = { Type: 'Parallel', Branches: [map, bad], End: true };
    const arn = await world.start({ StartAt: 'P', States: { P: branches } }, [1, 2]);
    await until(() => calls.length === 2);
    const state = await world.engine.ended(arn);
    expect(failureOf(state)).toEqual({ error: 'Bad', cause: '' });
    await until(async () => (await onlyRun(world, arn)).status === 'ABORTED');
    expect((await onlyRun(world, arn)).itemCounts).toMatchObject({ aborted: 2, running: 0 });
    const events = await world.events(arn);
    expect(events.some((event) => event.startsWith('MapRunAborted'))).toBe(true);
  });

  it('of children are aborted with them', async () => {
    const { calls, run } = gate();
    const world = await createWorld({ functions: { 'fn:wait': run } });
    const inner = mapMachine({}, task('fn:wait')).States as JsonObject;
    const arn = await world.start(mapMachine({}, inner), [[1], [2]]);
    await until(() => calls.length === 2);
    await world.engine.stop(arn, { error: null, cause: null });
    await until(async () => (await world.store.open(10, null)).items.length === 0);
    await until(async () => (await onlyRun(world, arn)).status === 'ABORTED');
  });

  it('may be Express executions', async () => {
    const world = await createWorld();
    const arn = await world.start(mapMachine({ Label: 'L' }, PASS, 'EXPRESS'), [1]);
    expect(outputOf(await world.engine.ended(arn))).toEqual([1]);
    const [child] = await children(world, (await onlyRun(world, arn)).arn);
    expect(child?.arn).toMatch(new RegExp(`^${SCOPE}:express:m/L:[0-9a-f-]{36}:[0-9a-f-]{36}$`));
  });
});

describe('a Map Run and a restart', () => {
  it('goes on where it was, without running a child twice', async () => {
    const { calls, run } = gate();
    const first = await createWorld({ functions: { 'fn:wait': run } });
    const machine = mapMachine({ MaxConcurrency: 3 }, task('fn:wait'));
    const arn = await first.start(machine, range(8));
    await until(() => calls.length === 3);
    calls[0]?.open();
    calls[2]?.open();
    await until(() => calls.length === 5);
    await first.engine.close();
    const again: Json[] = [];
    const second = await createWorld({
      store: first.store,
      functions: {
        'fn:wait': (input) => {
          again.push(input);
          return input;
        },
      },
    });
    expect(outputOf(await second.engine.ended(arn))).toEqual(range(8));
    expect([...again].sort()).toEqual([1, 3, 4, 5, 6, 7]);
    const shown = await onlyRun(second, arn);
    expect(shown).toMatchObject({ status: 'SUCCEEDED', itemCounts: { succeeded: 8, total: 8 } });
    expect(await children(second, shown.arn)).toHaveLength(8);
  });

  it('aborts the children of a parent that ended just before the stop', async () => {
    const { calls, run } = gate();
    const first = await createWorld({ functions: { 'fn:wait': run } });
    const arn = await first.start(mapMachine({}, task('fn:wait')), range(3));
    await until(() => calls.length === 3);
    const stop = first.engine.stop(arn, { error: null, cause: null });
    const close = first.engine.close();
    await Promise.all([stop, close]);
    const second = await createWorld({ store: first.store, functions: { 'fn:wait': run } });
    await until(async () => (await onlyRun(second, arn)).status === 'ABORTED');
    const shown = await onlyRun(second, arn);
    expect((await children(second, shown.arn)).every((row) => row.status === 'ABORTED')).toBe(true);
  });
});

describe('a redriven Map Run', () => {
  it('shows which children wait for their turn', async () => {
    const broken = new Set<Json>([0, 1, 2, 3]);
    let hold: (() => void) | null = null;
    const held = new Promise<void>((resolve) => {
      hold = resolve;
    });
    const functions = {
      'fn:some': async (n: Json) => {
        if (broken.has(n)) return fail('Broken');
        await held;
        return n;
      },
    };
    const world = await createWorld({ functions });
    const machine = mapMachine({ MaxConcurrency: 1, ToleratedFailureCount: 3 }, task('fn:some'));
    const arn = await world.start(machine, range(6));
    await world.engine.ended(arn);
    broken.clear();
    await world.engine.redrive(arn);
    await until(async () => (await onlyRun(world, arn)).executionCounts.running === 1);
    const run = await onlyRun(world, arn);
    expect(run.executionCounts).toMatchObject({ pendingRedrive: 3, running: 1, failed: 0 });
    expect(run.itemCounts).toMatchObject({ pendingRedrive: 3, pending: 2, total: 6 });
    expect(world.engine.mapRuns.pendingRedrive(run.arn)).toHaveLength(3);
    (hold as unknown as () => void)();
    expect(outputOf(await world.engine.ended(arn))).toEqual(range(6));
    expect((await onlyRun(world, arn)).executionCounts).toMatchObject({
      pendingRedrive: 0,
      succeeded: 6,
    });
    expect(world.engine.mapRuns.pendingRedrive(run.arn)).toEqual([]);
  });

  it('runs only what had not succeeded', async () => {
    const broken = new Set<Json>([1, 3]);
    const calls: Json[] = [];
    const functions = {
      'fn:some': (n: Json) => {
        calls.push(n);
        return broken.has(n) ? fail('Broken') : n;
      },
    };
    const world = await createWorld({ functions });
    const machine = mapMachine({ MaxConcurrency: 1, ToleratedFailureCount: 1 }, task('fn:some'));
    const arn = await world.start(machine, range(6));
    await world.engine.ended(arn);
    expect(calls).toEqual([0, 1, 2, 3]);
    broken.clear();
    await world.engine.redrive(arn);
    const state = await world.engine.ended(arn);
    expect(outputOf(state)).toEqual(range(6));
    expect(calls).toEqual([0, 1, 2, 3, 1, 3, 4, 5]);
    expect((await onlyRun(world, arn)).redriveCount).toBe(1);
    expect((await world.events(arn)).slice(6)).toEqual([
      'ExecutionFailed <- 6',
      'ExecutionRedriven <- 6',
      'MapRunRedriven <- 8',
      'MapRunSucceeded <- 9',
      'MapStateSucceeded <- 10',
      'MapStateExited <- 10',
      'ExecutionSucceeded <- 12',
    ]);
  });
});
