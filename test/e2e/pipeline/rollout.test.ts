/** The shipped rollout machines with real children and real requests on loopback. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/lib/json.js';
import { FAKE_LOADER } from '../../serving/fixture.js';
import { type LifecycleWorld, openLifecycle } from '../../support/lifecycle-world.js';

let world: LifecycleWorld;
afterEach(() => world.close());

const author = { who: 'ann', why: 'test' };
const TEXTS = ['good', 'bad', 'okay', 'fine', 'terrible'];

async function model(name: string, behaviour: object = {}): Promise<string> {
  const path = join(world.home, '..', 'models', name);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'model.json'), JSON.stringify(behaviour));
  const version = await world.registry.register({ ...author, name: 'sentiment', uri: path });
  return version.version;
}

async function deployed(version: string): Promise<void> {
  const { name, uri } = await world.registry.get('sentiment', { version });
  await world.endpoints.switchTo('sentiment', {
    ...author,
    settings: { capture: { samplingPercentage: 100 } },
    variants: [
      { name: 'AllTraffic', weight: 1, instanceCount: 1, model: { name, version, uri, path: uri } },
    ],
  });
  await world.registry.setStage('sentiment', version, 'Production', author);
  await world.serving.reload();
  await world.serving.ready();
}

/** What clients saw. */
interface Seen {
  total: number;
  lost: number;
  failed: number;
  /** Requests that the candidate took, whether it answered or the baseline did in its place. */
  touched: number;
}

async function request(
  seen: Seen,
  text: string,
  extra: Record<string, string> = {},
): Promise<string> {
  seen.total++;
  try {
    const response = await fetch(`${world.serving.url}/endpoints/sentiment/invocations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...extra },
      body: JSON.stringify({ inputs: text }),
    });
    await response.text();
    if (response.status !== 200) seen.failed++;
    const variant = response.headers.get('x-amzn-invoked-production-variant');
    const from = response.headers.get('x-stepwell-fell-back-from');
    if (variant === 'Candidate' || from === 'Candidate') seen.touched++;
    return variant ?? '';
  } catch {
    seen.lost++;
    return '';
  }
}

const newSeen = (): Seen => ({ total: 0, lost: 0, failed: 0, touched: 0 });
let seen = newSeen();
let perInstant = 40;
const traffic = async (): Promise<void> => {
  await Promise.all(
    Array.from({ length: perInstant }, (_, n) => request(seen, TEXTS[n % TEXTS.length] as string)),
  );
};
const open = async (): Promise<void> => {
  seen = newSeen();
  perInstant = 40;
  world = await openLifecycle({ virtual: true, loader: FAKE_LOADER, onInstant: traffic });
};
const canary = (version: string, extra: JsonObject = {}): JsonObject => ({
  endpoint: 'sentiment',
  model: { name: 'sentiment', version },
  kind: 'canary',
  bakeSeconds: 300,
  checkIntervalSeconds: 30,
  alarms: [{ name: 'errors', metric: 'errorRate', threshold: 0.05, minSamples: 10 }],
  ...extra,
});

describe('a canary', () => {
  it('of a good model goes from 5 % to all, is proved by live traffic and recorded as champion', async () => {
    await open();
    const v1 = await model('one');
    await deployed(v1);
    const v2 = await model('two');
    const result = await world.run('ml-rollout', canary(v2));
    expect(result).toMatchObject({ outcome: 'Succeeded', version: v2, previousVersion: v1 });
    expect(result.verification).toMatchObject({ verified: true, samples: 50 });
    const production = await world.registry.get('sentiment', { stage: 'Production' });
    expect(production).toMatchObject({ version: v2, aliases: ['champion'] });
    const record = await world.endpoints.get('sentiment');
    expect(record).toMatchObject({
      rollout: null,
      variants: [{ name: 'AllTraffic', model: { version: v2 } }],
      settings: { capture: { samplingPercentage: 100 } },
    });
    expect(record?.history.map((step) => step.variants.map((v) => v.weight))).toEqual([
      [1],
      [1, 0],
      [95, 5],
      [0, 100],
      [1],
    ]);
    expect(seen).toMatchObject({ lost: 0, failed: 0 });
    expect((await world.states('ml-rollout')).filter((name) => name === 'Bake').length).toBe(20);
  });

  it('of a model that fails is rolled back: no request lost, no client sees an error, under 6 % touched', async () => {
    await open();
    const v1 = await model('one');
    await deployed(v1);
    const v2 = await model('two', { failing: true });
    const health = { texts: ['HEALTH'] };
    const result = await world.run('ml-rollout', canary(v2, { healthCheck: health }));
    expect(result).toMatchObject({
      outcome: 'RolledBack',
      version: v1,
      candidate: v2,
      reason: expect.stringContaining('errors: errorRate 1 is > 0.05'),
      verification: { verified: true },
    });
    expect(seen).toMatchObject({ lost: 0, failed: 0 });
    expect(seen.touched).toBeGreaterThan(5);
    expect(seen.touched / seen.total).toBeLessThan(0.06);
    expect(await world.registry.get('sentiment', { stage: 'Production' })).toMatchObject({
      version: v1,
    });
    expect(world.alerts[0]).toMatchObject({ Subject: 'Rollout rolled back' });
  });

  it('of a model that disagrees with its predecessor is rolled back by the quality alarm', async () => {
    await open();
    await deployed(await model('one'));
    const v2 = await model('two', { always: 'positive' });
    const alarms = [{ name: 'agreement', metric: 'agreement', threshold: 0.8, minSamples: 10 }];
    const result = await world.run('ml-rollout', canary(v2, { alarms }));
    expect(result).toMatchObject({
      outcome: 'RolledBack',
      reason: expect.stringContaining('agreement'),
    });
    expect(seen).toMatchObject({ lost: 0, failed: 0 });
  });

  it('of a model whose labels come back wrong is rolled back by the accuracy alarm', async () => {
    seen = newSeen();
    let n = 0;
    world = await openLifecycle({
      virtual: true,
      loader: FAKE_LOADER,
      onInstant: async () => {
        for (let i = 0; i < 60; i++) {
          const id = `i-${n++}`;
          await request(seen, 'bad', { 'x-amzn-sagemaker-inference-id': id });
          await fetch(`${world.serving.url}/endpoints/sentiment/feedback`, {
            method: 'POST',
            body: JSON.stringify({ inferenceId: id, label: 'negative' }),
          });
        }
      },
    });
    await deployed(await model('one'));
    const v2 = await model('two', { always: 'positive' });
    const alarms = [{ name: 'labels', metric: 'accuracy', threshold: 0.7, minSamples: 10 }];
    const result = await world.run('ml-rollout', canary(v2, { alarms, stepsPercent: [20, 100] }));
    expect(result).toMatchObject({
      outcome: 'RolledBack',
      reason: expect.stringContaining('labels: accuracy 0 is < 0.7'),
    });
  });

  it('that nobody calls is rolled back for want of evidence, not waved through', async () => {
    await open();
    perInstant = 0;
    await deployed(await model('one'));
    const result = await world.run(
      'ml-rollout',
      canary(await model('two'), { maxBakeSeconds: 600 }),
    );
    expect(result).toMatchObject({
      outcome: 'RolledBack',
      reason: expect.stringContaining('no evidence in time'),
    });
  });

  it('of a model that cannot be loaded never begins', async () => {
    await open();
    await deployed(await model('one'));
    const v2 = await model('two', { broken: true });
    await expect(world.run('ml-rollout', canary(v2))).rejects.toThrow('Deployment.Unhealthy');
    expect((await world.endpoints.get('sentiment'))?.revision).toBe(1);
  });

  it('holds its endpoint: a second rollout is refused until the first has ended', async () => {
    await open();
    await deployed(await model('one'));
    const v2 = await model('two');
    await world.endpoints.switchTo('sentiment', {
      ...author,
      variants: (await world.endpoints.get('sentiment'))?.variants ?? [],
      rollout: { id: 'other', startedAt: '2026-01-01T00:00:00Z', baseline: 1 },
    });
    await expect(world.run('ml-rollout', canary(v2))).rejects.toThrow('Rollout.InProgress');
    expect(await world.run('ml-rollout', canary(v2, { takeOver: true }), 'again')).toMatchObject({
      outcome: 'Succeeded',
    });
  });
});

it('in real time, under steady traffic, a bad canary is rolled back and every request is answered', async () => {
  seen = newSeen();
  world = await openLifecycle({ virtual: false, loader: FAKE_LOADER });
  const v1 = await model('one');
  await deployed(v1);
  const v2 = await model('two', { failing: true });
  let over = false;
  const clients = Array.from({ length: 4 }, async (_, client) => {
    for (let n = client; !over; n++) {
      await request(seen, TEXTS[n % TEXTS.length] as string);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  const result = await world
    .run(
      'ml-rollout',
      canary(v2, {
        bakeSeconds: 20,
        checkIntervalSeconds: 1,
        healthCheck: { texts: ['HEALTH'] },
        alarms: [{ metric: 'errorRate', threshold: 0.05, minSamples: 5 }],
      }),
    )
    .finally(() => {
      over = true;
    });
  await Promise.all(clients);
  expect(result).toMatchObject({
    outcome: 'RolledBack',
    version: v1,
    verification: { verified: true },
  });
  expect(seen).toMatchObject({ lost: 0, failed: 0 });
  expect(seen.touched).toBeGreaterThanOrEqual(5);
  expect(seen.touched / seen.total).toBeLessThan(0.06);
});

describe('other ways', () => {
  it('linear goes up in equal steps', async () => {
    await open();
    await deployed(await model('one'));
    const input = { ...canary(await model('two')), kind: 'linear', linearStepPercent: 50 };
    expect(await world.run('ml-rollout', input)).toMatchObject({ outcome: 'Succeeded' });
    const weights = (await world.endpoints.get('sentiment'))?.history.map((step) =>
      step.variants.map((v) => v.weight),
    );
    expect(weights).toEqual([[1], [1, 0], [50, 50], [0, 100], [1]]);
  });

  it('blue-green switches at once and keeps the old children for the bake, so that going back needs no start', async () => {
    await open();
    await deployed(await model('one'));
    const [before] = world.serving.supervisor.view('sentiment')?.variants ?? [];
    const v2 = await model('two', { failing: true });
    const input = {
      ...canary(v2, { healthCheck: { texts: ['HEALTH'] } }),
      kind: 'blue-green',
    };
    expect(await world.run('ml-rollout', input)).toMatchObject({ outcome: 'RolledBack' });
    const [after] = world.serving.supervisor.view('sentiment')?.variants ?? [];
    expect(after?.pids).toEqual(before?.pids);
    expect(seen).toMatchObject({ lost: 0, failed: 0 });
  });

  it('a shadow is compared and dropped; clients only ever see the baseline', async () => {
    await open();
    await deployed(await model('one'));
    const v2 = await model('two', { always: 'positive' });
    const input = {
      endpoint: 'sentiment',
      model: { name: 'sentiment', version: v2 },
      samplingPercentage: 100,
      shadowSeconds: 120,
      maxSeconds: 600,
      checkIntervalSeconds: 30,
      alarms: [{ name: 'failures', metric: 'errorRate', threshold: 0.01 }],
    };
    const result = await world.run('ml-rollout-shadow', input);
    expect(result).toMatchObject({ outcome: 'Passed' });
    expect(result.compared as number).toBeGreaterThan(20);
    expect(result.agreement).toBeCloseTo(0.4, 1);
    expect(seen.touched).toBe(0);
    const strict = { ...input, alarms: [{ metric: 'agreement', threshold: 0.9 }] };
    expect(await world.run('ml-rollout-shadow', strict, 'strict')).toMatchObject({
      outcome: 'RolledBack',
    });
  });

  it('an A/B test waits for its samples and then promotes the better one', async () => {
    seen = newSeen();
    let n = 0;
    world = await openLifecycle({
      virtual: true,
      loader: FAKE_LOADER,
      onInstant: async () => {
        await Promise.all(
          Array.from({ length: 60 }, async () => {
            const number = n++;
            const id = `i-${number}`;
            await request(seen, 'bad', {
              'x-amzn-sagemaker-inference-id': id,
              'x-amzn-sagemaker-session-id': `user-${number}`,
            });
            await fetch(`${world.serving.url}/endpoints/sentiment/feedback`, {
              method: 'POST',
              body: JSON.stringify({ inferenceId: id, label: 'negative' }),
            });
          }),
        );
      },
    });
    // The version in service calls everything positive; the candidate is right.
    await deployed(await model('one', { always: 'positive' }));
    const v2 = await model('two');
    const result = await world.run('ml-rollout-ab', {
      endpoint: 'sentiment',
      model: { name: 'sentiment', version: v2 },
      candidatePercent: 50,
      metric: 'accuracy',
      minimumEffect: 0.1,
      maxSeconds: 86_400,
      checkIntervalSeconds: 60,
      alarms: [],
    });
    expect(result).toMatchObject({ outcome: 'candidate', version: v2, test: { enough: true } });
    expect(await world.registry.get('sentiment', { alias: 'champion' })).toMatchObject({
      version: v2,
    });
    expect(
      (await world.states('ml-rollout-ab')).filter((name) => name === 'Evaluate').length,
    ).toBeGreaterThan(1);
  });
});
