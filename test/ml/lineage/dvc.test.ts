import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  dvcCache,
  dvcFile,
  dvcOut,
  folderListing,
  place,
  readDvc,
} from '../../../src/ml/lineage/dvc.js';
import { exportSteps } from '../../../src/ml/lineage/dvc-export.js';
import type { Step } from '../../../src/ml/lineage/graph.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepwell-dvc-'));
  mkdirSync(join(folder, 'set/deep'), { recursive: true });
  writeFileSync(join(folder, 'set/b.txt'), 'foo\n');
  writeFileSync(join(folder, 'set/deep/ä.txt'), 'bar\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

// python3: hashlib.md5(json.dumps([{"md5": …, "relpath": "b.txt"}, {…"deep/ä.txt"}], sort_keys=True).encode())
const LISTING =
  '[{"md5": "d3b07384d113edec49eaa6238ad5ff00", "relpath": "b.txt"}, ' +
  '{"md5": "c157a79031e1c40f85931829bc5fc552", "relpath": "deep/\\u00e4.txt"}]';

test('a file by its MD5, a folder by the listing that Python writes', async () => {
  expect(await dvcOut(join(folder, 'set/b.txt'), 'data/b.txt')).toEqual({
    md5: 'd3b07384d113edec49eaa6238ad5ff00',
    size: 4,
    hash: 'md5',
    path: 'data/b.txt',
  });
  const files = [
    { md5: 'c157a79031e1c40f85931829bc5fc552', relpath: 'deep/ä.txt' },
    { md5: 'd3b07384d113edec49eaa6238ad5ff00', relpath: 'b.txt' },
  ];
  expect(folderListing(files)).toBe(LISTING);
  expect(await dvcOut(join(folder, 'set'), 'set')).toEqual({
    md5: '052368778823ebf6d9cf497a2463d8f5.dir',
    size: 8,
    nfiles: 2,
    hash: 'md5',
    path: 'set',
  });
});

test('the cache has every file and the listing at its place; a .dvc file reads back', async () => {
  const cache = join(folder, 'cache');
  await dvcCache(join(folder, 'set'), cache);
  const out = await dvcOut(join(folder, 'set'), 'set');
  expect(readFileSync(place(cache, out.md5), 'utf8')).toBe(LISTING);
  expect(readFileSync(join(cache, 'files/md5/c1/57a79031e1c40f85931829bc5fc552'), 'utf8')).toBe(
    'bar\n',
  );
  writeFileSync(join(folder, 'set.dvc'), dvcFile(out));
  expect(await readDvc(join(folder, 'set.dvc'))).toEqual(out);
  writeFileSync(join(folder, 'bad.dvc'), 'outs:\n- md5: ../../etc\n  path: x\n');
  await expect(readDvc(join(folder, 'bad.dvc'))).rejects.toThrow('bad.dvc: needs "outs"');
});

test('steps as a pipeline: each path belongs to one stage, what is gone is told', async () => {
  const [a, b, gone] = ['a', 'b', 'c'].map((x) => `artifact://sha256/${x.repeat(64)}`) as [
    string,
    string,
    string,
  ];
  const paths = new Map([
    [`${a}/b.txt`, join(folder, 'set/b.txt')],
    [`${b}/set`, join(folder, 'set')],
  ]);
  const step = (state: string, inputs: string[], outputs: string[]): Step => ({
    runId: state,
    job: state,
    execution: 'arn:x:run',
    state,
    resource: 'ml:x',
    at: '',
    status: 'COMPLETE',
    inputs,
    outputs,
  });
  const steps = [
    step('Ingest', ['in.csv'], [`${a}/b.txt`]),
    step('Make', [`${a}/b.txt`, gone], [`${b}/set`]),
  ];
  const to = join(folder, 'out');
  const result = await exportSteps(steps, to, async (uri) => {
    const path = paths.get(uri);
    if (path === undefined) throw new Error('absent');
    return path;
  });
  expect(result).toEqual({ stages: 2, files: 2, missing: [gone] });
  const lock = parse(readFileSync(join(to, 'dvc.lock'), 'utf8'));
  expect(lock).toMatchObject({
    schema: '2.0',
    stages: {
      '1-Ingest': { deps: [], outs: [{ path: 'data/1-Ingest/b.txt', hash: 'md5', size: 4 }] },
      '2-Make': {
        deps: [{ path: 'data/1-Ingest/b.txt' }],
        outs: [{ path: 'data/2-Make/set', nfiles: 2 }],
      },
    },
  });
  expect(readFileSync(join(to, 'data/2-Make/set/deep/ä.txt'), 'utf8')).toBe('bar\n');
});
