import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ARTIFACTS_NOT_FOUND, createArtifactStore } from '../../src/handlers/artifacts.js';
import type { ArtifactStore } from '../../src/handlers/handler.js';
import { failureOf } from './world.js';

let folder: string;
let store: ArtifactStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepwell-artifacts-'));
  store = createArtifactStore(join(folder, 'store'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

it('any bytes, at once or in pieces, come back under the address of their hash', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 3_000 }), fc.nat(500), async (bytes, size) => {
      const whole = await store.put(bytes, { name: 'data.bin' });
      const streamed = await store.put(pieces(bytes, size + 1), { name: 'data.bin' });
      expect(streamed).toEqual(whole);
      expect(whole.sha256).toBe(hashOf(bytes));
      expect(whole.bytes).toBe(bytes.length);
      expect(await readFile(await store.path(whole.uri))).toEqual(Buffer.from(bytes));
    }),
    { numRuns: 30 },
  );
});

it('the address holds the hash and a name that any file system takes', async () => {
  const { uri, sha256 } = await store.put(Buffer.from('x'), { name: '../../etc/pass wd.csv' });
  expect(uri).toBe(`artifact://sha256/${sha256}/_.._etc_pass_wd.csv`);
  expect(await store.path(uri)).toBe(
    join(folder, 'store', 'sha256', sha256.slice(0, 2), sha256, '_.._etc_pass_wd.csv'),
  );
  expect(await store.path(`artifact://sha256/${sha256}`)).toBe(await store.path(uri));
});

it('the same content under another name is there under both', async () => {
  const a = await store.put(Buffer.from('same'), { name: 'a.csv' });
  const b = await store.put(Buffer.from('same'), { name: 'b.csv' });
  expect(a.sha256).toBe(b.sha256);
  for (const { uri } of [a, b]) expect(await readFile(await store.path(uri), 'utf8')).toBe('same');
});

it('many writers of the same content at the same time end with one copy and nothing left over', async () => {
  const bytes = Buffer.alloc(200_000, 7);
  const refs = await Promise.all(
    Array.from({ length: 20 }, (_, i) => store.put(pieces(bytes, 999 + i), { name: 'm.onnx' })),
  );
  expect(new Set(refs.map((ref) => ref.uri)).size).toBe(1);
  expect(await readFile(await store.path(refs[0]?.uri ?? ''))).toEqual(bytes);
  expect(await readdir(join(store.root, 'incoming'))).toEqual([]);
});

it('a stream that breaks leaves nothing', async () => {
  async function* broken() {
    yield Buffer.from('half');
    throw new Error('connection lost');
  }
  await expect(store.put(broken(), { name: 'x' })).rejects.toThrow('connection lost');
  expect(await readdir(join(store.root, 'incoming'))).toEqual([]);
  await failureOf(store.path(`artifact://sha256/${hashOf(Buffer.from('half'))}`));
});

async function makeModel(name: string, weights: string): Promise<string> {
  const model = join(folder, name);
  await mkdir(join(model, 'onnx'), { recursive: true });
  await writeFile(join(model, 'config.json'), '{}');
  await writeFile(join(model, 'onnx', 'model.onnx'), weights);
  return model;
}

it('a folder has one address for the same names and contents, and another for any change', async () => {
  const first = await store.putFolder(await makeModel('m1', 'w'), { name: 'model' });
  const again = await store.putFolder(await makeModel('m2', 'w'), { name: 'model' });
  const changed = await store.putFolder(await makeModel('m3', 'v'), { name: 'model' });
  expect(again).toEqual(first);
  expect(first.bytes).toBe(3);
  expect(changed.sha256).not.toBe(first.sha256);
  const renamed = await makeModel('m4', 'w');
  await writeFile(join(renamed, 'extra'), '');
  expect((await store.putFolder(renamed, { name: 'model' })).sha256).not.toBe(first.sha256);
  const path = await store.path(first.uri);
  expect(await readFile(join(path, 'onnx', 'model.onnx'), 'utf8')).toBe('w');
  expect(await store.path(`${first.uri}/onnx/model.onnx`)).toBe(join(path, 'onnx', 'model.onnx'));
});

it('many writers of the same folder end with one copy', async () => {
  const model = await makeModel('m', 'w');
  const refs = await Promise.all(
    Array.from({ length: 8 }, () => store.putFolder(model, { name: 'model' })),
  );
  expect(new Set(refs.map((ref) => ref.uri)).size).toBe(1);
  expect(await readdir(join(store.root, 'incoming'))).toEqual([]);
});

it('a folder with a link is refused: it would carry what lies elsewhere', async () => {
  const model = await makeModel('m', 'w');
  await symlink('/etc/passwd', join(model, 'weights.bin'));
  expect((await failureOf(store.putFolder(model, { name: 'model' }))).reason).toMatch(
    /weights\.bin/,
  );
});

it.each([
  'artifact://sha256/abc',
  `artifact://sha256/${'0'.repeat(64)}`,
  `artifact://sha256/${'0'.repeat(64)}/../../../secret`,
  'file:///etc/passwd',
  '../x',
])('%j is not found', async (uri) => {
  expect((await failureOf(store.path(uri))).error).toBe(ARTIFACTS_NOT_FOUND);
});
