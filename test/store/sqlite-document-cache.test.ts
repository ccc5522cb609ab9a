/** What may be served from memory, and what never: the laws of documents hold through it. */
import { expect, it } from 'vitest';
import { DocumentCache } from '../../src/store/sqlite-document-cache.js';

const document = (id: string, revision = 1) => ({ id, revision, body: { of: [{ id }] } });

it('gives back the very same object, which nobody can change', () => {
  const cache = new DocumentCache();
  const kept = cache.keep('k', document('a'), 10);
  expect(cache.get('k', 'a')).toBe(kept);
  expect(cache.get('other', 'a')).toBeUndefined();
  expect(() => {
    (kept.body as { of: { id: string }[] }).of[0] = { id: 'changed' };
  }).toThrow(TypeError);
});

it('a write voids what was read before it and during it', async () => {
  const cache = new DocumentCache();
  cache.keep('k', document('a'), 10);
  let written: (value: string) => void = () => {};
  const write = cache.during('k', 'a', new Promise<string>((done) => (written = done)));
  expect(cache.get('k', 'a')).toBeUndefined();
  cache.keep('k', document('a'), 10);
  expect(cache.get('k', 'a')).toBeUndefined();
  written('done');
  expect(await write).toBe('done');
  cache.keep('k', document('a', 2), 10);
  expect(cache.get('k', 'a')?.revision).toBe(2);
});

it('a write that fails leaves the cache in use', async () => {
  const cache = new DocumentCache();
  await expect(cache.during('k', 'a', Promise.reject(new Error('no')))).rejects.toThrow('no');
  cache.keep('k', document('a'), 10);
  expect(cache.get('k', 'a')).toBeDefined();
});

it('large documents are not kept, and all together stay below the bound', () => {
  const cache = new DocumentCache();
  cache.keep('k', document('large'), 1_000_001);
  expect(cache.get('k', 'large')).toBeUndefined();
  for (let at = 0; at < 17; at += 1) cache.keep('k', document(`d${at}`), 1_000_000);
  expect(cache.get('k', 'd0')).toBeUndefined();
  expect(cache.get('k', 'd16')).toBeDefined();
});
