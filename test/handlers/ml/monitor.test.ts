/** Permission to retrain, and what the monitors say when there is too little to say anything. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { monitorHandlers } from '../../../src/handlers/ml/monitor/index.js';
import type { HandlerContext } from '../../../src/handlers/handler.js';
import type { Json, JsonObject } from '../../../src/lib/json.js';
import { openEndpoints } from '../../../src/serving/index.js';
import { feedbackFolder, openFeedback } from '../../../src/serving/feedback.js';
import { openCapture } from '../../../src/serving/capture.js';
import { filesBelow, openLineFiles } from '../../../src/serving/line-files.js';
import { testContext } from '../../serving/context.js';

let home: string;
let clock: number;
let running: Set<string>;
let started: JsonObject[];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'monitor-'));
  clock = Date.parse('2026-01-05T02:00:00Z');
  running = new Set();
  started = [];
});
afterEach(() => rm(home, { recursive: true, force: true }));

const now = (): number => clock;
const live = {
  settle: async () => undefined,
  invoke: () => Promise.reject(new Error('not asked')),
  feedback: () => Promise.reject(new Error('not asked')),
  url: async () => '',
  close: async () => undefined,
};
async function run(
  resource: string,
  parameters: Json,
  context: HandlerContext = testContext(home),
): Promise<JsonObject> {
  const handler = monitorHandlers({
    home,
    now,
    live,
    endpoints: openEndpoints(join(home, 'endpoints')),
    executions: Promise.resolve({
      call: async (operation, members) => {
        if (operation === 'StartExecution') started.push(members);
        return { status: running.has(String(members.executionArn)) ? 'RUNNING' : 'SUCCEEDED' };
      },
      ended: async () => undefined,
    }),
  }).find((item) => item.resource === resource);
  return (await handler?.run(parameters, context)) as JsonObject;
}
const visit = (name: string): HandlerContext => testContext(home, { visit: name, execution: name });

describe('permission to retrain', () => {
  const limits = { key: 'sentiment', cooldownSeconds: 3600, maxPerDay: 2 };
  const acquire = (name: string) => run('ml:acquire-trigger', limits, visit(name));
  const release = (name: string) => run('ml:release-trigger', { key: 'sentiment' }, visit(name));

  it('goes to one at a time, after a pause, so many times a day', async () => {
    expect(await acquire('a')).toMatchObject({ acquired: true, startsToday: 1 });
    expect(await acquire('b')).toMatchObject({ acquired: false, reason: 'running' });
    expect(await release('b')).toMatchObject({ released: false });
    expect(await release('a')).toMatchObject({ released: true });
    expect(await acquire('c')).toMatchObject({ acquired: false, reason: 'cooldown' });
    clock += 3_600_000;
    expect(await acquire('d')).toMatchObject({ acquired: true, startsToday: 2 });
    await release('d');
    clock += 3_600_000;
    expect(await acquire('e')).toMatchObject({ acquired: false, reason: 'daily-cap' });
    clock += 86_400_000;
    expect(await acquire('f')).toMatchObject({ acquired: true, startsToday: 1 });
  });

  it('is the same when the task runs again after a crash', async () => {
    expect(await acquire('a')).toMatchObject({ acquired: true });
    expect(await acquire('a')).toMatchObject({ acquired: true, startsToday: 1 });
  });

  it('of a holder that never gives it back runs out', async () => {
    await run(
      'ml:acquire-trigger',
      { ...limits, cooldownSeconds: 0, leaseSeconds: 60 },
      visit('a'),
    );
    clock += 61_000;
    expect(
      await run('ml:acquire-trigger', { ...limits, cooldownSeconds: 0 }, visit('b')),
    ).toMatchObject({ acquired: true });
  });

  it('for a started execution lasts until that execution has ended', async () => {
    const stateMachineArn = 'arn:aws:states:us-east-1:123456789012:stateMachine:ml-retrain';
    const trigger = (name: string) =>
      run(
        'ml:trigger-retraining',
        { ...limits, cooldownSeconds: 0, stateMachineArn, input: { a: 1 } },
        visit(name),
      );
    const first = await trigger('a');
    expect(first).toMatchObject({
      started: true,
      executionArn: expect.stringContaining(':execution:ml-retrain:trigger-'),
    });
    running.add(String(first.executionArn));
    expect(await trigger('b')).toMatchObject({ started: false, reason: 'running' });
    running.clear();
    expect(await trigger('c')).toMatchObject({ started: true });
    expect(started.map((members) => members.input)).toEqual(['{"a":1}', '{"a":1}']);
  });
});

describe('live data', () => {
  async function calls(count: number, labelOf: (n: number) => string | null): Promise<void> {
    const files = openLineFiles(now);
    const capture = openCapture({ home, files });
    const feedback = openFeedback(home, files, now);
    for (let n = 0; n < count; n++) {
      const call = {
        endpoint: 'e',
        variant: 'A',
        eventId: `r${n}`,
        inferenceId: `i${n}`,
        at: clock + n,
      };
      capture.offer(
        {
          ...call,
          input: { contentType: 'application/json', data: JSON.stringify({ inputs: `text ${n}` }) },
          output: {
            contentType: 'application/json',
            data: JSON.stringify([{ label: 'good', score: 0.9 }]),
          },
        },
        { samplingPercentage: 100, modes: ['Input', 'Output'], maxBytes: 1e9 },
      );
      const label = labelOf(n);
      if (label !== null) feedback.take('e', { inferenceId: `i${n}`, label }, []);
    }
    await files.flush();
  }

  it('without labels has an unknown quality, not a good one', async () => {
    await calls(100, () => null);
    expect(await run('ml:monitor-quality', { endpoint: 'e' })).toMatchObject({
      state: 'UNKNOWN',
      captured: 100,
      labelled: 0,
      accuracy: null,
    });
  });

  it('is measured by the labels that came back, and late ones change the answer', async () => {
    await calls(100, (n) => (n < 80 ? 'good' : null));
    const first = await run('ml:monitor-quality', { endpoint: 'e', baselineAccuracy: 0.95 });
    expect(first).toMatchObject({ state: 'OK', accuracy: 1, coverage: 0.8 });
    clock += 500;
    const files = openLineFiles(now);
    const feedback = openFeedback(home, files, now);
    for (let n = 70; n < 100; n++) feedback.take('e', { inferenceId: `i${n}`, label: 'bad' }, []);
    await files.flush();
    const later = await run('ml:monitor-quality', { endpoint: 'e', baselineAccuracy: 0.95 });
    expect(later).toMatchObject({ state: 'DEGRADED', accuracy: 0.7, labelled: 100 });
    expect(later.reason).toContain('concept drift');
  });

  it('of too few rows is not judged for drift', async () => {
    await calls(10, () => null);
    expect(await run('ml:monitor', { endpoint: 'e', baseline: '/none' })).toMatchObject({
      state: 'INSUFFICIENT_DATA',
      rows: 10,
    });
  });

  it('with labels becomes a dataset whose held-out rows are never trained on', async () => {
    await calls(200, (n) => (n % 2 === 0 ? 'good' : 'bad'));
    const context = testContext(home);
    const result = await run('ml:collect-feedback', { endpoint: 'e', holdoutShare: 0.3 }, context);
    expect((await filesBelow(feedbackFolder(home, 'e'))).length).toBe(1);
    const { holdout, fromFeedback } = result as {
      holdout: { rows: number; uri: string };
      fromFeedback: number;
    };
    expect(holdout.rows + fromFeedback).toBe(200);
    expect(holdout.rows).toBeGreaterThan(40);
    expect(holdout.rows).toBeLessThan(80);
    const again = await run('ml:collect-feedback', { endpoint: 'e', holdoutShare: 0.3 }, context);
    expect(again).toEqual(result);
    await expect(run('ml:collect-feedback', { endpoint: 'nobody' })).rejects.toMatchObject({
      error: 'Feedback.None',
    });
  });
});
