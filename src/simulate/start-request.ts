/** What starts an execution of the simulated world: its identity follows from a few names. */
import type { ExecutionIdentity } from '../core/fact.js';
import type { Json } from '../lib/json.js';
import type { StartRequest } from '../runtime/face.js';
import { revisionOf } from '../runtime/machines.js';

export const SIMULATED_REGION = 'us-east-1';
export const SIMULATED_ACCOUNT = '123456789012';

export interface StartOptions {
  /** The definition's text. */
  readonly definition: string;
  readonly input: Json;
  readonly type?: 'STANDARD' | 'EXPRESS';
  readonly stateMachineName?: string;
  readonly executionName?: string;
  readonly roleArn?: string;
  readonly region?: string;
  readonly account?: string;
  readonly traceHeader?: string | null;
  /** Replaces any member of the identity (ARNs as they were on AWS). */
  readonly identity?: Partial<ExecutionIdentity>;
}

/** What to give to `engine.start`. */
export function startRequestOf(options: StartOptions): StartRequest {
  const { stateMachineName = 'Machine', executionName = 'simulation', type = 'STANDARD' } = options;
  const { region = SIMULATED_REGION, account = SIMULATED_ACCOUNT } = options;
  const scope = `arn:aws:states:${region}:${account}`;
  return {
    identity: {
      arn: `${scope}:execution:${stateMachineName}:${executionName}`,
      name: executionName,
      stateMachineArn: `${scope}:stateMachine:${stateMachineName}`,
      stateMachineName,
      stateMachineVersionArn: null,
      stateMachineAliasArn: null,
      mapRunArn: null,
      roleArn: options.roleArn ?? `arn:aws:iam::${account}:role/stepwell-local`,
      type,
      ...options.identity,
    },
    revision: revisionOf(options.definition, type),
    input: options.input,
    traceHeader: options.traceHeader ?? null,
  };
}
