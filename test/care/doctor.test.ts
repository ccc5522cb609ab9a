/** What doctor tells, beside executions: each finding has its mend, and --fix does what it says. */
import { describe, expect, it } from 'vitest';
import { restoreLines } from '../../src/care/backup.js';
import { type Diagnosis, diagnose } from '../../src/care/doctor.js';
import type { EpochMs } from '../../src/lib/brand.js';
import { MemoryStore } from '../../src/store/memory.js';
import { Quarantine } from '../../src/runtime/quarantine.js';
import { backUp, linesOf } from './care-suite.js';
import { arnOf, populate } from './population.js';

async function told(store: MemoryStore, now: number, fix = false): Promise<readonly Diagnosis[]> {
  const found: Diagnosis[] = [];
  const options = { now: () => now as EpochMs, fix, deep: false };
  for await (const one of diagnose(store, options)) {
    if (one.level !== 'ok' && one.check !== 'durability') found.push(one);
  }
  return found;
}

describe('doctor', () => {
  it('names timers that are late', async () => {
    const store = new MemoryStore();
    const clock = await populate(store);
    const [found] = await told(store, clock.now() + 2 * 3_600_000);
    expect(found).toMatchObject({ check: 'timers', level: 'warning' });
    expect(found?.message).toMatch(/timers are late, the first since/);
  });

  it('names what is quarantined, with the reason and the mend', async () => {
    const store = new MemoryStore();
    const clock = await populate(store);
    const quarantine = new Quarantine(store.documents);
    const why = { reason: 'engine', seq: 3, now: clock.now() } as never;
    expect(await quarantine.hold(arnOf('waiting'), new Error('an invariant broke'), why)).toBe(
      true,
    );
    expect(await quarantine.hold(arnOf('waiting'), new Error('again'), why)).toBe(false);
    const [found] = await told(store, clock.now());
    expect(found).toMatchObject({ check: 'quarantine', level: 'error', arn: arnOf('waiting') });
    expect(found?.message).toContain('an invariant broke');
    expect(found?.mend).toContain('stepwell quarantine release');
  });

  it('finds documents of executions that are gone, and removes them when asked to', async () => {
    const store = new MemoryStore();
    const clock = await populate(store);
    const body = { executionArn: arnOf('gone') };
    await store.documents.put('map-run', 'arn:map', body, null);
    await store.documents.put('map-run', 'arn:kept', { executionArn: arnOf('mapped') }, null);
    await store.documents.put('redrive-tokens', arnOf('gone'), { used: [] }, null);
    const found = await told(store, clock.now());
    expect(found.map(({ check }) => check)).toEqual(['document', 'document']);
    await told(store, clock.now(), true);
    expect(await told(store, clock.now())).toEqual([]);
    expect(await store.documents.get('map-run', 'arn:kept')).not.toBeNull();
  });

  it('mends what is stuck, and leaves nothing to mend', async () => {
    const store = new MemoryStore();
    const clock = await populate(store);
    const arn = arnOf('waiting');
    const head = await store.care.head(arn);
    const row = await store.row(arn);
    if (head === null || row === null) throw new Error('Populated.');
    await store.care.rederive(arn, head, head, { row, timers: [], outbox: [] });
    const [found] = await told(store, clock.now());
    expect(found).toMatchObject({ check: 'stuck', level: 'error', arn });
    const [fixed] = await told(store, clock.now(), true);
    expect(fixed).toMatchObject({ check: 'stuck', fixed: true });
    expect(await told(store, clock.now())).toEqual([]);
  });

  it('knows a store whose restore was cut short', async () => {
    const whole = new MemoryStore();
    const clock = await populate(whole);
    const { text } = await backUp(whole);
    const store = new MemoryStore();
    async function* cut() {
      let lines = 0;
      for await (const line of linesOf(text, 'backup')) {
        if (lines++ > 4) throw new Error('The power went.');
        yield line;
      }
    }
    await expect(restoreLines(store, cut(), clock.now())).rejects.toThrow('The power went.');
    const [found] = await told(store, clock.now());
    expect(found).toMatchObject({ check: 'restore', level: 'error' });
    expect(found?.mend).toContain('--overwrite');
  });
});
