/**
 * `Credentials.RoleArn`: the keys of another role, asked of STS and kept until shortly before they
 * expire. A role that may not be assumed fails the task in AWS's words (reference 13.4).
 */
import { getOwn } from '../../lib/json.js';
import { type HandlerContext, TaskFailure } from '../handler.js';
import { call, ServiceRefusal, Unreachable } from './call.js';
import type { Keys, Sdk } from './clients.js';

export type KeysOf = (context: HandlerContext) => Promise<Keys | null>;

/** Keys are renewed this long before they expire. */
const MARGIN_MS = 60_000;
const MAX_KEPT = 500;

interface Kept {
  readonly keys: Keys;
  readonly expiresAt: number;
}

/** Null when the task assumes no role: the worker's own credentials count then. */
export function createAssumedRoles(sdk: Sdk, now: () => number = Date.now): KeysOf {
  const kept = new Map<string, Kept>();
  return async (context) => {
    const role = getOwn(context.credentials ?? {}, 'RoleArn');
    if (role === undefined) return null;
    if (typeof role !== 'string') throw notAuthorized(context, JSON.stringify(role));
    const known = kept.get(role);
    if (known !== undefined && known.expiresAt - MARGIN_MS > now()) return known.keys;
    const made = await assume(sdk, role, context);
    const [oldest] = kept.keys();
    if (kept.size >= MAX_KEPT && oldest !== undefined) kept.delete(oldest);
    kept.delete(role);
    kept.set(role, made);
    return made.keys;
  };
}

async function assume(sdk: Sdk, role: string, context: HandlerContext): Promise<Kept> {
  const { executionName } = context.task;
  const session = executionName
    .replaceAll(/[^\w+=,.@-]/g, '-')
    .slice(0, 64)
    .padEnd(2, '-');
  try {
    const { output } = await call(
      sdk,
      {
        service: 'sts',
        action: 'assumeRole',
        parameters: { RoleArn: role, RoleSessionName: session },
        keys: null,
        form: { time: 'epoch-ms' },
      },
      context,
    );
    const found = output.Credentials as
      | { AccessKeyId: string; SecretAccessKey: string; SessionToken: string; Expiration: number }
      | undefined;
    if (found === undefined) throw notAuthorized(context, role);
    return {
      keys: {
        accessKeyId: found.AccessKeyId,
        secretAccessKey: found.SecretAccessKey,
        sessionToken: found.SessionToken,
      },
      expiresAt: found.Expiration,
    };
  } catch (error) {
    if (error instanceof ServiceRefusal) throw notAuthorized(context, role);
    if (!(error instanceof Unreachable)) throw error;
    throw new TaskFailure(
      'States.TaskFailed',
      `Cannot reach STS to assume ${role}: ${error.message}`,
    );
  }
}

function notAuthorized(context: HandlerContext, role: string): TaskFailure {
  const own = context.task.roleArn ?? context.task.stateMachineName;
  return new TaskFailure(
    'States.TaskFailed',
    `The role ${own} is not authorized to assume the task state's role, ${role}.`,
  );
}
