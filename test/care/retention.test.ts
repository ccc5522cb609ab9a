/** What is over goes by age, count and bytes; what runs, and what something that is there needs, stays. */
import { describe, expect, it } from 'vitest';
import { Retention, type RetentionRule } from '../../src/care/retention.js';
import type { EpochMs, ExecutionArn } from '../../src/lib/brand.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { ExecutionRow } from '../../src/store/store.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { commitAfter, EMPTY_HEAD, executionArn } from '../store/fixtures.js';

const DAY_MS = 24 * 3600 * 1000;
const NO_RULE: RetentionRule = { days: null, count: null, bytes: null };
const MAP_RUN = 'arn:aws:states:us-east-1:123456789012:mapRun:Demo/label:1';

function world(rule: Partial<RetentionRule>) {
  const store = new MemoryStore();
  const clock = new VirtualClock();
  const retention = new Retention(store, { ...NO_RULE, ...rule }, clock, (error) => {
    throw error;
  });
  const put = async (name: string, ageDays: number | null, changes: Partial<ExecutionRow> = {}) => {
    const stoppedAt = ageDays === null ? null : ((clock.now() - ageDays * DAY_MS) as EpochMs);
    const startedAt = ((stoppedAt ?? clock.now()) - 1000) as EpochMs;
    const status = ageDays === null ? 'RUNNING' : 'SUCCEEDED';
    const row = { status, startedAt, stoppedAt, ...changes } as const;
    await store.commit(commitAfter(EMPTY_HEAD, name, { row, padding: 1000 }));
  };
  const names = async () => {
    const { items } = await store.list({}, 10_000, null);
    return items.map((row) => row.name).sort();
  };
  return { store, clock, retention, put, names };
}

describe('retention', () => {
  it('removes what ended longer ago than the days it keeps, and nothing that runs', async () => {
    const { retention, put, names } = world({ days: 90 });
    await put('old', 91);
    await put('young', 89);
    await put('running', null, { startedAt: 1 as EpochMs });
    expect(await retention.sweep()).toEqual({ removed: 1, more: false });
    expect(await names()).toEqual(['running', 'young']);
  });

  it('keeps at most so many, the youngest', async () => {
    const { retention, put, names } = world({ count: 2 });
    for (const [name, age] of [
      ['a', 5],
      ['b', 4],
      ['c', 3],
      ['d', 2],
    ] as const) {
      await put(name, age);
    }
    await put('running', null);
    await retention.sweep();
    expect(await names()).toEqual(['c', 'd', 'running']);
  });

  it('removes the oldest until the store is small enough', async () => {
    const { store, retention, put } = world({ bytes: 100_000 });
    for (let index = 0; index < 400; index++) await put(`e${index}`, 400 - index);
    for (let sweeps = 0; sweeps < 10; sweeps++) await retention.sweep();
    const { bytes, ended } = await store.care.size();
    expect(bytes).toBeLessThanOrEqual(100_000);
    expect(ended).toBeGreaterThanOrEqual(1);
  });

  it('does a bounded piece of work at a time and goes on where it stopped', async () => {
    const { retention, put, names } = world({ days: 1 });
    for (let index = 0; index < 620; index++) await put(`e${index}`, 10);
    expect(await retention.sweep()).toEqual({ removed: 500, more: true });
    expect(await retention.sweep()).toEqual({ removed: 120, more: false });
    expect(await names()).toEqual([]);
  });

  it('looks no further than where everything is young', async () => {
    const { store, retention, put } = world({ days: 50 });
    for (let index = 0; index < 300; index++) await put(`e${index}`, 100 - index / 3);
    let pages = 0;
    const ended = store.care.ended;
    Object.assign(store.care, {
      ended: (limit: number, token: string | null) => {
        pages += 1;
        return ended(limit, token);
      },
    });
    const { removed } = await retention.sweep();
    expect(removed).toBeGreaterThan(140);
    expect(pages).toBe(2);
    await retention.sweep();
    expect(pages).toBe(3);
  });

  it('keeps a parent whose Map Run is open, with the children it has', async () => {
    const { store, retention, put, names } = world({ days: 1 });
    await put('parent', 10);
    await put('child', 10, { mapRunArn: MAP_RUN });
    const note = { executionArn: executionArn('parent'), frame: '0', by: 3 };
    await store.documents.put('map-run-open', MAP_RUN, note, null);
    await retention.sweep();
    expect(await names()).toEqual(['child', 'parent']);
  });

  it('a Map Run goes with its parent, children first, and not before it', async () => {
    const { store, retention, put, names } = world({ days: 5 });
    await put('child', 10, { mapRunArn: MAP_RUN });
    await put('parent', 4);
    const body = { executionArn: executionArn('parent') };
    await store.documents.put('map-run', MAP_RUN, body, null);
    await retention.sweep();
    expect(await names()).toEqual(['child', 'parent']);
    await store.remove(executionArn('parent') as ExecutionArn);
    await put('parent', 6);
    await retention.sweep();
    expect(await names()).toEqual([]);
    expect(await store.documents.get('map-run', MAP_RUN)).toBeNull();
  });

  it('sweeps by itself, and not without a rule', async () => {
    const kept = world({});
    await kept.put('old', 1000);
    kept.retention.start();
    await kept.clock.pass(3 * 60_000);
    expect(await kept.names()).toEqual(['old']);

    const { retention, put, names, clock } = world({ days: 1 });
    await put('old', 10);
    retention.start();
    await clock.pass(3 * 60_000);
    expect(await names()).toEqual([]);
    await retention.close();
  });
});
