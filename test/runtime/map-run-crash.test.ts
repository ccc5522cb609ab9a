import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ExecutionState } from '../../src/core/state.js';
import type { JsonObject } from '../../src/lib/json.js';
import { createMapItems } from '../../src/handlers/map-items/index.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';
import { createWorld, fail, mapMachine, SCOPE, task, type WorldOptions } from './map-run-world.js';

/** The store as a process sees it that is killed before its write number `writes`: then nothing answers. */
function dyingStore(store: Store, writes: number): { store: Store; dead: Promise<void> } {
  let left = writes;
  let die: () => void = () => {};
  const dead = new Promise<void>((resolve) => {
    die = resolve;
  });
  const guard = <T extends object>(target: T, writers: ReadonlySet<string>): T =>
    new Proxy(target, {
      get: (object, name) => {
        const value = Reflect.get(object, name, object) as unknown;
        if (name === 'documents') return guard(value as object, new Set(['put', 'remove']));
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (writers.has(String(name)) && left-- <= 0) die();
          if (left < 0) return new Promise(() => {});
          return (value as (...args: unknown[]) => unknown).apply(object, args);
        };
      },
    });
  return { store: guard(store, new Set(['commit'])), dead };
}

const ITEMS = [0, 1, 2, 3, 4, 5, 6];

async function killedAt(
  writes: number,
  machine: JsonObject,
  functions: object,
  more: Partial<WorldOptions> = {},
) {
  const inner = new MemoryStore();
  const { store, dead } = dyingStore(inner, writes);
  const options = { functions: functions as never, ...more };
  let arn = `${SCOPE}:execution:m:killed` as never;
  const first = (async () => {
    const world = await createWorld({ ...options, store });
    arn = (await world.start(machine, ITEMS, 'killed')) as never;
    return world.engine.ended(arn);
  })();
  const finished = await Promise.race([first.then(() => true), dead.then(() => false)]);
  const second = await createWorld({ ...options, store: inner });
  const known = await second.engine.state(arn);
  const state: ExecutionState | null = known === null ? null : await second.engine.ended(arn);
  const { items } = await second.engine.mapRuns.list(arn, 10, null);
  const rows = await inner.list({}, 100, null);
  return { finished, state, run: items[0] ?? null, rows: rows.items, errors: second.errors };
}

describe('a process killed before any of its writes', () => {
  it('loses and doubles no child', async () => {
    const functions = { 'fn:echo': (n: unknown) => n };
    const machine = mapMachine({ MaxConcurrency: 3 }, task('fn:echo'));
    for (let writes = 1; ; writes++) {
      const { finished, state, run, rows, errors } = await killedAt(writes, machine, functions);
      expect(errors).toEqual([]);
      if (state !== null) {
        expect(state.outcome, `killed before write ${writes}`).toEqual({ ok: true, output: ITEMS });
        expect(rows).toHaveLength(ITEMS.length + 1);
        expect(run?.itemCounts).toMatchObject({ succeeded: 7, total: 7, running: 0 });
      }
      if (finished) return;
    }
  });

  it('comes to the same failure and counts', async () => {
    const functions = { 'fn:odd': (n: number) => (n % 2 === 1 ? fail('Odd') : n) };
    const machine = mapMachine({ MaxConcurrency: 1, ToleratedFailureCount: 1 }, task('fn:odd'));
    for (let writes = 1; ; writes++) {
      const { finished, state, run, rows } = await killedAt(writes, machine, functions);
      if (state !== null) {
        const error = 'States.ExceedToleratedFailureThreshold';
        expect(state.outcome, `killed before write ${writes}`).toMatchObject({
          failure: { error },
        });
        expect(rows).toHaveLength(5);
        expect(run?.itemCounts).toMatchObject({ succeeded: 2, failed: 2, pending: 3, running: 0 });
      }
      if (finished) return;
    }
  });

  it('finds its place again in a file, batch by batch', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'map-run-'));
    try {
      await writeFile(join(folder, 'items.jsonl'), ITEMS.join('\n'));
      const files = { resolveReadable: async (path: string) => join(folder, path) };
      const mapItems = createMapItems({ files: files as never });
      const reader = {
        Resource: 'file:read',
        Parameters: { Path: 'items.jsonl' },
        ReaderConfig: { InputType: 'JSONL' },
      };
      const fields = {
        ItemReader: reader,
        ItemBatcher: { MaxItemsPerBatch: 2 },
        MaxConcurrency: 2,
      };
      const machine = mapMachine(fields, task('fn:echo'));
      const functions = { 'fn:echo': (batch: { Items: number[] }) => batch.Items };
      for (let writes = 1; ; writes++) {
        const { finished, state, run } = await killedAt(writes, machine, functions, { mapItems });
        if (state !== null) {
          const output = [[0, 1], [2, 3], [4, 5], [6]];
          expect(state.outcome, `killed before write ${writes}`).toEqual({ ok: true, output });
          expect(run?.itemCounts).toMatchObject({ succeeded: 7, total: 7, running: 0 });
          expect(run?.executionCounts).toMatchObject({ succeeded: 4, total: 4 });
        }
        if (finished) return;
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('goes on with a redrive', async () => {
    const machine = mapMachine({ MaxConcurrency: 2 }, task('fn:some'));
    for (let writes = 1; ; writes++) {
      let isBroken = true;
      const functions = { 'fn:some': (n: number) => (isBroken && n === 2 ? fail('Two') : n) };
      const inner = new MemoryStore();
      const first = await createWorld({ functions: functions as never, store: inner });
      const arn = await first.start(machine, ITEMS, 'redriven');
      await first.engine.ended(arn);
      await first.engine.close();
      isBroken = false;
      const { store, dead } = dyingStore(inner, writes);
      const redriving = (async () => {
        const world = await createWorld({ functions: functions as never, store });
        await world.engine.redrive(arn);
        return world.engine.ended(arn);
      })();
      const finished = await Promise.race([redriving.then(() => true), dead.then(() => false)]);
      const second = await createWorld({ functions: functions as never, store: inner });
      if ((await second.engine.state(arn))?.redriveCount === 1) {
        const state = await second.engine.ended(arn);
        expect(state.outcome, `killed before write ${writes}`).toEqual({ ok: true, output: ITEMS });
        const { items } = await second.engine.mapRuns.list(arn, 10, null);
        expect(items[0]).toMatchObject({
          redriveCount: 1,
          itemCounts: { succeeded: 7, total: 7, failed: 0, aborted: 0 },
        });
      }
      if (finished) return;
    }
  });
});
