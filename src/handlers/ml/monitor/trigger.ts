/**
 * Permission to retrain: one retraining at a time, a pause between two, so many a day. `ml:acquire-
 * trigger` asks for it and `ml:release-trigger` gives it back, around a nested execution;
 * `ml:trigger-retraining` asks and starts an execution that nobody waits for. A refusal is an answer,
 * not a failure. What a permission allows is making a candidate: promoting is the rollout's business.
 */
import { join } from 'node:path';
import { isArray, isObject, type Json, type JsonObject } from '../../../lib/json.js';
import { readJsonIfPresent, replaceFile, withLock } from '../../../ml/registry/files.js';
import type { ExecutionService } from '../../execution-service.js';
import { isRefusedCall } from '../../execution-service.js';
import { type Handler, type HandlerContext, TaskFailure } from '../../handler.js';
import { rerunnableHandler } from '../rerunnable-handler.js';
import { NAME, text } from './parts.js';

export interface TriggerOptions {
  readonly home: string;
  readonly executions: Promise<ExecutionService>;
  readonly now?: () => number;
}

interface Limits {
  readonly key: string;
  readonly cooldownSeconds?: number;
  readonly maxPerDay?: number;
  /** A holder that has not released after this long is taken for dead. */
  readonly leaseSeconds?: number;
}

interface TriggerState {
  readonly holder: {
    readonly by: string;
    readonly until: number;
    readonly executionArn: string | null;
  } | null;
  /** Starts of the last day, epoch milliseconds. */
  readonly starts: readonly number[];
  /** Idempotency keys of the last permissions, so that a re-run is the same request. */
  readonly granted: readonly string[];
}

type Refusal = 'running' | 'cooldown' | 'daily-cap';

const DAY_MS = 86_400_000;
const LIMITS: JsonObject = {
  key: NAME,
  cooldownSeconds: { type: 'number', minimum: 0 },
  maxPerDay: { type: 'integer', minimum: 0 },
  leaseSeconds: { type: 'number', exclusiveMinimum: 0 },
};

export function triggerHandlers(options: TriggerOptions): Handler[] {
  return [
    rerunnableHandler(
      'ml:acquire-trigger',
      'Asks for permission to retrain: mutex, cool-down and daily cap.',
      ['key'],
      LIMITS,
      (parameters, context) => acquire(parameters as unknown as Limits, context, options),
    ),
    rerunnableHandler(
      'ml:release-trigger',
      'Gives the permission to retrain back.',
      ['key'],
      { key: NAME },
      ({ key }, context) => release(String(key), context, options),
    ),
    rerunnableHandler(
      'ml:trigger-retraining',
      'Starts a retraining execution unless one runs, the pause is not over or the day is full.',
      ['key', 'stateMachineArn'],
      { ...LIMITS, stateMachineArn: text, input: {} },
      (parameters, context) => trigger(parameters, context, options),
    ),
  ];
}

async function acquire(
  limits: Limits,
  context: HandlerContext,
  options: TriggerOptions,
): Promise<Json> {
  return decided(limits, context, options, null);
}

async function decided(
  { key, cooldownSeconds = 3600, maxPerDay = 4, leaseSeconds = 6 * 3600 }: Limits,
  context: HandlerContext,
  options: TriggerOptions,
  executionArn: string | null,
): Promise<JsonObject> {
  const now = (options.now ?? Date.now)();
  return withState(options, key, async (state) => {
    const own = state.holder?.by === context.task.executionArn && executionArn === null;
    const mine = own && state.holder !== null && state.holder.until > now;
    if (state.granted.includes(context.idempotencyKey) || mine) {
      return [state, { acquired: true, key, reason: null, startsToday: state.starts.length }];
    }
    const starts = state.starts.filter((at) => at > now - DAY_MS);
    const last = starts.at(-1) ?? Number.NEGATIVE_INFINITY;
    const busy = await isBusy(state, now, options);
    const refusal: Refusal | null = busy
      ? 'running'
      : now - last < cooldownSeconds * 1000
        ? 'cooldown'
        : starts.length >= maxPerDay
          ? 'daily-cap'
          : null;
    if (refusal !== null) {
      context.log.info(`Retraining ${key} is not started: ${refusal}`);
      const next = busy ? state : { ...state, holder: null, starts };
      return [next, { acquired: false, key, reason: refusal, startsToday: starts.length }];
    }
    const by = context.task.executionArn;
    const holder = { by, until: now + leaseSeconds * 1000, executionArn };
    const granted = [...state.granted.slice(-99), context.idempotencyKey];
    const result = { acquired: true, key, reason: null, startsToday: starts.length + 1 };
    return [{ holder, starts: [...starts, now], granted }, result];
  });
}

/** A holder is gone when its lease is over or the execution that it stands for has ended. */
async function isBusy(
  { holder }: TriggerState,
  now: number,
  options: TriggerOptions,
): Promise<boolean> {
  if (holder === null || holder.until <= now) return false;
  if (holder.executionArn === null) return true;
  const { executionArn } = holder;
  const service = await options.executions;
  try {
    const { status } = await service.call(
      'DescribeExecution',
      { executionArn },
      AbortSignal.timeout(10_000),
    );
    return status === 'RUNNING';
  } catch (error) {
    if (isRefusedCall(error)) return false;
    throw error;
  }
}

async function release(
  key: string,
  context: HandlerContext,
  options: TriggerOptions,
): Promise<Json> {
  return withState(options, key, async (state) => {
    const mine = state.holder?.by === context.task.executionArn;
    return [mine ? { ...state, holder: null } : state, { released: mine, key }];
  });
}

async function trigger(
  parameters: JsonObject,
  context: HandlerContext,
  options: TriggerOptions,
): Promise<Json> {
  const stateMachineArn = String(parameters.stateMachineArn);
  // The name makes a re-run find the execution that the lost attempt started.
  const name = `trigger-${context.visitKey.replaceAll(/[^\w-]/g, '-').slice(-60)}`;
  const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;
  const answer = await decided(parameters as unknown as Limits, context, options, executionArn);
  if (answer.acquired !== true) return { ...answer, started: false, executionArn: null };
  const service = await options.executions;
  try {
    const input = JSON.stringify(parameters.input ?? {});
    await service.call('StartExecution', { stateMachineArn, name, input }, context.signal);
  } catch (error) {
    if (!isRefusedCall(error)) throw error;
    throw new TaskFailure(error.code, error.message);
  }
  return { ...answer, started: true, executionArn };
}

async function withState(
  { home }: TriggerOptions,
  key: string,
  work: (state: TriggerState) => Promise<readonly [TriggerState, JsonObject]>,
): Promise<JsonObject> {
  const folder = join(home, 'triggers');
  return withLock(folder, async () => {
    const path = join(folder, `${key}.json`);
    const [state, result] = await work(stateOf(await readJsonIfPresent(path)));
    await replaceFile(path, `${JSON.stringify(state)}\n`);
    return result;
  });
}

function stateOf(value: Json | null): TriggerState {
  const state = isObject(value ?? undefined) ? (value as JsonObject) : {};
  return {
    holder: isObject(state.holder) ? (state.holder as unknown as TriggerState['holder']) : null,
    starts: isArray(state.starts) ? (state.starts as readonly number[]) : [],
    granted: isArray(state.granted) ? (state.granted as readonly string[]) : [],
  };
}
