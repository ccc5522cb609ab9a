import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Handler, type HandlerContext, TaskFailure } from '../../../src/handlers/handler.js';
import { cached } from '../../../src/handlers/ml/records/cached.js';
import { withLineage } from '../../../src/handlers/ml/records/lineage.js';
import { tracked } from '../../../src/handlers/ml/records/tracked.js';
import type { Json, JsonObject } from '../../../src/lib/json.js';
import { openLineage } from '../../../src/ml/lineage/events.js';
import { downstream, matching, stepsOf, upstream } from '../../../src/ml/lineage/graph.js';
import { openResultCache } from '../../../src/ml/result-cache.js';
import { openRuns } from '../../../src/ml/tracking/run-store.js';
import { type Bench, bench } from '../../services/support/handler-context.js';

let at: Bench;
beforeEach(async () => {
  at = await bench();
});
afterEach(() => at.close());

const handlerOf = (resource: string, run: Handler['run']): Handler => ({
  resource,
  description: resource,
  onWorkerLost: 'rerun',
  parameters: {
    type: 'object',
    additionalProperties: false,
    properties: { dataset: {}, rate: {}, text: {} },
  },
  run,
});

describe('the result cache', () => {
  let runs = 0;
  const work = handlerOf('ml:work', async (_, context) => {
    runs++;
    const { uri } = await context.artifacts.put(Buffer.from(`result ${runs}`), { name: 'r.txt' });
    return { uri, runs };
  });
  const cachedWork = (version = '1', always: readonly string[] = []) =>
    cached(work, {
      cache: openResultCache(join(at.folder, 'cache')),
      version,
      always: new Set(always),
    });
  const said = () => at.progress.map((one) => one.note ?? '').join('\n');
  beforeEach(async () => {
    runs = 0;
    await at.write('in.jsonl', '{"a":1}\n');
  });
  const parameters = { dataset: 'in.jsonl', rate: 0.1, cache: true };

  test('the same work is answered from before, and says by whom', async () => {
    const first = await at.run(cachedWork(), parameters);
    expect(said()).toContain('not cached: nothing was cached for this state yet');
    expect(await at.run(cachedWork(), parameters)).toEqual(first);
    expect(runs).toBe(1);
    expect(said()).toMatch(/cached: the result of .* by arn:aws:states/);
  });

  test('contents count, not paths: a copy hits, a change misses and is named', async () => {
    await at.run(cachedWork(), parameters);
    await at.write('copy.jsonl', '{"a":1}\n');
    await at.run(cachedWork(), { ...parameters, dataset: 'copy.jsonl' });
    const bytes = Buffer.from('{"a":1}\n');
    const { uri } = await at.context.artifacts.put(bytes, { name: 'other-name.jsonl' });
    await at.run(cachedWork(), { ...parameters, dataset: { uri, rows: 1 } });
    expect(runs).toBe(1);
    await at.write('in.jsonl', '{"a":2}\n');
    await at.run(cachedWork(), parameters);
    expect(runs).toBe(2);
    expect(said()).toMatch(/not cached: dataset: "sha256:[0-9a-f]{64}" → "sha256:[0-9a-f]{64}"/);
  });

  test('the reason of a miss names the parameter, from what to what; the version too', async () => {
    await at.run(cachedWork(), parameters);
    await at.run(cachedWork(), { ...parameters, rate: 0.2, text: 'new' });
    expect(said()).toContain('not cached: rate: 0.1 → 0.2; text: (absent) → "new"');
    await at.run(cachedWork('2'), { ...parameters, rate: 0.2, text: 'new' });
    expect(said()).toContain('not cached: version: "1" → "2"');
    expect(runs).toBe(3);
  });

  test('it is asked for: per state or by configuration, and refused per state', async () => {
    const { cache: _, ...silent } = parameters;
    await at.run(cachedWork(), silent);
    await at.run(cachedWork(), silent);
    expect(runs).toBe(2);
    await at.run(cachedWork('1', ['ml:work']), silent);
    await at.run(cachedWork('1', ['ml:work']), silent);
    expect(runs).toBe(3);
    await at.run(cachedWork('1', ['ml:work']), { ...silent, cache: false });
    expect(runs).toBe(4);
  });

  test('a result whose artifact is gone, or that is too old, is computed again', async () => {
    const { uri } = await at.run(cachedWork(), parameters);
    const { rm } = await import('node:fs/promises');
    await rm(await at.context.artifacts.path(String(uri)), { force: true });
    await at.run(cachedWork(), parameters);
    expect(runs).toBe(2);
    expect(said()).toContain('of the cached result was removed');
    await new Promise((done) => setTimeout(done, 5));
    await at.run(cachedWork(), { ...parameters, cache: { maxAgeSeconds: 0.001 } });
    expect(runs).toBe(3);
    expect(said()).toContain('s old, more than');
  });

  test('a failure is not kept', async () => {
    const failing = handlerOf('ml:work', async () => {
      if (runs++ === 0) throw new TaskFailure('A', 'b');
      return 1;
    });
    const handler = cached(failing, {
      cache: openResultCache(join(at.folder, 'cache')),
      version: '1',
      always: new Set(),
    });
    await expect(handler.run(parameters, at.context)).rejects.toThrow('A: b');
    expect(await handler.run(parameters, at.context)).toBe(1);
  });
});

describe('tracked runs', () => {
  const training = (steps: number, failure?: Error) =>
    handlerOf('ml:fine-tune', async (_, context) => {
      for (let step = 1; step <= steps; step++) {
        context.progress(step, steps, 'step', { step, loss: 1 / step, epoch: 1 });
      }
      context.progress(steps, steps, 'epoch', {
        step: steps,
        loss: 0.7,
        validation: { accuracy: 0.8 },
      });
      if (failure !== undefined) throw failure;
      return {
        metrics: { trainLoss: 0.7 },
        model: { uri: `artifact://sha256/${'a'.repeat(64)}/m` },
      };
    });
  const runs = () => openRuns(join(at.folder, 'mlruns'));

  test('parameters, metrics by step, links and what it belongs to', async () => {
    await at.run(tracked(training(3), runs()), { dataset: { uri: 'x' }, rate: 0.1 });
    const [info] = await runs().list();
    expect(info).toMatchObject({ experiment: 'machine', name: 'run/State', status: 'FINISHED' });
    const run = await runs().find(String(info?.runId));
    expect(run?.params.get('dataset.uri')).toBe('x');
    expect(run?.metrics.get('loss')?.map(({ step, value }) => [step, value])).toEqual([
      [1, 1],
      [2, 0.5],
      [3, 1 / 3],
    ]);
    expect(run?.metrics.get('validation.accuracy')?.[0]).toMatchObject({ step: 3, value: 0.8 });
    expect(run?.metrics.get('epochLoss')?.[0]?.value).toBe(0.7);
    expect(run?.metrics.get('trainLoss')?.[0]?.value).toBe(0.7);
    expect(run?.tags.get('stepwell.execution')).toBe(at.context.task.executionArn);
    expect(run?.artifacts).toEqual(['links.json']);
  });

  test('a failed run says why', async () => {
    const handler = tracked(
      training(1, new TaskFailure('Training.Diverged', 'loss is NaN')),
      runs(),
    );
    await expect(handler.run({}, at.context)).rejects.toThrow();
    const [info] = await runs().list();
    expect(info?.status).toBe('FAILED');
    const run = await runs().find(String(info?.runId));
    expect(run?.tags.get('stepwell.error')).toBe('Training.Diverged: loss is NaN');
  });

  test('a record that cannot be written is a warning; the work goes on', async () => {
    await writeFile(join(at.folder, 'mlruns'), 'a file where a folder should be');
    expect(await at.run(tracked(training(1), runs()), {})).toMatchObject({
      metrics: { trainLoss: 0.7 },
    });
    expect(at.logged.join()).toContain('could not be recorded');
  });
});

describe('lineage', () => {
  const lineage = () =>
    openLineage({ folder: join(at.folder, 'lineage'), namespace: 'test', now: () => 0 });
  const from = (
    state: string,
    key: string,
    changes: Partial<HandlerContext> = {},
  ): HandlerContext => ({
    ...at.context,
    idempotencyKey: key,
    task: { ...at.context.task, stateName: state },
    ...changes,
  });
  const making = (name: string): Handler =>
    handlerOf('ml:make', async (_, context) => ({
      out: (await context.artifacts.put(Buffer.from(name), { name })).uri,
    }));
  const made = async (name: string, dataset: Json): Promise<string> => {
    const handler = withLineage(making(name), { lineage: lineage(), url: null });
    const result = (await handler.run({ dataset }, from(name, name))) as JsonObject;
    return String(result.out);
  };

  test('one START and one terminal event a run, however often it is run', async () => {
    await made('a', 'data/in.csv');
    await made('a', 'data/in.csv');
    const events = await lineage().events();
    expect(events.map((event) => event.eventType)).toEqual(['START', 'COMPLETE']);
    expect(new Set(events.map((event) => event.run.runId)).size).toBe(1);
    expect(events[0]).toMatchObject({
      eventTime: '1970-01-01T00:00:00.000Z',
      schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent',
      run: {
        runId: expect.stringMatching(
          /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        ),
      },
      job: { namespace: 'test', name: 'machine.a' },
      inputs: [{ namespace: 'file', name: 'data/in.csv' }],
    });
  });

  test('up and down from an artifact; a file name does not matter', async () => {
    const a = await made('a', 'data/in.csv');
    const b = await made('b', { uri: a });
    const c = await made('c', `${b.slice(0, b.lastIndexOf('/'))}/other`);
    const steps = stepsOf(await lineage().events());
    const names = (found: readonly { state: string }[]) => found.map((step) => step.state);
    expect(names(upstream(steps, c))).toEqual(['c', 'b', 'a']);
    expect(names(downstream(steps, a))).toEqual(['b', 'c']);
    expect(names(upstream(steps, 'data/in.csv'))).toEqual([]);
    expect(matching(steps, a.slice('artifact://sha256/'.length, 30))).toHaveLength(1);
    expect(matching(steps, 'in.csv')).toEqual(['data/in.csv']);
  });

  test('a failure and an abort are told apart; a collector gets every event by the guarded fetch', async () => {
    const sent: JsonObject[] = [];
    const fetch = (async (url: string, init: RequestInit) => {
      sent.push({ url, ...(JSON.parse(String(init.body)) as JsonObject) });
      return new Response('', { status: sent.length === 1 ? 500 : 201 });
    }) as typeof globalThis.fetch;
    const failing = handlerOf('ml:make', async () => {
      throw new TaskFailure('Data.Broken', 'row 3');
    });
    const handler = withLineage(failing, { lineage: lineage(), url: 'http://collector:5000/' });
    await expect(handler.run({}, from('f', 'f', { fetch }))).rejects.toThrow('Data.Broken');
    expect(sent.map(({ url, eventType }) => [url, eventType])).toEqual([
      ['http://collector:5000/api/v1/lineage', 'START'],
      ['http://collector:5000/api/v1/lineage', 'FAIL'],
    ]);
    expect(JSON.stringify(sent[1])).toContain('Data.Broken: row 3');
    at.abort(new Error('stopped'));
    await expect(handler.run({}, from('g', 'g', { fetch }))).rejects.toThrow();
    expect(sent.at(-1)?.eventType).toBe('ABORT');
  });
});
