/**
 * The people and programs outside: they start executions (twice), stop and redrive them, answer with
 * wrong and stale tokens, poll for activities, read histories. All of them try until they are answered.
 */
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { LawBroken } from './checker.js';
import { ACTIVITY } from './generator.js';
import type { SimWorld } from './world.js';

export const MACHINE_ARN = 'arn:aws:states:us-east-1:123456789012:stateMachine:Machine';
const POLL_MS = 5_000;

export interface ClientOptions {
  readonly executions: number;
  readonly input: Json;
  /** Stops, redrives and failing activities: the outcome is no longer that of the machine alone. */
  readonly meddling: boolean;
  readonly activities: boolean;
}

export function arnOf(name: string): ExecutionArn {
  return `arn:aws:states:us-east-1:123456789012:execution:Machine:${name}` as ExecutionArn;
}

/** Resolves when every client that has something to do has done it. */
export async function runClients(world: SimWorld, options: ClientOptions): Promise<void> {
  const { chance } = world;
  const work: Promise<void>[] = [];
  for (let index = 0; index < options.executions; index++) {
    const name = `e${index}`;
    work.push(start(world, name, options.input, chance.between(0, 2_000)));
    if (chance.chance(0.4)) {
      work.push(start(world, name, options.input, chance.between(0, 6_000)));
    }
    if (options.meddling && chance.chance(0.2)) work.push(stop(world, name));
    if (options.meddling && chance.chance(0.4)) work.push(redrive(world, name));
    if (chance.chance(0.3)) work.push(read(world, name));
  }
  if (chance.chance(0.2)) work.push(forge(world));
  if (options.activities) void pollActivities(world, options.meddling);
  await Promise.all(work);
}

async function start(world: SimWorld, name: string, input: Json, afterMs: number): Promise<void> {
  await world.time.sleep(afterMs);
  const text = JSON.stringify(input);
  const reply = await world.network.request('StartExecution', {
    stateMachineArn: MACHINE_ARN,
    name,
    input: text,
  });
  if ('ok' in reply) {
    const arn = reply.ok.executionArn as string;
    if (arn !== arnOf(name)) throw new LawBroken(`${name} became ${arn}.`);
    world.ledger.promise({ what: 'start', arn, input: text });
  } else if (reply.refused !== 'ExecutionAlreadyExists') {
    throw new LawBroken(`A start was refused: ${reply.refused}.`);
  }
}

async function stop(world: SimWorld, name: string): Promise<void> {
  await world.time.sleep(world.chance.between(0, 40_000));
  const arn = arnOf(name);
  const reply = await world.network.request('StopExecution', {
    executionArn: arn,
    error: 'Enough',
  });
  const sentAfter = world.checker.commits;
  if ('ok' in reply) world.ledger.promise({ what: 'stop', arn, sentAfter });
}

async function redrive(world: SimWorld, name: string): Promise<void> {
  const arn = arnOf(name);
  for (let look = 0; look < 40; look++) {
    await world.time.sleep(world.chance.between(1_000, 15_000));
    const state = world.checker.executions.get(arn)?.state;
    if (state === undefined || state.status === 'RUNNING') continue;
    if (state.status === 'SUCCEEDED') return;
    const clientToken = `redrive-${name}-${look}`;
    const reply = await world.network.request('RedriveExecution', {
      executionArn: arn,
      clientToken,
    });
    if ('ok' in reply) world.ledger.promise({ what: 'redrive', arn });
    return;
  }
}

/** A history is whole and in order whenever it is read. */
async function read(world: SimWorld, name: string): Promise<void> {
  await world.time.sleep(world.chance.between(0, 30_000));
  const reply = await world.network.request('GetExecutionHistory', { executionArn: arnOf(name) });
  if (!('ok' in reply)) return;
  const events = reply.ok.events as readonly { id: number; previousEventId: number }[];
  events.forEach((event, at) => {
    if (event.id !== at + 1 || event.previousEventId >= event.id) {
      throw new LawBroken(`Event ${event.id} of ${name} is out of order.`);
    }
  });
}

async function forge(world: SimWorld): Promise<void> {
  const members = { taskToken: 'bm90IGEgdG9rZW4.c2lnbmF0dXJl', output: '1' };
  const reply = await world.network.request('SendTaskSuccess', members);
  if ('ok' in reply) throw new LawBroken('A forged token was accepted.');
}

/** Works on activities for as long as the world exists. */
async function pollActivities(world: SimWorld, meddling: boolean): Promise<void> {
  for (;;) {
    const process = world.network.someProcess();
    const engine = process?.engine;
    if (!process || !engine) {
      await world.time.sleep(1_000);
      continue;
    }
    const controller = new AbortController();
    const cancel = world.time.after(POLL_MS, () => controller.abort());
    const died = new Promise<null>((resolve) => process.whenDead(() => resolve(null)));
    const polled = engine.activityTask(ACTIVITY, 'worker', controller.signal).catch(() => null);
    const task = await Promise.race([polled, died]);
    cancel();
    if (task === null) {
      await world.time.sleep(200);
      continue;
    }
    await answerActivity(world, task.taskToken, meddling);
  }
}

async function answerActivity(world: SimWorld, token: string, meddling: boolean): Promise<void> {
  const { chance, network, time } = world;
  if (meddling && chance.chance(0.1)) return;
  await time.sleep(chance.between(0, 4_000));
  if (chance.chance(0.3)) await network.taskHeartbeat(token);
  if (meddling && chance.chance(0.2)) {
    await network.taskFailed(token, { error: 'Oops', cause: 'the worker says so' });
    return;
  }
  const output: JsonObject = { by: 'worker' };
  await network.taskSucceeded(token, output);
  if (chance.chance(0.3)) await network.taskSucceeded(token, output);
}
