import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { registerHandler } from '../../../src/handlers/ml/register.js';
import { openRegistry, type Registry } from '../../../src/ml/registry/index.js';
import { testContext } from '../../serving/context.js';

let home: string;
let registry: Registry;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'register-'));
  registry = openRegistry({ folder: join(home, 'registry') });
});
afterEach(() => rm(home, { recursive: true, force: true }));

it('registers a version with its lineage, once for one attempt', async () => {
  const context = testContext(home);
  const model = await context.artifacts.put(Buffer.from('weights'), { name: 'model' });
  const parameters = {
    name: 'customer-sentiment',
    model: { ...model, baseModel: 'mini-bert' },
    metrics: { accuracy: 0.91 },
    parameters: { epochs: 3 },
    stage: 'Production',
    aliases: ['champion'],
    dataVersion: 'd1',
    reason: 'accuracy 0.91 > 0.85',
  };
  const handler = registerHandler({ registry });
  const result = await handler.run(parameters, context);
  expect(result).toMatchObject({
    name: 'customer-sentiment',
    version: 'v1.0.0',
    stage: 'Production',
    uri: model.uri,
    aliases: ['champion'],
    metrics: { accuracy: 0.91 },
    lineage: {
      executionArn: context.task.executionArn,
      dataVersion: 'd1',
      baseModel: 'mini-bert',
      sha256: model.sha256,
    },
  });
  expect(await handler.run(parameters, context)).toEqual(result);
  const next = await handler.run(parameters, testContext(home, { visit: 'v2' }));
  expect(next).toMatchObject({ version: 'v1.1.0' });
  const [first] = await registry.history('customer-sentiment');
  expect(first).toMatchObject({ who: context.task.executionArn, why: 'accuracy 0.91 > 0.85' });
});

it('refuses a model that is not there', async () => {
  const uri = `artifact://sha256/${'0'.repeat(64)}/model`;
  const run = registerHandler({ registry }).run({ name: 'a', model: { uri } }, testContext(home));
  await expect(run).rejects.toMatchObject({ error: 'Artifacts.NotFound' });
  expect(await registry.models()).toEqual([]);
});

it('turns a refusal of the registry into the failure of the task', async () => {
  const context = testContext(home);
  const handler = registerHandler({ registry });
  await handler.run({ name: 'a', model: '/m1' }, context);
  await expect(handler.run({ name: 'a', model: '/m2' }, context)).rejects.toMatchObject({
    error: 'ResourceInUse',
  });
});
