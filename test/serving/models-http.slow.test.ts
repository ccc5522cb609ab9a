import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openRegistry } from '../../src/ml/registry/index.js';
import type { Serving } from '../../src/serving/index.js';
import { type Home, temporaryHome } from './fixture.js';

let home: Home;
let server: Serving;
beforeEach(async () => {
  home = await temporaryHome();
  const registry = openRegistry({ folder: join(home.folder, 'registry') });
  await registry.register({ who: 'ann', why: 'x', name: 'm', uri: '/1' });
  server = await home.serve();
});
afterEach(() => home.close());

// biome-ignore lint/suspicious/noExplicitAny: a test reads into answers of any shape.
async function ask(method: string, path: string, body?: object): Promise<[number, any]> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return [response.status, await response.json()];
}

it('reads and changes the registry, and every change is in the audit log with its author', async () => {
  const by = { who: 'bea', why: 'reviewed' };
  await ask('PUT', '/models/m/policy', { ...by, requireApproval: true });
  expect(
    await ask('PUT', '/models/m/versions/v1.0.0/stage', { ...by, stage: 'Production' }),
  ).toEqual([409, expect.objectContaining({ Code: 'PromotionRefused' })]);
  await ask('PUT', '/models/m/versions/v1.0.0/approval', { ...by, approval: 'Approved' });
  const before = new Date(Date.now() - 1000).toISOString();
  await ask('PUT', '/models/m/versions/v1.0.0/stage', { ...by, stage: 'Production' });
  await ask('PUT', '/models/m/aliases/champion', { ...by, version: 'v1.0.0' });
  expect(await ask('GET', '/models')).toMatchObject([
    200,
    { models: [{ name: 'm', production: 'v1.0.0', champion: 'v1.0.0' }] },
  ]);
  expect(await ask('GET', '/models/m/production')).toMatchObject([
    200,
    { version: { version: 'v1.0.0' } },
  ]);
  expect(await ask('GET', `/models/m/production?at=${before}`)).toMatchObject([
    200,
    { version: null },
  ]);
  const [, audit] = await ask('GET', '/models/audit?model=m');
  expect(audit.verification.valid).toBe(true);
  expect(audit.entries.at(-1)).toMatchObject({ who: 'bea', what: 'AliasSet' });
});

it('says which part of a request is wrong', async () => {
  expect(await ask('GET', '/models/other')).toMatchObject([404, { Code: 'ResourceNotFound' }]);
  expect(await ask('PUT', '/models/m/policy', {})).toMatchObject([
    400,
    { Message: expect.stringContaining('who') },
  ]);
  const stage = { who: 'bea', stage: 'Live' };
  expect(await ask('PUT', '/models/m/versions/v1.0.0/stage', stage)).toMatchObject([
    400,
    { Message: expect.stringContaining('None, Staging') },
  ]);
  expect(await ask('GET', '/models/audit?at=never')).toMatchObject([400, {}]);
});
