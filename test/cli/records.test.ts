/** `stepwell runs`, `lineage`, `data` and `gates` as a person meets them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPolicies } from '../../src/ml/gates/policy-store.js';
import { openLineage } from '../../src/ml/lineage/events.js';
import { openRuns } from '../../src/ml/tracking/run-store.js';
import { Folder, type Said, USUAL } from '../support/command-line.js';

let folder: Folder;
const say = (...words: readonly string[]): Promise<Said> => folder.run(words, '', USUAL);
const ids: string[] = [];
const ARN = 'arn:aws:states:us-east-1:123456789012:execution:machine:my-run';

beforeAll(async () => {
  folder = new Folder();
  const home = join(folder.path, '.stepwell');
  const runs = openRuns(join(home, 'mlruns'));
  for (const rate of ['0.1', '0.2']) {
    const run = await runs.start({
      key: rate,
      experiment: 'machine',
      name: `run/${rate}`,
      user: 'ann',
    });
    await run.param('rate', rate);
    await run.param('epochs', '3');
    for (let step = 1; step <= 8; step++) await run.metric('loss', Number(rate) / step, step);
    await run.metric('bound', Number.POSITIVE_INFINITY, 0);
    await run.end('FINISHED');
    ids.push(run.runId);
  }
  folder.write('in.csv', 'age,mood\n1,good\n2,bad\n');
  const lineage = openLineage({ folder: join(home, 'lineage'), namespace: 'test' });
  const run = {
    key: 'k',
    job: 'machine.Ingest',
    execution: ARN,
    state: 'Ingest',
    resource: 'ml:ingest',
  };
  const data = { inputs: ['in.csv'], outputs: [`artifact://sha256/${'ab'.repeat(32)}/out.jsonl`] };
  await lineage.emit('START', run, data);
  await lineage.emit('COMPLETE', run, data);
});
afterAll(() => folder.remove());

it('runs: a list, one with its curve, two side by side with what differs', async () => {
  const list = await say('runs', 'list');
  expect(list.stdout).toMatch(/FINISHED.*machine {2}run\/0\.2/);
  const shown = await say('runs', 'show', String(ids[0]).slice(0, 10));
  expect(shown.stdout).toMatch(/loss\s+0\.012500\s+█▄▃/);
  expect(shown.stdout).toMatch(/bound\s+inf/);
  const compared = await say('runs', 'compare', ...ids);
  expect(compared.stdout).toMatch(/parameters that differ[\s\S]*rate\s+0\.1\s+0\.2/);
  expect(compared.stdout).toContain('1 parameters are the same: epochs');
  const json = JSON.parse((await say('runs', 'show', String(ids[1]), '--json')).stdout);
  expect(json.metrics.bound[0].value).toBe('inf');
  const none = await say('runs', 'show', 'zzz');
  expect(none).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('There is no run "zzz".'),
  });
});

it('lineage: of a file, of an artifact by the start of its hash, of an execution', async () => {
  expect((await say('lineage', 'in.csv')).stdout).toMatch(
    /used for[\s\S]*→ artifact:\/\/sha256\/abababababab…\/out\.jsonl/,
  );
  expect((await say('lineage', 'abab')).stdout).toMatch(
    /made from[\s\S]*ml:ingest[\s\S]*← in\.csv/,
  );
  const own = JSON.parse((await say('lineage', 'my-run', '--json')).stdout);
  expect(own).toMatchObject({ relation: 'steps', status: 'COMPLETE', execution: ARN });
  expect((await say('lineage', 'nothing')).status).toBe(2);
});

it('data: a profile with its suite and picture; an execution for DVC', async () => {
  const found = await say('data', 'profile', 'in.csv', '--suite', 's.json', '--svg', 'h.svg');
  expect(found.stdout).toMatch(/in\.csv {2}2 rows, 2 columns[\s\S]*mood\s+text\s+complete/);
  expect(JSON.parse(readFileSync(join(folder.path, 's.json'), 'utf8')).name).toBe('in');
  expect(readFileSync(join(folder.path, 'h.svg'), 'utf8')).toMatch(/^<svg /);
  expect((await say('data', 'profile', 'absent.csv')).status).toBe(2);
  const dvc = await say('data', 'dvc', 'my-run', '--to', 'out');
  expect(dvc.stdout).toContain('not there any more: artifact://sha256/abab');
  expect(existsSync(join(folder.path, 'out/dvc.lock'))).toBe(true);
});

it('gates: what was used, its clauses in words, and a document before it is used', async () => {
  const policy = {
    name: 'mood',
    version: '1.9.0',
    clauses: [
      { metric: 'accuracy', value: 0.85 },
      { metric: 'f1Macro', versus: 'champion', margin: 0.01 },
    ],
  };
  const policies = openPolicies(join(folder.path, '.stepwell/policies'));
  await policies.keep({ ...policy, version: '1.10.0' });
  await policies.keep(policy);
  expect((await say('gates', 'list')).stdout).toBe('mood  1.9.0, 1.10.0\n');
  const shown = await say('gates', 'show', 'mood');
  expect(shown.stdout).toMatch(/^mood 1\.10\.0 {2}sha256 [0-9a-f]{12}\n {2}· accuracy >= 0\.85\n/);
  expect(shown.stdout).toContain('f1Macro better than the champion by 0.01 or more');
  expect(await say('gates', 'show', 'mood', '2.0.0')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('There is no policy mood 2.0.0 (versions: 1.9.0, 1.10.0).'),
  });
  folder.write('bad.json', { ...policy, clauses: [{ metric: 'accuracy', value: '0.85' }] });
  expect(await say('gates', 'check', 'bad.json')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('/clauses/0/value: must be a number.'),
  });
  folder.write('good.json', policy);
  expect(JSON.parse((await say('gates', 'check', 'good.json', '--json')).stdout)).toMatchObject({
    words: ['accuracy >= 0.85', expect.any(String)],
  });
});
