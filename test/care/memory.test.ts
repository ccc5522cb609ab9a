import { describe, expect, it } from 'vitest';
import { writeArchive } from '../../src/care/archive.js';
import { exportOf, importFrom } from '../../src/care/journal-file.js';
import { sha256 } from '../../src/lib/digest.js';
import type { JsonObject } from '../../src/lib/json.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';
import { SeededRandom } from '../support/seeded-random.js';
import { backUp, careSuite, linesOf } from './care-suite.js';
import { arnOf, journalsOf, populate } from './population.js';

careSuite('MemoryStore', () => {
  let store: MemoryStore;
  return {
    open: async () => {
      store = new MemoryStore();
      return store;
    },
    breakDerived: async () => {
      for (const name of ['waiting', 'mapped']) {
        const arn = arnOf(name);
        const head = await store.care.head(arn);
        const row = await store.row(arn);
        if (head === null || row === null) throw new Error('Populated.');
        const nothing = { row: { ...row, status: 'ABORTED' as const }, timers: [], outbox: [] };
        await store.care.rederive(arn, head, head, nothing);
      }
    },
    reopen: async () => store,
    cleanUp: async () => {},
  };
});

async function exported(): Promise<{ text: string; store: Store }> {
  const store = new MemoryStore();
  await populate(store);
  const { header, lines } = await exportOf(store, arnOf('mapped'));
  const pieces: string[] = [];
  for await (const line of writeArchive(header as unknown as JsonObject, lines)) pieces.push(line);
  return { text: pieces.join(''), store };
}

/** Puts a right checksum under changed lines: someone who knows the format. */
function signed(lines: readonly string[]): string {
  const body = lines.map((line) => `${line}\n`).join('');
  return `${body}${JSON.stringify({ end: true, lines: lines.length, sha256: sha256(body) })}\n`;
}

describe('files that were changed', () => {
  const options = { now: 0 as never, mayRun: true };
  const importText = (text: string) =>
    importFrom(new MemoryStore(), linesOf(text, 'execution'), options);

  it('any changed, cut or doubled byte of an export is refused and nothing is written', async () => {
    const { text } = await exported();
    await expect(importText(text)).resolves.toMatchObject({ result: 'restored' });
    const random = new SeededRandom(5);
    for (let round = 0; round < 200; round++) {
      const at = Math.floor(random.next() * text.length);
      const other = text[at] === 'a' ? 'b' : 'a';
      const changed = [
        text.slice(0, at) + other + text.slice(at + 1),
        text.slice(0, at),
        text.slice(0, at) + text.slice(at + 1),
        text.slice(0, at) + (text[at] ?? '') + text.slice(at),
      ][round % 4] as string;
      const store = new MemoryStore();
      const imported = importFrom(store, linesOf(changed, 'execution'), options);
      await expect(imported, `round ${round}`).rejects.toThrow();
      expect((await store.care.size()).running).toBe(0);
    }
  });

  it('a tampered fact, definition or name is refused although the checksum was made right', async () => {
    const { text } = await exported();
    const lines = text.trimEnd().split('\n').slice(0, -1);
    const tampered = (change: (line: string) => string) => signed(lines.map(change));
    await expect(importText(signed(lines))).resolves.toMatchObject({ result: 'restored' });
    for (const [from, to] of [
      ['\\"items\\":[1,2,3]', '\\"items\\":[9,2,3]'],
      ['3600', '1'],
      ['execution:Machine:mapped', 'execution:Machine:other'],
      ['\\"seq\\":2', '\\"seq\\":3'],
    ] as const) {
      const changed = tampered((line) => line.replaceAll(from, to));
      expect(changed).not.toBe(signed(lines));
      await expect(importText(changed), from).rejects.toThrow();
    }
  });

  it('a running execution is only imported when that is asked for', async () => {
    const { text } = await exported();
    const store = new MemoryStore();
    const careful = { now: 0 as never, mayRun: false };
    const { result } = await importFrom(store, linesOf(text, 'execution'), careful);
    expect(result).toBe('running');
    expect((await store.care.size()).running).toBe(0);
  });

  it('a cut or changed backup is refused before anything of it is used', async () => {
    const store = new MemoryStore();
    await populate(store);
    const { text } = await backUp(store);
    const read = async (changed: string) => {
      for await (const _ of linesOf(changed, 'backup'));
    };
    await read(text);
    for (let at = 1; at < text.length; at += Math.ceil(text.length / 60)) {
      await expect(read(text.slice(0, at))).rejects.toThrow(/cannot be used/);
      const changed = text.slice(0, at) + (text[at] === '0' ? '1' : '0') + text.slice(at + 1);
      await expect(read(changed)).rejects.toThrow(/cannot be used/);
    }
  });
});

describe('journals', () => {
  it('swapped between two executions are damage, in whole and in part', async () => {
    const store = new MemoryStore();
    await populate(store);
    const load = store.load.bind(store);
    const [a, b] = [arnOf('waiting'), arnOf('parallel')];
    store.load = (arn) => load(arn === a ? b : arn === b ? a : arn);
    await expect(journalsOf(store)).rejects.toThrow(/damaged/);
    store.load = async (arn) => {
      const own = await load(arn);
      return arn === a ? [...own.slice(0, 1), ...(await load(b)).slice(1)] : own;
    };
    await expect(journalsOf(store)).rejects.toThrow(/damaged/);
  });

  it('without their last commits are damage, however many are missing', async () => {
    const store = new MemoryStore();
    await populate(store);
    const load = store.load.bind(store);
    const arn = arnOf('parallel');
    const whole = await load(arn);
    expect(whole.length).toBeGreaterThan(1);
    for (let kept = 0; kept < whole.length; kept++) {
      store.load = async (one) => (one === arn ? whole.slice(0, kept) : load(one));
      await expect(journalsOf(store)).rejects.toThrow(/damaged/);
    }
  });
});
