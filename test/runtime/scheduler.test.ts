/** Durable timers: all of them, once each, never early. */
import { describe, expect, it } from 'vitest';
import type { EpochMs, ExecutionArn } from '../../src/lib/brand.js';
import { Scheduler } from '../../src/runtime/scheduler.js';
import { TimerHeap } from '../../src/store/memory-timers.js';
import { MemoryStore } from '../../src/store/memory.js';
import { VIRTUAL_EPOCH, VirtualClock } from '../support/virtual-clock.js';
import type { Store } from '../../src/store/store.js';

function storeOf(timers: TimerHeap): Store {
  const store = new MemoryStore();
  store.dueTimers = async (now, limit) => timers.due(now, limit);
  return store;
}

interface Bench {
  readonly clock: VirtualClock;
  readonly timers: TimerHeap;
  readonly scheduler: Scheduler;
  readonly fired: { readonly arn: string; readonly key: string; readonly at: number }[];
  set(name: string, key: string, at: number): void;
}

function bench(): Bench {
  const clock = new VirtualClock();
  const timers = new TimerHeap();
  const fired: { arn: string; key: string; at: number }[] = [];
  const scheduler = new Scheduler(
    storeOf(timers),
    clock,
    async (arn, keys) => {
      for (const key of keys) {
        fired.push({ arn, key, at: clock.now() });
        timers.drop(arn, key);
      }
    },
    (error) => {
      throw error;
    },
  );
  return {
    clock,
    timers,
    scheduler,
    fired,
    set: (name, key, at) => {
      timers.set(name as ExecutionArn, key, (VIRTUAL_EPOCH + at) as EpochMs);
      scheduler.set(name as ExecutionArn, key, (VIRTUAL_EPOCH + at) as EpochMs);
    },
  };
}

describe('timers', () => {
  it.each([1, 999, 59_999, 60_000, 60_001, 90_000, 3_600_000, 2 ** 31 + 5])(
    'of %i ms fire once, to the millisecond',
    async (delay) => {
      const { clock, scheduler, fired, set } = bench();
      await scheduler.start();
      set('a', 'k', delay);
      await clock.pass(delay + 100_000);
      expect(fired).toEqual([{ arn: 'a', key: 'k', at: VIRTUAL_EPOCH + delay }]);
    },
  );

  it('that are in the store at the start fire too, also those that are overdue', async () => {
    const { clock, timers, scheduler, fired } = bench();
    timers.set('a' as ExecutionArn, 'past', (VIRTUAL_EPOCH - 5000) as EpochMs);
    timers.set('a' as ExecutionArn, 'soon', (VIRTUAL_EPOCH + 5000) as EpochMs);
    timers.set('a' as ExecutionArn, 'late', (VIRTUAL_EPOCH + 500_000) as EpochMs);
    await scheduler.start();
    await clock.pass(600_000);
    expect(fired.map(({ key, at }) => [key, at - VIRTUAL_EPOCH])).toEqual([
      ['past', 0],
      ['soon', 5000],
      ['late', 500_000],
    ]);
  });

  it('that were dropped or moved do not fire at their old time', async () => {
    const { clock, timers, scheduler, fired, set } = bench();
    await scheduler.start();
    set('a', 'dropped', 1000);
    set('a', 'moved', 1000);
    timers.drop('a' as ExecutionArn, 'dropped');
    scheduler.drop('a' as ExecutionArn, 'dropped');
    set('a', 'moved', 200_000);
    await clock.pass(300_000);
    expect(fired.map(({ key, at }) => [key, at - VIRTUAL_EPOCH])).toEqual([['moved', 200_000]]);
  });

  it('of one execution in one millisecond come together', async () => {
    const clock = new VirtualClock();
    const calls: (readonly string[])[] = [];
    const scheduler = new Scheduler(
      new MemoryStore(),
      clock,
      async (_arn, keys) => {
        calls.push([...keys].sort());
      },
      () => undefined,
    );
    await scheduler.start();
    for (const key of ['x', 'y', 'z'])
      scheduler.set('a' as ExecutionArn, key, (VIRTUAL_EPOCH + 7) as EpochMs);
    await clock.pass(100);
    expect(calls).toEqual([['x', 'y', 'z']]);
  });

  it('survive a clock that jumps ahead or back', async () => {
    const { clock, scheduler, fired, set } = bench();
    await scheduler.start();
    set('a', 'k', 30_000);
    clock.jump(-3_600_000);
    await clock.pass(3_600_000);
    expect(fired).toHaveLength(0);
    clock.jump(7_200_000);
    expect(fired).toHaveLength(1);
  });

  it('100,000 in one millisecond all fire, once each', async () => {
    const { clock, timers, scheduler, fired } = bench();
    for (let index = 0; index < 100_000; index++) {
      timers.set(`e${index}` as ExecutionArn, 'k', (VIRTUAL_EPOCH + 1000) as EpochMs);
    }
    await scheduler.start();
    await clock.pass(2000);
    expect(fired).toHaveLength(100_000);
    expect(new Set(fired.map(({ arn }) => arn)).size).toBe(100_000);
    expect(fired.every(({ at }) => at >= VIRTUAL_EPOCH + 1000)).toBe(true);
  });

  it('go on when the store was away while they were read', async () => {
    const clock = new VirtualClock();
    const timers = new MemoryStore();
    const fired: string[] = [];
    let reads = 0;
    const store = {
      dueTimers: async () => {
        // The read at 30 s fails.
        if (++reads === 2) throw new Error('away');
        return clock.now() > VIRTUAL_EPOCH + 31_000 && fired.length === 0
          ? [{ arn: 'a' as ExecutionArn, key: 'late', dueAt: (VIRTUAL_EPOCH + 90_000) as EpochMs }]
          : [];
      },
    };
    const errors: unknown[] = [];
    const scheduler = new Scheduler(
      Object.assign(Object.create(timers), store),
      clock,
      async (_arn, keys) => {
        fired.push(...keys);
      },
      (error) => errors.push(error),
    );
    await scheduler.start();
    await clock.pass(95_000);
    expect(errors).toHaveLength(1);
    expect(fired).toEqual(['late']);
  });
});
