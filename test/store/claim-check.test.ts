/** Large payloads leave the journal and come back as they were; nobody above the store notices. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { EXTENDED_LIMITS } from '../../src/core/limits.js';
import { loadJournal } from '../../src/runtime/journal.js';
import { withClaimCheck } from '../../src/store/claim-check.js';
import { CLAIM_BYTES, claimsOf, hasClaims, putBack, takeOut } from '../../src/store/claims.js';
import { MemoryStore } from '../../src/store/memory.js';
import { FolderPayloads } from '../../src/store/payloads.js';
import { runMachine, TEST_ARN } from '../support/run-machine.js';
import { storeConformance } from './conformance.js';
import { commitAfter, EMPTY_HEAD, executionArn } from './fixtures.js';

const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'stepwell-payloads-'));
  folders.push(made);
  return made;
}
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});

function claimed(root = folder()) {
  const inner = new MemoryStore();
  return { inner, root, store: withClaimCheck(inner, new FolderPayloads(root), { noted: false }) };
}

storeConformance('A store with a claim check', () => ({
  open: async () => claimed().store,
  cleanUp: async () => {},
}));

const big = (mark: string): string => mark.repeat(CLAIM_BYTES + 1);

describe('claims', () => {
  it('any text comes back byte for byte, whatever its values look like', () => {
    const odd = fc.oneof(
      fc.string(),
      fc.constant('{ "$claim": "'),
      fc.constant('\\"'),
      fc.constant(`{ "$claim": "${'a'.repeat(64)}", "bytes": 3 }`),
      fc.constantFrom('a', '"', '\\', 'é', '\u{1f600}').map((mark) => mark.repeat(CLAIM_BYTES)),
    );
    const fact = fc.record({
      seq: fc.nat(),
      output: fc.oneof(odd, fc.array(odd, { maxLength: 3 }), fc.dictionary(fc.string(), odd)),
      next: odd,
    });
    fc.assert(
      fc.property(fc.array(fact, { maxLength: 4 }), (facts) => {
        const text = JSON.stringify(facts);
        const out = takeOut(text);
        const values = new Map(out.taken.map(({ hash, text: value }) => [hash, value]));
        expect(JSON.parse(out.text)).toHaveLength(facts.length);
        expect(hasClaims(out.text)).toBe(out.taken.length > 0);
        expect(putBack(out.text, values) === text).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('a value of exactly the limit stays, one byte more leaves', () => {
    const textOf = (length: number): string => JSON.stringify([{ output: 'x'.repeat(length - 2) }]);
    expect(takeOut(textOf(CLAIM_BYTES)).taken).toEqual([]);
    expect(takeOut(textOf(CLAIM_BYTES + 1)).taken).toHaveLength(1);
  });
});

describe('a machine with large payloads', () => {
  const MACHINE = {
    StartAt: 'Make',
    States: {
      Make: { Type: 'Task', Resource: 's:make', Next: 'Use' },
      Use: { Type: 'Task', Resource: 's:use', Parameters: { 'all.$': '$' }, End: true },
    },
  };
  const script = {
    's:make': { do: 'ok', output: { data: big('d') } },
    's:use': { do: 'ok', output: 'used' },
  } as const;

  it('runs as if they were small, and its journal is small', async () => {
    const { inner, store, root } = claimed();
    const run = await runMachine(MACHINE, {}, script, { store, limits: EXTENDED_LIMITS });
    expect(run.state.status).toBe('SUCCEEDED');
    expect(run.handlers.calls.at(-1)?.parameters).toEqual({ all: { data: big('d') } });
    const stored = await inner.load(TEST_ARN);
    expect(Math.max(...stored.map(({ facts }) => facts.length))).toBeLessThan(10_000);
    const journal = await loadJournal(store, TEST_ARN);
    expect(journal?.facts).toEqual(run.facts);
    expect((await inner.documents.get('settings', 'payloads'))?.body).toBe(`folder:${root}`);
  });

  it('without a lifted limit it fails where AWS does, and nothing leaves the journal', async () => {
    const { store, root } = claimed();
    const run = await runMachine(MACHINE, {}, script, { store });
    expect(run.result).toMatchObject({ Error: 'States.DataLimitExceeded' });
    expect(readdirSync(root)).toEqual([]);
  });

  it('a payload that was changed or is gone is damage, not data', async () => {
    const { store, root, inner } = claimed();
    await runMachine(MACHINE, {}, script, { store, limits: EXTENDED_LIMITS });
    const [claim] = (await inner.load(TEST_ARN)).flatMap(({ facts }) => claimsOf(facts));
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
    const file = join(root, files.find((name) => name.endsWith(claim?.hash ?? '?')) ?? '?');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('d', 'e'));
    await expect(loadJournal(store, TEST_ARN)).rejects.toThrow(/payload .* is missing or damaged/);
    rmSync(file);
    await expect(loadJournal(store, TEST_ARN)).rejects.toThrow(/payload .* is missing or damaged/);
    writeFileSync(file, text);
    expect(await loadJournal(store, TEST_ARN)).not.toBeNull();
  });

  it('its payloads go with it', async () => {
    const { store, root } = claimed();
    await runMachine(MACHINE, {}, script, { store, limits: EXTENDED_LIMITS });
    await store.remove(TEST_ARN);
    const left = readdirSync(root, { recursive: true, encoding: 'utf8' });
    expect(left.filter((name) => name.split('/').length > 1)).toEqual([]);
  });

  it('a payload of no execution is a stray once a start cannot be under way any more', async () => {
    const { root, inner } = claimed();
    const place = new FolderPayloads(root);
    await place.put(executionArn('gone'), { hash: 'f'.repeat(64), text: 'x' });
    expect(await withClaimCheck(inner, place, { noted: true }).care.strays(true)).toEqual([]);
    const later = Date.now() + 2 * 3_600_000;
    const owners: string[] = [];
    for await (const arn of place.owners(later)) owners.push(arn);
    expect(owners).toEqual([executionArn('gone')]);
  });

  it('a commit that conflicts has changed nothing', async () => {
    const { store } = claimed();
    const first = commitAfter(EMPTY_HEAD, 'a', { padding: CLAIM_BYTES });
    expect(await store.commit(first)).toBe('committed');
    expect(await store.commit(first)).toBe('conflict');
    expect(await store.load(first.arn)).toHaveLength(1);
  });
});
