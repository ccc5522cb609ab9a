import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { registryHandlers } from '../../../src/handlers/ml/registry-actions.js';
import type { Json } from '../../../src/lib/json.js';
import { openRegistry, type Registry } from '../../../src/ml/registry/index.js';
import { testContext } from '../../serving/context.js';

let home: string;
let registry: Registry;
const author = { who: 'ann', why: 'x' };
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'registry-actions-'));
  registry = openRegistry({ folder: join(home, 'registry') });
  await registry.register({ ...author, name: 'm', uri: '/1', metrics: { accuracy: 0.9 } });
  await registry.register({ ...author, name: 'm', uri: '/2' });
});
afterEach(() => rm(home, { recursive: true, force: true }));

const run = async (resource: string, parameters: Json): Promise<Json> => {
  const handler = registryHandlers(registry).find((item) => item.resource === resource);
  return (await handler?.run(parameters, testContext(home))) ?? null;
};

it('a promotion moves Production, champion and challenger, and says which version it replaces', async () => {
  await run('ml:promote', { name: 'm', version: 'v1.0.0' });
  await run('ml:set-alias', { name: 'm', version: 'v1.1.0', alias: 'challenger' });
  const result = await run('ml:promote', { name: 'm', version: 'v1.1.0', reason: 'better' });
  expect(result).toMatchObject({
    version: 'v1.1.0',
    stage: 'Production',
    aliases: ['champion'],
    previousVersion: 'v1.0.0',
  });
  expect(await registry.get('m', { version: 'v1.0.0' })).toMatchObject({
    stage: 'Archived',
    aliases: [],
  });
  expect((await registry.history('m')).at(-1)?.who).toContain(':execution:');
});

it('a refused promotion is a failure that a machine can catch', async () => {
  await registry.setPolicy(
    'm',
    { requireApproval: true, requireCard: false, guardedAliases: [] },
    author,
  );
  await expect(run('ml:promote', { name: 'm', version: 'v1.0.0' })).rejects.toMatchObject({
    error: 'PromotionRefused',
  });
  await run('ml:set-approval', { name: 'm', version: 'v1.0.0', approval: 'Approved' });
  await run('ml:promote', { name: 'm', version: 'v1.0.0' });
});

it('a model is found by alias, stage and instant; an optional one may be absent', async () => {
  await run('ml:set-stage', { name: 'm', version: 'v1.0.0', stage: 'Production' });
  const before = new Date(Date.now() - 60_000).toISOString();
  expect(await run('ml:get-model', { name: 'm', stage: 'Production' })).toMatchObject({
    version: 'v1.0.0',
  });
  const then = { name: 'm', stage: 'Production', at: before };
  expect(await run('ml:get-model', { ...then, optional: true })).toBeNull();
  await expect(run('ml:get-model', then)).rejects.toMatchObject({ error: 'ResourceNotFound' });
});

it('an audit gives what is in production, and fails when the log was tampered with', async () => {
  await run('ml:promote', { name: 'm', version: 'v1.1.0' });
  expect(await run('ml:audit', {})).toMatchObject({
    production: [{ name: 'm', version: 'v1.1.0' }],
    entries: 4,
  });
  await appendFile(join(home, 'registry', 'log.jsonl'), '{"seq":5}\n');
  await expect(run('ml:audit', {})).rejects.toMatchObject({ error: 'Registry.LogCorrupt' });
});

it('a card is drafted from the lineage and names what is still empty', async () => {
  const result = await run('ml:model-card', {
    name: 'm',
    version: 'v1.0.0',
    content: { model_overview: { model_owner: 'ann' } },
  });
  expect(result).toMatchObject({
    status: 'Draft',
    content: { model_overview: { model_owner: 'ann', model_name: 'm' } },
  });
  expect((result as { empty: string[] }).empty).toContain('intended_uses.risk_rating');
});
