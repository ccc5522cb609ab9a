/** What doctor, rebuild, backup and restore promise, over any store. */
import { beforeAll, describe, expect, it } from 'vitest';
import { readArchive, writeArchive } from '../../src/care/archive.js';
import { backupLines, type Counts, restoreLines } from '../../src/care/backup.js';
import { type Diagnosis, diagnose } from '../../src/care/doctor.js';
import { exportOf, importFrom } from '../../src/care/journal-file.js';
import { rebuild } from '../../src/care/rebuild.js';
import type { EpochMs } from '../../src/lib/brand.js';
import type { JsonObject } from '../../src/lib/json.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';
import { arnOf, finish, journalsOf, NAMES, populate } from './population.js';

export interface CareFixture {
  open(): Promise<Store>;
  /** Breaks what is derived: loses indexes, rows, timers, effects; closes the store. */
  breakDerived(store: Store): Promise<void>;
  reopen(): Promise<Store>;
  cleanUp(): Promise<void>;
  /** Answers come from another process: virtual time does not wait for them, a copy in memory does. */
  readonly isRemote?: boolean;
}

const HEADER = { stepwell: 'backup', version: 1 };

export async function backUp(store: Store): Promise<{ text: string; counts: Counts }> {
  const counts: Counts = { executions: 0, documents: 0, damaged: [] };
  const text = await store.care.frozen(async (still) => {
    const pieces: string[] = [];
    for await (const line of writeArchive(HEADER, backupLines(still, counts))) pieces.push(line);
    return pieces.join('');
  });
  return { text, counts };
}

export function linesOf(text: string, kind: 'backup' | 'execution'): AsyncGenerator<JsonObject> {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < text.length; at += 1000) yield Buffer.from(text.slice(at, at + 1000));
  }
  return readArchive(chunks(), kind);
}

async function copyOf(store: Store, now: EpochMs): Promise<Store> {
  const copy = new MemoryStore();
  await restoreLines(copy, linesOf((await backUp(store)).text, 'backup'), now);
  return copy;
}

async function findings(store: Store, now: EpochMs, fix = false): Promise<Diagnosis[]> {
  const found: Diagnosis[] = [];
  for await (const one of diagnose(store, { now: () => now, fix, deep: true })) found.push(one);
  return found.filter(({ level, check }) => level !== 'ok' && check !== 'durability');
}

export function careSuite(name: string, createFixture: () => CareFixture): void {
  describe(`${name}, taken care of`, () => {
    /** How all executions end when nothing goes wrong. */
    let ends: Record<string, string>;
    beforeAll(async () => {
      const store = new MemoryStore();
      ends = await finish(store, await populate(store));
    });

    const withStore = async (work: (store: Store, fixture: CareFixture) => Promise<void>) => {
      const fixture = createFixture();
      const store = await fixture.open();
      try {
        await work(store, fixture);
      } finally {
        await store.close().catch(() => undefined);
        await fixture.cleanUp();
      }
    };

    it('doctor finds nothing in a store that only stopped', () =>
      withStore(async (store) => {
        const clock = await populate(store);
        expect(await findings(store, clock.now())).toEqual([]);
      }));

    it('what is derived is rebuilt from the journals alone, and everything goes on', () =>
      withStore(async (first, fixture) => {
        const clock = await populate(first);
        const journals = await journalsOf(first);
        await fixture.breakDerived(first);
        const store = await fixture.reopen();
        try {
          const broken = await findings(store, clock.now());
          expect(broken.map(({ check }) => check)).toContain('stuck');
          const done = await rebuild(store, () => clock.now());
          expect(done.left).toEqual([]);
          expect(done.damaged).toEqual([]);
          expect(done.examined).toBeGreaterThanOrEqual(NAMES.length);
          expect(await findings(store, clock.now())).toEqual([]);
          expect(await journalsOf(store)).toEqual(journals);
          expect((await store.list({}, 100, null)).items).toHaveLength(NAMES.length);
          const driven = fixture.isRemote ? await copyOf(store, clock.now()) : store;
          expect(await finish(driven, clock)).toEqual(ends);
        } finally {
          await store.close();
        }
      }));

    it('a backup restores into another kind of store, and everything goes on there', () =>
      withStore(async (store) => {
        const clock = await populate(store);
        const { text, counts } = await backUp(store);
        expect(counts).toMatchObject({ executions: NAMES.length, damaged: [] });
        const other = new MemoryStore();
        await restoreLines(other, linesOf(text, 'backup'), clock.now());
        expect(await journalsOf(other)).toEqual(await journalsOf(store));
        expect(await findings(other, clock.now())).toEqual([]);
        expect(await finish(other, clock)).toEqual(ends);
      }));

    it('a backup of another kind of store restores into this one', () =>
      withStore(async (store, fixture) => {
        const other = new MemoryStore();
        const clock = await populate(other);
        const { text } = await backUp(other);
        await restoreLines(store, linesOf(text, 'backup'), clock.now());
        expect(await findings(store, clock.now())).toEqual([]);
        expect(await store.documents.get('secret', 'task-token-key')).not.toBeNull();
        const driven = fixture.isRemote ? await copyOf(store, clock.now()) : store;
        expect(await finish(driven, clock)).toEqual(ends);
      }));

    it('an execution is exported and imported whole, once', () =>
      withStore(async (store) => {
        const clock = await populate(store);
        const { header, lines } = await exportOf(store, arnOf('failed'));
        const pieces: string[] = [];
        for await (const line of writeArchive(header as unknown as JsonObject, lines)) {
          pieces.push(line);
        }
        const text = pieces.join('');
        const other = new MemoryStore();
        const options = { now: clock.now(), mayRun: false };
        const first = await importFrom(other, linesOf(text, 'execution'), options);
        expect(first).toMatchObject({ arn: arnOf('failed'), result: 'restored' });
        expect(await other.load(arnOf('failed'))).toEqual(await store.load(arnOf('failed')));
        const again = await importFrom(store, linesOf(text, 'execution'), options);
        expect(again.result).toBe('exists');
      }));
  });
}
