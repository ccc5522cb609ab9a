/** A server whose limits are lifted takes longer payloads; one under AWS's limits refuses as AWS does. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chooseLimits } from '../../src/cli/limits.js';
import { parseConfig } from '../../src/handlers/config/load.js';
import { call, createMachine, type Harness, runToEnd, startHarness } from './harness.js';

const ACTIVITY = (arn: string): string =>
  JSON.stringify({ StartAt: 'A', States: { A: { Type: 'Task', Resource: arn, End: true } } });

let aws: Harness;
let lifted: Harness;
beforeAll(async () => {
  aws = await startHarness();
  lifted = await startHarness({ config: { payloadBytes: 4_000_000 } });
});
afterAll(async () => {
  await aws.close();
  await lifted.close();
});

/** Answers an activity's task with so many bytes. */
async function answer(server: Harness, bytes: number) {
  const { body } = await call(server.url, 'CreateActivity', { name: `a-${bytes}` });
  const machine = await createMachine(server.url, ACTIVITY(body.activityArn));
  await call(server.url, 'StartExecution', { stateMachineArn: machine });
  const { activityArn } = body;
  const task = await call(server.url, 'GetActivityTask', { activityArn });
  const output = JSON.stringify('"'.repeat((bytes - 2) / 2));
  return call(server.url, 'SendTaskSuccess', { taskToken: task.body.taskToken, output });
}

test('the output of a callback: 262,144 characters, and no more', async () => {
  expect((await answer(aws, 262_144)).status).toBe(200);
  expect((await answer(aws, 262_146)).body.message).toMatch(/less than or equal to 262144/);
});

test('lifted, a callback and an input may have megabytes', async () => {
  expect((await answer(lifted, 3_000_000)).status).toBe(200);
  const machine = await createMachine(lifted.url);
  const { status } = await runToEnd(lifted.url, machine, JSON.stringify('x'.repeat(3_000_000)));
  expect(status).toBe('SUCCEEDED');
  const tooMuch = JSON.stringify('x'.repeat(4_000_001));
  const refused = await call(lifted.url, 'StartExecution', {
    stateMachineArn: machine,
    input: tooMuch,
  });
  expect(refused.body.message).toMatch(/less than or equal to 4000000/);
});

test('the configuration lifts limits, and machine by machine; the option decides for the others', () => {
  const config = (limits: unknown) =>
    parseConfig({ limits } as never, { path: null, base: '/tmp/x' }).limits;
  const plain = chooseLimits(config('aws'), undefined);
  expect(plain.limits.payloadBytes).toBe(262_144);
  expect(plain.lifted).toBe(0);
  expect(chooseLimits(config('aws'), 'extended').limits.historyEvents).toBe(10_000_000);
  const mixed = chooseLimits(
    config({ payloadBytes: 1_000_000, machines: { Small: 'aws', Huge: 'extended' } }),
    undefined,
  );
  expect(mixed.limits).toMatchObject({ payloadBytes: 1_000_000, historyEvents: 25_000 });
  expect(mixed.limitsOf('Small')?.payloadBytes).toBe(262_144);
  expect(mixed.limitsOf('Huge')?.payloadBytes).toBe(64 * 1024 * 1024);
  expect(mixed.limitsOf('Other')).toBeNull();
  expect(mixed.lifted).toBe(64 * 1024 * 1024);
  expect(() => chooseLimits(config('aws'), 'none')).toThrow(/'none' is unknown/);
  expect(() => config({ payloadBytes: 5 })).toThrow(/limits/);
});
