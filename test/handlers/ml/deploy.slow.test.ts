import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { join } from 'node:path';
import { deployHandler, type DeployOptions } from '../../../src/handlers/ml/deploy.js';
import type { Handler } from '../../../src/handlers/handler.js';
import { openRegistry } from '../../../src/ml/registry/index.js';
import type { JsonObject } from '../../../src/lib/json.js';
import { testContext } from '../../serving/context.js';
import { eventually, FAKE_LOADER, type Home, post, temporaryHome } from '../../serving/fixture.js';

let home: Home;
let options: DeployOptions;
let deploy: Handler;
beforeEach(async () => {
  home = await temporaryHome();
  const registry = openRegistry({ folder: join(home.folder, 'registry') });
  options = { registry, endpoints: home.endpoints, loader: FAKE_LOADER };
  deploy = deployHandler(options);
});
afterEach(() => home.close());

const author = { who: 'ann', why: 'test' };
async function registered(name: string, behaviour: object = {}): Promise<string> {
  const uri = await home.model(name, behaviour);
  return (await options.registry.register({ ...author, name: 'sentiment', uri })).version;
}
/** Serving children of this process; on systems without /proc none can be seen. */
async function children(): Promise<number> {
  if (!existsSync('/proc')) return 0;
  const { readdir, readFile } = await import('node:fs/promises');
  const found = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map(async (pid) => {
        const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
        const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        return stat.includes(` ${process.pid} `) && command.includes(home.folder);
      }),
  );
  return found.filter(Boolean).length;
}

describe('ml:deploy', () => {
  it('checks the model with real predictions, switches the endpoint, promotes, leaves no child', async () => {
    await registered('one');
    const context = testContext(home.folder, { state: 'Deploy' });
    const request = {
      endpoint: 'customer-sentiment',
      model: { name: 'sentiment', version: 'v1.0.0' },
      stage: 'Production',
      healthCheck: {
        texts: ['great', 'terrible', 'okay', 'bad'],
        labels: ['positive', 'negative', 'neutral', 'negative'],
        minAgreement: 1,
      },
    };
    const result = await deploy.run(request, context);
    expect(result).toMatchObject({
      endpoint: 'customer-sentiment',
      endpointArn: 'arn:aws:sagemaker:eu-west-1:123456789012:endpoint/customer-sentiment',
      version: 'v1.0.0',
      status: 'InService',
      stage: 'Production',
      previousVersion: null,
      predictions: [
        { text: 'great', label: 'positive', score: 0.9 },
        { text: 'terrible', label: 'negative', score: 0.9 },
        { text: 'okay', label: 'neutral', score: 0.9 },
      ],
      health: { healthy: true, checked: 4, agreement: 1, agreedWith: 'labels' },
    });
    expect(await children()).toBe(0);
    expect((await options.registry.get('sentiment', { stage: 'Production' })).version).toBe(
      'v1.0.0',
    );
    expect(await deploy.run(request, context)).toMatchObject({
      revision: 1,
      previousVersion: null,
    });
    const server = await home.serve();
    await server.ready();
    const answer = await post(server, { inputs: 'bad' }, { endpoint: 'customer-sentiment' });
    expect(answer.body).toEqual([{ label: 'negative', score: 0.9 }]);
  });

  it('waits for an open rollout to end', async () => {
    await registered('one');
    const request = { endpoint: 'e', model: { name: 'sentiment' } };
    await deploy.run(request, testContext(home.folder));
    const { variants = [] } = (await home.endpoints.get('e')) ?? {};
    const rollout = { id: 'r1', startedAt: '2026-01-01T00:00:00Z', baseline: 1 };
    await home.endpoints.switchTo('e', { ...author, variants, rollout });
    await expect(
      deploy.run(request, testContext(home.folder, { visit: 'v2' })),
    ).rejects.toMatchObject({ error: 'Rollout.InProgress' });
  });

  it('is taken up by a running server', async () => {
    await registered('one');
    await deploy.run({ endpoint: 'e', model: { name: 'sentiment' } }, testContext(home.folder));
    const server = await home.serve();
    await server.ready();
    await registered('two', { always: 'neutral' });
    const second = await deploy.run(
      { endpoint: 'e', model: { name: 'sentiment' } },
      testContext(home.folder, { visit: 'v2' }),
    );
    expect(second).toMatchObject({ version: 'v1.1.0', previousVersion: 'v1.0.0', revision: 2 });
    await eventually(async () => {
      const { body } = await post(server, { inputs: 'bad' }, { endpoint: 'e' });
      return body[0]?.label === 'neutral';
    });
  });

  it.each<[string, object, JsonObject, RegExp]>([
    ['cannot be loaded', { broken: true }, {}, /the weights are damaged/],
    ['fails while predicting', {}, { texts: ['THROW'] }, /cannot read this/],
    ['gives no numbers', {}, { texts: ['NAN'] }, /no number/],
    ['dies', {}, { texts: ['DIE'] }, /exit status 9/],
    [
      'errs too often',
      { always: 'neutral' },
      { texts: ['great', 'okay'], labels: ['positive', 'neutral'], minAgreement: 0.8 },
      /on 0.5 of the texts; at least 0.8/,
    ],
    ['is too slow', {}, { texts: ['SLOW'], maxLatencyMs: 50 }, /at most 50 ms/],
  ])(
    'refuses a model that %s, and changes nothing',
    async (_case, behaviour, healthCheck, reason) => {
      const uri = await home.model('one', behaviour);
      await expect(
        deploy.run({ endpoint: 'e', model: { uri }, healthCheck }, testContext(home.folder)),
      ).rejects.toMatchObject({
        error: 'Deployment.Unhealthy',
        reason: expect.stringMatching(reason),
      });
      expect(await home.endpoints.get('e')).toBeNull();
      expect(await children()).toBe(0);
    },
  );

  it('compares with the version in service when agreement is asked for without labels', async () => {
    await registered('one');
    await deploy.run({ endpoint: 'e', model: { name: 'sentiment' } }, testContext(home.folder));
    await registered('two', { always: 'neutral' });
    const request = {
      endpoint: 'e',
      model: { name: 'sentiment' },
      healthCheck: { texts: ['great', 'okay'], minAgreement: 0.9 },
    };
    await expect(
      deploy.run(request, testContext(home.folder, { visit: 'v2' })),
    ).rejects.toMatchObject({ reason: expect.stringMatching(/previous version on 0.5/) });
  });

  it('says what is wrong with the choice of a model', async () => {
    const run = (model: JsonObject) =>
      deploy.run({ endpoint: 'e', model }, testContext(home.folder));
    await expect(run({})).rejects.toMatchObject({ error: 'ValidationException' });
    await expect(run({ name: 'nobody' })).rejects.toMatchObject({ error: 'ResourceNotFound' });
    await registered('one');
    await expect(run({ name: 'sentiment', stage: 'Production' })).rejects.toMatchObject({
      reason: 'Model "sentiment" has no version with stage "Production".',
    });
  });

  it('ends its child on abort', async () => {
    const uri = await home.model('slow', { loadMs: 60_000 });
    const controller = new AbortController();
    const reason = new Error('stop');
    setTimeout(() => controller.abort(reason), 300);
    await expect(
      deploy.run(
        { endpoint: 'e', model: { uri } },
        testContext(home.folder, { signal: controller.signal }),
      ),
    ).rejects.toBe(reason);
    expect(await children()).toBe(0);
  });
});
