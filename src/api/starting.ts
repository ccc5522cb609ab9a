/** From StartExecution's members to what the engine starts; the checks in AWS's order. */
import { parseJson } from '../lib/jackson.js';
import { exceedsDepth, type Json } from '../lib/json.js';
import type { StartRequest } from '../runtime/face.js';
import { aliasArn, executionArn, expressArn } from '../wire/arn.js';
import { invalidInput, machineDeleting, machineTypeNotSupported } from '../wire/errors.js';
import { checkName } from '../wire/names.js';
import type { Input } from '../wire/operations.js';
import { expectMachineArn } from './arns.js';
import type { ApiContext } from './context.js';
import type { MachineType } from './definitions.js';
import { resolveMachine } from './resolve.js';

/** Ours: Node cannot print deeper values without a deep stack; AWS's own line is not recorded. */
const MAX_INPUT_DEPTH = 512;

/** `only`: the one type of machine that the operation serves. */
export async function startRequest(
  api: ApiContext,
  input: Input<'StartExecution'>,
  only: MachineType | null,
): Promise<StartRequest & { readonly testCase: string | null }> {
  const arn = expectMachineArn(input.stateMachineArn);
  const name = input.name ?? api.uuid();
  checkName(name);
  const { machine, revision, version, alias } = await resolveMachine(api, arn);
  if (machine.status === 'DELETING') throw machineDeleting(machine.arn);
  if (only !== null && machine.type !== only) throw machineTypeNotSupported();
  const value = readExecutionInput(input.input);
  const express = machine.type === 'EXPRESS';
  return {
    identity: {
      arn: express
        ? expressArn(arn.scope, arn.name, name, api.uuid())
        : executionArn(arn.scope, arn.name, name),
      name,
      stateMachineArn: machine.arn,
      stateMachineName: machine.name,
      stateMachineVersionArn: version?.arn ?? null,
      stateMachineAliasArn: alias === null ? null : aliasArn(machine.arn, alias.name),
      mapRunArn: null,
      roleArn: revision.roleArn,
      type: machine.type,
      ...(only === 'EXPRESS' ? { synchronous: true } : {}),
    },
    revision: { id: revision.id, definition: revision.definition, type: machine.type },
    input: value,
    traceHeader: input.traceHeader ?? null,
    testCase: arn.testCase,
  };
}

/** Absent input is `{}`; text that is no JSON is refused with Jackson's wording. */
function readExecutionInput(text: string | undefined): Json {
  if (text === undefined) return {};
  const parsed = parseJson(text);
  if ('error' in parsed) throw invalidInput(parsed.error.message);
  if (exceedsDepth(parsed.value, MAX_INPUT_DEPTH)) {
    throw invalidInput(`Document nesting depth exceeds the maximum allowed (${MAX_INPUT_DEPTH})`);
  }
  return parsed.value;
}
