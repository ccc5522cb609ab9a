/** The API of this process as handlers need it: nested executions and the actions of Step Functions. */
import type { ApiContext } from '../api/context.js';
import { coreDefinitions } from '../api/core-definitions.js';
import { dispatch } from '../api/dispatch.js';
import { createContext } from '../api/server.js';
import type { ExecutionService } from '../handlers/execution-service.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { JsonObject } from '../lib/json.js';
import type { Engine } from '../runtime/face.js';
import { createInspector } from '../runtime/test-state/inspector.js';
import { ApiError } from '../wire/errors.js';
import { isOperation } from '../wire/operations.js';
import type { Parts } from './assemble.js';
import { ROLE_ARN, stateMachineArn } from './names.js';

export function executionService(api: ApiContext): ExecutionService {
  return {
    call: async (operation, members, signal) => {
      if (!isOperation(operation)) throw new ApiError('UnknownOperationException', null);
      const answer = await dispatch(api, operation, members, { signal });
      // Members that are undefined are absent, as on the wire.
      return JSON.parse(JSON.stringify(answer)) as JsonObject;
    },
    ended: async (arn, signal) => {
      await api.engine.adopt(arn as ExecutionArn);
      await api.engine.ended(arn as ExecutionArn, signal);
    },
  };
}

/** The same without a server: `stepwell run` reaches the machines of its own store. */
export function localExecutions(parts: Parts, engine: Engine): ExecutionService {
  return executionService(
    createContext({
      engine,
      store: parts.store,
      config: { payloadBytes: parts.limits.lifted },
      definitions: coreDefinitions(false),
      inspect: createInspector(parts.registry, parts.services),
    }),
  );
}

/**
 * Files the machine of a run with the API, so that its executions are listed like any other's; a
 * changed definition becomes the machine's next revision.
 */
export async function publishMachine(
  service: ExecutionService,
  machine: { readonly name: string; readonly text: string },
): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  const arn = stateMachineArn(machine.name);
  const definition = machine.text;
  const described = await service
    .call('DescribeStateMachine', { stateMachineArn: arn }, signal)
    .catch(() => null);
  if (described === null) {
    await service.call(
      'CreateStateMachine',
      { name: machine.name, definition, roleArn: ROLE_ARN },
      signal,
    );
  } else if (described.definition !== definition) {
    const update = { stateMachineArn: arn, definition };
    await service.call('UpdateStateMachine', update, signal);
  }
}
