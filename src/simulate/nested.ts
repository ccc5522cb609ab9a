/**
 * Nested executions that run for real in the simulated world: the production handler of
 * `states:startExecution`, over the few operations of the API that it needs.
 */
import type { ExecutionService } from '../handlers/execution-service.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { Json, JsonObject } from '../lib/json.js';
import type { Engine } from '../runtime/face.js';
import { describeExecution } from '../wire/describe.js';
import type { NamedResponder } from './call.js';
import { startRequestOf } from './start-request.js';

/** Definitions by the name of their machine. */
export type Machines = ReadonlyMap<string, string>;

/** Answers `startExecution`, `.sync` and `.sync:2` of known machines by running them. */
export function nestedResponder(machines: Machines): NamedResponder {
  return {
    name: 'nested',
    answer: ({ input, resource }) => {
      const isStart = /^startExecution(\.sync(:2)?)?$/.test(resource.action);
      if (resource.type !== 'states' || !isStart) return null;
      const arn = (input as JsonObject | null)?.StateMachineArn;
      return typeof arn === 'string' && machines.has(nameOf(arn)) ? { nested: true } : null;
    },
  };
}

/** `Child` of `arn:aws:states:…:stateMachine:Child[:version]`. */
function nameOf(arn: string): string {
  return arn.split(':')[6] ?? arn;
}

export function nestedService(
  machines: Machines,
  engine: () => Engine,
  now: () => EpochMs,
): ExecutionService {
  return {
    ended: async (arn, signal) => {
      await engine().ended(arn as ExecutionArn, signal);
    },
    call: async (operation, members) => {
      const arn = String(members.executionArn ?? '') as ExecutionArn;
      switch (operation) {
        case 'StartExecution':
          return start(machines, engine(), now, members);
        case 'StopExecution':
          await engine().stop(arn, { error: null, cause: null });
          return {};
        case 'DescribeExecution': {
          const state = await engine().state(arn);
          if (state === null) throw refusal('ExecutionDoesNotExist', arn);
          // Members that are undefined are absent, as on the wire.
          return JSON.parse(JSON.stringify(describeExecution(state, now()))) as JsonObject;
        }
        default:
          throw refusal('UnknownOperationException', operation);
      }
    },
  };
}

async function start(
  machines: Machines,
  engine: Engine,
  now: () => EpochMs,
  members: JsonObject,
): Promise<JsonObject> {
  const arn = String(members.stateMachineArn);
  const definition = machines.get(nameOf(arn));
  if (definition === undefined) throw refusal('StateMachineDoesNotExist', arn);
  const request = startRequestOf({
    definition,
    input: JSON.parse(typeof members.input === 'string' ? members.input : '{}') as Json,
    stateMachineName: nameOf(arn),
    executionName: String(members.name),
  });
  const started = await engine.start(request);
  const { arn: executionArn } = request.identity;
  if (started.is === 'exists') {
    throw refusal('ExecutionAlreadyExists', `Execution Already Exists: '${executionArn}'`);
  }
  return { executionArn, startDate: now() / 1000 };
}

/** As the API refuses; handlers know it by its name. */
function refusal(code: string, message: string): Error {
  return Object.assign(new Error(message), { name: 'ApiError', code });
}
