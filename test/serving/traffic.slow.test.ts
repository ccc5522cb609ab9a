/** Real children and real requests on loopback: what an endpoint does with traffic. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  captureFolder,
  feedbackFolder,
  openLive,
  readCapture,
  readFeedback,
  readMetrics,
  type Serving,
  startServingProcess,
} from '../../src/serving/index.js';
import { keepReplicas } from '../../src/serving/replicas.js';
import type { PartialSettings } from '../../src/serving/index.js';
import { eventually, FAKE_LOADER, type Home, post, temporaryHome } from './fixture.js';

let home: Home;
beforeEach(async () => {
  home = await temporaryHome();
});
afterEach(() => home.close());
const author = { who: 'ann', why: 'test' };

async function serve(options: {
  readonly settings?: PartialSettings;
  readonly models?: Readonly<Record<string, object>>;
  readonly weights?: readonly number[];
  readonly shadow?: { readonly model: object; readonly samplingPercentage: number };
  readonly scaling?: object;
}): Promise<Serving> {
  const { models = { A: {} }, weights = [1, 1], settings, shadow } = options;
  const variants = await Promise.all(
    Object.entries(models).map(async ([name, behaviour], index) =>
      home.variant(await home.model(name, behaviour), {
        name,
        weight: weights[index] ?? 0,
        ...(options.scaling === undefined ? {} : { scaling: options.scaling as never }),
      }),
    ),
  );
  const shadows =
    shadow === undefined
      ? []
      : [
          {
            name: 'Shadow',
            samplingPercentage: shadow.samplingPercentage,
            instanceCount: 1,
            model: home.variant(await home.model('shadow', shadow.model)).model,
          },
        ];
  await home.endpoints.switchTo('sentiment', {
    ...author,
    variants,
    shadows,
    ...(settings === undefined ? {} : { settings }),
  });
  const server = await home.serve({ flushEveryMs: 20, scaleEveryMs: 50 });
  await server.ready();
  await eventually(
    () => server.supervisor.view('sentiment')?.variants.every((v) => v.readyInstances > 0) ?? false,
  );
  return server;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
const metricsOf = async (variant: string) =>
  (await readMetrics(home.folder, 'sentiment', { from: 0, to: Date.now() + 5000 })).get(variant);

describe('captured requests and labels', () => {
  it('are joined by the id that the client gave, or by the one it was answered with', async () => {
    const server = await serve({ settings: { capture: { samplingPercentage: 100 } } });
    await post(server, { inputs: 'bad' }, { headers: { 'x-amzn-sagemaker-inference-id': 'i-1' } });
    const second = await post(server, { inputs: ['good', 'okay'] });
    const id = second.headers.get('x-amzn-requestid') ?? '';
    const live = openLive({
      home: home.folder,
      start: () => Promise.reject(new Error('there is one')),
    });
    expect(await live.feedback('sentiment', { inferenceId: 'i-1', label: 'negative' })).toBe(202);
    expect(
      await live.feedback('sentiment', { inferenceId: id, labels: ['positive', 'negative'] }),
    ).toBe(202);
    expect(await live.feedback('sentiment', { inferenceId: id, label: 'poison' })).toBe(400);
    expect(await live.feedback('nowhere', { inferenceId: id, label: 'positive' })).toBe(400);
    await server.flush();
    const window = { from: 0, to: Date.now() + 1000 };
    const captured = await all(readCapture(captureFolder(home.folder, 'sentiment'), window));
    expect(captured.map((record) => record.inferenceId ?? record.eventId)).toEqual(['i-1', id]);
    expect(JSON.parse(captured[0]?.output?.data ?? '')).toEqual([
      { label: 'negative', score: 0.9 },
    ]);
    const labels = await all(readFeedback(feedbackFolder(home.folder, 'sentiment'), window));
    expect(labels.map((feedback) => feedback.inferenceId)).toEqual(['i-1', id]);
  });
});

describe('limits', () => {
  it('of the body, of concurrency and of time are 413, 429 and 504', async () => {
    const server = await serve({
      settings: { limits: { maxBodyBytes: 100, maxConcurrency: 2, timeoutMs: 150 } },
    });
    expect((await post(server, { inputs: 'x'.repeat(200) })).status).toBe(413);
    const many = await Promise.all(
      Array.from({ length: 5 }, () => post(server, { inputs: 'SLOW' })),
    );
    const statuses = many.map((answer) => answer.status).sort();
    expect(statuses.filter((status) => status === 429)).toHaveLength(3);
    expect(statuses.filter((status) => status === 504)).toHaveLength(2);
    const slow = many.find((answer) => answer.status === 504);
    expect(slow?.body).toMatchObject({ __type: 'ModelError', OriginalStatusCode: 0 });
    expect(many.find((answer) => answer.status === 429)?.headers.get('retry-after')).toBe('1');
    await eventually(async () => (await post(server, { inputs: 'fine' })).status === 200);
    await eventually(async () => ((await metricsOf('A'))?.timeouts ?? 0) >= 2);
    expect(await metricsOf('A')).toMatchObject({ throttled: 3 });
  });
});

describe('batching with a delay', () => {
  it('runs requests that come one after the other in one batch', async () => {
    const server = await serve({ settings: { batching: { maxBatch: 4, maxDelayMs: 300 } } });
    const first = post(server, { inputs: ['RUNS'], parameters: { top_k: 3 } });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const rest = [1, 2, 3].map(() => post(server, { inputs: ['x'] }));
    const answer = await first;
    await Promise.all(rest);
    // The fake model says how many texts its run had.
    expect(answer.body[0].find((item: { label: string }) => item.label === 'neutral').score).toBe(
      4,
    );
  });
});

describe('a second variant', () => {
  it('keeps a session, and takes over for one that fails when it is the fallback', async () => {
    const server = await serve({
      models: { Baseline: {}, Candidate: {} },
      settings: { fallback: 'Baseline' },
    });
    const by = async (session: string) =>
      (
        await post(server, { inputs: 'x' }, { headers: { 'x-amzn-sagemaker-session-id': session } })
      ).headers.get('x-amzn-invoked-production-variant');
    const [session = ''] = (
      await Promise.all(
        Array.from({ length: 20 }, async (_, n) =>
          (await by(`s${n}`)) === 'Candidate' ? `s${n}` : '',
        ),
      )
    ).filter((name) => name !== '');
    for (let n = 0; n < 5; n++) expect(await by(session)).toBe('Candidate');
    const failing = { 'x-amzn-sagemaker-session-id': session };
    const answer = await post(server, { inputs: 'THROW' }, { headers: failing });
    // Both models fail for this text: the client hears of the baseline's failure, once.
    expect(answer.body.Message).toContain('from Baseline');
    await eventually(async () => (await metricsOf('Candidate'))?.fallbacks === 1);
    expect(await metricsOf('Candidate')).toMatchObject({ modelErrors: 1 });
    const direct = { 'x-amzn-sagemaker-target-variant': 'Candidate' };
    expect((await post(server, { inputs: 'THROW' }, { headers: direct })).body.Message).toContain(
      'from Candidate',
    );
  });

  it('is compared with the baseline behind the client’s back', async () => {
    const server = await serve({
      models: { Baseline: {}, Candidate: { always: 'negative' } },
      weights: [0, 1],
      settings: { compare: { with: 'Baseline' } },
    });
    for (const text of ['good', 'bad', 'fine', 'terrible']) await post(server, { inputs: text });
    await eventually(async () => (await metricsOf('Candidate'))?.compared === 4);
    expect(await metricsOf('Candidate')).toMatchObject({ agreed: 2, agreement: 0.5 });
  });
});

describe('a shadow', () => {
  it('sees the asked share, is compared, and its failures reach no client', async () => {
    const server = await serve({
      shadow: { model: { always: 'positive' }, samplingPercentage: 100 },
    });
    const answers = [];
    for (const text of ['good', 'bad', 'THROW']) answers.push(await post(server, { inputs: text }));
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 424]);
    await eventually(async () => (await metricsOf('Shadow'))?.copies === 2);
    expect(await metricsOf('Shadow')).toMatchObject({ compared: 2, agreed: 1, invocations: 0 });
    expect(server.supervisor.view('sentiment')?.variants.map((v) => v.shadow)).toEqual([
      false,
      true,
    ]);
  });
});

describe('scaling', () => {
  it('starts children under load and lets them go afterwards, without losing a request', async () => {
    const server = await serve({
      scaling: {
        minInstances: 1,
        maxInstances: 2,
        metric: 'ConcurrencyPerInstance',
        targetValue: 2,
        scaleInCooldownSeconds: 0,
        scaleOutCooldownSeconds: 0,
      },
    });
    const ready = (): number =>
      server.supervisor.view('sentiment')?.variants[0]?.readyInstances ?? 0;
    let stop = false;
    const statuses: number[] = [];
    const clients = Array.from({ length: 6 }, async () => {
      while (!stop) statuses.push((await post(server, { inputs: 'SLOW' })).status);
    });
    await eventually(() => ready() === 2);
    stop = true;
    await Promise.all(clients);
    await eventually(() => ready() === 1);
    expect((await post(server, { inputs: 'good' })).status).toBe(200);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });
});

it('health checks replace an idle child that no longer answers', async () => {
  const modelDir = await home.model('A');
  const replicas = keepReplicas({
    count: 1,
    start: (signal) => startServingProcess({ modelDir, loader: FAKE_LOADER, signal }),
    restartFirstMs: 20,
  });
  await replicas.ready;
  const stopped = replicas.live()[0]?.pid as number;
  await replicas.checkHealth(2000);
  expect(replicas.restarts).toBe(0);
  process.kill(stopped, 'SIGSTOP');
  await replicas.checkHealth(200);
  await eventually(() => replicas.live().length === 1 && replicas.live()[0]?.pid !== stopped);
  expect(replicas.restarts).toBe(1);
  await replicas.close();
});
