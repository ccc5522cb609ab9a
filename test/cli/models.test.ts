/** `stepwell models` and `stepwell endpoints` as a person meets them: what is printed, and the exit status. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openRegistry } from '../../src/ml/registry/index.js';
import { endpointsFolder, openEndpoints } from '../../src/serving/index.js';
import { Folder, type Said, USUAL } from '../support/command-line.js';

let folder: Folder;
const say = (...words: readonly string[]): Promise<Said> => folder.run(words, '', USUAL);
const author = { who: 'ann', why: 'test' };
beforeAll(async () => {
  folder = new Folder();
  const home = join(folder.path, '.stepwell');
  const registry = openRegistry({ folder: join(home, 'registry') });
  await registry.register({ ...author, name: 'sentiment', uri: '/1', metrics: { accuracy: 0.9 } });
  await registry.register({ ...author, name: 'sentiment', uri: '/2', metrics: { accuracy: 0.92 } });
  const endpoints = openEndpoints(endpointsFolder(home));
  for (const version of ['v1.0.0', 'v1.1.0']) {
    const model = { name: 'sentiment', version, uri: '/m', path: '/m' };
    const variants = [{ name: 'AllTraffic', weight: 1, instanceCount: 1, model }];
    await endpoints.switchTo('sentiment', { ...author, variants });
  }
});
afterAll(() => folder.remove());

it('a policy refuses a promotion until the version is approved, and the audit knows when it was made', async () => {
  const models = (...words: string[]) => say('models', ...words);
  expect((await models('policy', 'sentiment', '--require-approval')).status).toBe(0);
  const refused = await models('promote', 'sentiment', 'v1.1.0');
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain('its approval is PendingManualApproval');
  expect((await models('approve', 'sentiment', 'v1.1.0', '--by', 'bea')).status).toBe(0);
  const before = new Date().toISOString();
  expect((await models('promote', 'sentiment', 'v1.1.0')).status).toBe(0);
  expect((await models('list')).stdout).toMatch(/production v1\.1\.0 {2}champion v1\.1\.0/);
  expect((await models('audit', '--at', before)).stdout).toContain('nothing');
  expect((await models('audit', '--log')).stdout).toMatch(
    /bea: at the command line[\s\S]*sentiment v1\.1\.0[\s\S]*unchanged/,
  );
  const card = await models('card', 'sentiment', 'v1.1.0', '--status', 'Approved');
  expect(card.status).toBe(2);
  expect(card.stderr).toContain('model_overview.model_owner');
});

it('an endpoint goes back to what it served before, and says so', async () => {
  const back = await say('endpoints', 'rollback', 'sentiment', '--why', 'wrong labels');
  expect(back.stdout).toContain('serves sentiment v1.0.0 × 1 again, as in revision 1 (now 3)');
  expect((await say('endpoints', 'history', 'sentiment')).stdout).toContain('wrong labels');
  const list = JSON.parse((await say('endpoints', 'list', '--json')).stdout);
  expect(list).toMatchObject({ name: 'sentiment', revision: 3, metrics: {} });
  const unknown = await say('endpoints', 'rollback', 'other');
  expect([unknown.status, unknown.stderr]).toEqual([
    2,
    expect.stringContaining('Known: sentiment'),
  ]);
});

it('a tampered log is said to be one, with the exit status of a failure', async () => {
  const path = join(folder.path, '.stepwell/registry/log.jsonl');
  writeFileSync(path, readFileSync(path, 'utf8').replace('"accuracy":0.9}', '"accuracy":0.99}'));
  const audit = await say('models', 'audit');
  expect([audit.status, audit.stdout]).toEqual([1, expect.stringContaining('Entry 1 was changed')]);
});
