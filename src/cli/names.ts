/** The ARNs under which the command line files its machines and executions. */
import type { ExecutionIdentity } from '../core/fact.js';
import type { ExecutionArn } from '../lib/brand.js';

export const REGION = 'us-east-1';
export const ACCOUNT = '123456789012';

export function stateMachineArn(name: string): string {
  return `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:${name}`;
}

export function executionArn(machine: string, name: string): ExecutionArn {
  return `arn:aws:states:${REGION}:${ACCOUNT}:execution:${machine}:${name}` as ExecutionArn;
}

/** Of an execution that the command line starts. */
export function identityOf(machine: string, name: string): ExecutionIdentity {
  return {
    arn: executionArn(machine, name),
    name,
    stateMachineArn: stateMachineArn(machine),
    stateMachineName: machine,
    stateMachineVersionArn: null,
    stateMachineAliasArn: null,
    mapRunArn: null,
    roleArn: ROLE_ARN,
    type: 'STANDARD',
  };
}

export const ROLE_ARN = `arn:aws:iam::${ACCOUNT}:role/stepwell-local`;
