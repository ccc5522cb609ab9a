/** What serving writes for others to read: metrics, captured data, feedback. Without children. */
import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { captureFolder, openCapture, readCapture } from '../../src/serving/capture.js';
import { feedbackFolder, openFeedback, readFeedback } from '../../src/serving/feedback.js';
import { filesBelow, openLineFiles } from '../../src/serving/line-files.js';
import { metricsFolder, openMetrics, readMetrics, type Sample } from '../../src/serving/metrics.js';

let home: string;
let clock: number;
const now = (): number => clock;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'serving-files-'));
  clock = Date.parse('2026-01-05T02:59:58.500Z');
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('metrics', () => {
  const sample = (extra: Partial<Sample> = {}): Sample => ({
    endpoint: 'e',
    variant: 'A',
    version: 'v1.0.0',
    outcome: 'ok',
    latencyMs: 10,
    ...extra,
  });

  it('are summed over a window and by variant, across hours and processes', async () => {
    const metrics = openMetrics(home, now);
    for (let second = 0; second < 4; second++) {
      metrics.record(sample());
      metrics.record(sample({ outcome: 'modelError' }));
      metrics.record(sample({ variant: 'B', outcome: 'throttled' }));
      clock += 1000;
    }
    await metrics.flush();
    expect((await readdir(metricsFolder(home, 'e'))).length).toBe(2);
    const window = await readMetrics(home, 'e', { from: 0, to: clock });
    expect(window.get('A')).toMatchObject({
      invocations: 8,
      ok: 4,
      modelErrors: 4,
      errorRate: 0.5,
    });
    expect(window.get('B')).toMatchObject({ invocations: 4, throttled: 4, errorRate: 0 });
    const last = await readMetrics(home, 'e', { from: clock - 1000, to: clock });
    expect(last.get('A')?.invocations).toBe(2);
  });

  it('give percentiles at most 5 % too high', async () => {
    const metrics = openMetrics(home, now);
    for (let ms = 1; ms <= 1000; ms++) metrics.record(sample({ latencyMs: ms }));
    await metrics.flush();
    const window = (await readMetrics(home, 'e', { from: 0, to: clock + 1000 })).get('A');
    for (const [value, exact] of [
      [window?.latencyP50Ms, 500],
      [window?.latencyP95Ms, 950],
      [window?.latencyP99Ms, 990],
    ] as const) {
      expect(value).toBeGreaterThanOrEqual(exact);
      expect(value).toBeLessThanOrEqual(exact * 1.05);
    }
  });

  it('skip a line that a crash cut short', async () => {
    const metrics = openMetrics(home, now);
    metrics.record(sample());
    await metrics.flush();
    const [file = ''] = await readdir(metricsFolder(home, 'e'));
    await appendFile(join(metricsFolder(home, 'e'), file), '{"at":17');
    expect((await readMetrics(home, 'e', { from: 0, to: clock + 1000 })).get('A')?.ok).toBe(1);
  });

  it('of an endpoint without traffic are none', async () => {
    expect((await readMetrics(home, 'nobody', { from: 0, to: clock })).size).toBe(0);
  });
});

describe('captured data', () => {
  const call = (eventId: string, contentType = 'application/json') => ({
    endpoint: 'e',
    variant: 'A',
    eventId,
    inferenceId: eventId === 'r1' ? 'i-1' : null,
    at: clock,
    input: { contentType, data: '{"inputs":"good"}' },
    output: { contentType: 'application/json', data: '[{"label":"positive"}]' },
  });
  const settings = { samplingPercentage: 100, modes: ['Input', 'Output'] as const, maxBytes: 2000 };

  it('lies where and looks as SageMaker Model Monitor writes it, and is read back', async () => {
    const files = openLineFiles(now);
    const capture = openCapture({ home, files });
    capture.offer(call('r1'), settings);
    capture.offer(call('r2', 'text/plain'), settings);
    await files.flush();
    const [path = ''] = await filesBelow(captureFolder(home, 'e'));
    expect(path).toContain('/serving/capture/e/A/2026/01/05/02/');
    const [first, second] = (await readFile(path, 'utf8'))
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l));
    expect(first).toEqual({
      captureData: {
        endpointInput: {
          observedContentType: 'application/json',
          mode: 'INPUT',
          data: '{"inputs":"good"}',
          encoding: 'JSON',
        },
        endpointOutput: {
          observedContentType: 'application/json',
          mode: 'OUTPUT',
          data: '[{"label":"positive"}]',
          encoding: 'JSON',
        },
      },
      eventMetadata: { eventId: 'r1', inferenceId: 'i-1', inferenceTime: '2026-01-05T02:59:58Z' },
      eventVersion: '0',
    });
    expect(second.captureData.endpointInput.encoding).toBe('BASE64');
    const read = await all(readCapture(captureFolder(home, 'e'), { from: 0, to: clock + 1 }));
    expect(read.map((record) => [record.eventId, record.input?.data])).toEqual([
      ['r1', '{"inputs":"good"}'],
      ['r2', '{"inputs":"good"}'],
    ]);
    expect(
      await all(readCapture(captureFolder(home, 'e'), { from: clock + 1000, to: clock + 9e6 })),
    ).toEqual([]);
  });

  it('is a sample of the asked size', async () => {
    const files = openLineFiles(now);
    let draw = 0;
    const capture = openCapture({ home, files, random: () => (draw++ % 100) / 100 });
    for (let n = 0; n < 100; n++)
      capture.offer(call(`r${n}`), { ...settings, samplingPercentage: 20 });
    await files.flush();
    const read = await all(readCapture(captureFolder(home, 'e'), { from: 0, to: clock + 1 }));
    expect(read.length).toBe(20);
  });

  it('stops at its bound, says so once, and counts what an earlier process left', async () => {
    const said: string[] = [];
    const log = {
      info: () => undefined,
      warn: () => undefined,
      error: (text: string) => void said.push(text),
    };
    const run = async (): Promise<void> => {
      const files = openLineFiles(now);
      const capture = openCapture({ home, files, log });
      capture.offer(call('first'), settings);
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (let n = 0; n < 20; n++) capture.offer(call(`r${n}`), settings);
      await files.flush();
      expect(capture.full.has('e')).toBe(true);
    };
    await run();
    const kept = (await all(readCapture(captureFolder(home, 'e'), { from: 0, to: clock + 1 })))
      .length;
    expect(kept).toBeLessThan(10);
    await run();
    const after = (await all(readCapture(captureFolder(home, 'e'), { from: 0, to: clock + 1 })))
      .length;
    expect(after).toBeLessThanOrEqual(kept + 1);
    expect(said).toHaveLength(2);
  });
});

describe('feedback', () => {
  it('is kept as ground truth and read back with its time and source', async () => {
    const files = openLineFiles(now);
    const intake = openFeedback(home, files, now);
    intake.take('e', { inferenceId: 'i-1', label: 'good' }, ['good', 'bad']);
    intake.take('e', { inferenceId: 'i-2', labels: ['good', 'bad'], source: 'ann' }, []);
    await files.flush();
    const [path = ''] = await filesBelow(feedbackFolder(home, 'e'));
    expect(JSON.parse((await readFile(path, 'utf8')).split('\n')[0] ?? '')).toMatchObject({
      groundTruthData: { data: 'good', encoding: 'CSV' },
      eventMetadata: { eventId: 'i-1' },
      eventVersion: '0',
    });
    expect(await all(readFeedback(feedbackFolder(home, 'e'), { from: 0, to: clock + 1 }))).toEqual([
      { inferenceId: 'i-1', labels: ['good'], source: 'user', at: clock },
      { inferenceId: 'i-2', labels: ['good', 'bad'], source: 'ann', at: clock },
    ]);
  });

  it.each([
    [null, /must be an object/],
    [{ label: 'good' }, /inferenceId/],
    [{ inferenceId: 'i' }, /Give "label"/],
    [{ inferenceId: 'i', label: 'poison' }, /none of the model's: good, bad/],
    [{ inferenceId: 'i', label: 7 }, /none of the model's/],
    [{ inferenceId: 'i', label: 'good', source: '' }, /source/],
    [{ inferenceId: 'i', labels: Array(2000).fill('good') }, /more than 1024/],
  ])('refuses %j', (body, message) => {
    const intake = openFeedback(home, openLineFiles(now), now);
    expect(() => intake.take('e', body, ['good', 'bad'])).toThrow(message);
  });

  it('of one source is limited by the minute', () => {
    const intake = openFeedback(home, openLineFiles(now), now);
    const take = (source: string) =>
      intake.take('e', { inferenceId: 'i', label: 'good', source }, []);
    for (let n = 0; n < 6000; n++) take('bot');
    expect(() => take('bot')).toThrow(/a minute/);
    take('ann');
    clock += 60_000;
    take('bot');
  });
});

it('a queue that the disk cannot follow drops lines and counts them', () => {
  const files = openLineFiles(now);
  const line = 'x'.repeat(1_000_000);
  const taken = Array.from({ length: 20 }, () => files.offer(join(home, 'x'), line));
  expect(taken.filter(Boolean)).toHaveLength(16);
  expect(files.dropped).toBe(4);
});
