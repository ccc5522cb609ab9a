/** Nested executions in a real engine: across a restart, a stop and an early answer by token. */
import { afterEach, expect, it } from 'vitest';
import type { ApiContext } from '../../src/api/context.js';
import { coreDefinitions } from '../../src/api/core-definitions.js';
import { dispatch } from '../../src/api/dispatch.js';
import { createContext } from '../../src/api/server.js';
import { createExecutionHandler } from '../../src/handlers/execution.js';
import {
  createExecutionServiceSlot,
  type ExecutionService,
} from '../../src/handlers/execution-service.js';
import { createRegistry } from '../../src/handlers/registry.js';
import { parseConfig } from '../../src/handlers/config/load.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { JsonObject } from '../../src/lib/json.js';
import { createEngine } from '../../src/runtime/engine.js';
import { createInspector } from '../../src/runtime/test-state/inspector.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { Operation } from '../../src/wire/operations.js';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const ROLE = 'arn:aws:iam::123456789012:role/test';
const config = parseConfig({}, { path: null, base: '/tmp' });

function serviceOf(api: ApiContext): ExecutionService {
  return {
    call: async (operation, members, signal) =>
      JSON.parse(
        JSON.stringify(await dispatch(api, operation as Operation, members, { signal })),
      ) as JsonObject,
    ended: async (arn, signal) => {
      await api.engine.ended(arn as ExecutionArn, signal);
    },
  };
}

interface Side {
  call(operation: string, members: JsonObject): Promise<JsonObject>;
  ended(arn: string): Promise<void>;
  close(): Promise<void>;
}

async function open(store: MemoryStore): Promise<Side> {
  const slot = createExecutionServiceSlot();
  const handlers = [createExecutionHandler(slot.service)];
  const resources = createRegistry({ config, handlers, lambdaClient: null });
  const services = { scratchRoot: '/tmp', log: quiet, secret: () => '' } as never;
  const engine = await createEngine({ store, resources, services, log: quiet });
  const api = createContext({
    engine,
    store,
    definitions: coreDefinitions(true),
    inspect: createInspector(resources, services),
  });
  const service = serviceOf(api);
  slot.fill(service);
  const signal = new AbortController().signal;
  return {
    call: (operation, members) => service.call(operation, members, signal),
    ended: (arn) => service.ended(arn, signal),
    close: () => engine.close(),
  };
}

const opened: Side[] = [];
afterEach(async () => {
  for (const side of opened.splice(0)) await side.close();
});

async function machine(side: Side, name: string, state: JsonObject): Promise<string> {
  const definition = JSON.stringify({ StartAt: 'S', States: { S: { ...state, End: true } } });
  const made = await side.call('CreateStateMachine', { name, definition, roleArn: ROLE });
  return made.stateMachineArn as string;
}

/** A parent that waits for a child that waits `seconds`. */
async function startPair(side: Side, seconds: number): Promise<{ parent: string; child: string }> {
  const childArn = await machine(side, 'Child', { Type: 'Wait', Seconds: seconds });
  const parentArn = await machine(side, 'Parent', {
    Type: 'Task',
    Resource: 'arn:aws:states:::states:startExecution.sync:2',
    Parameters: { StateMachineArn: childArn, Input: { 'from.$': '$$.Execution.Id' } },
  });
  const started = await side.call('StartExecution', { stateMachineArn: parentArn, name: 'p' });
  for (;;) {
    const { executions } = await side.call('ListExecutions', { stateMachineArn: childArn });
    const [child] = executions as { executionArn: string }[];
    const { events } = await side.call('GetExecutionHistory', {
      executionArn: started.executionArn as string,
    });
    const submitted = (events as { type: string }[]).some(({ type }) => type === 'TaskSubmitted');
    if (child !== undefined && submitted) {
      return { parent: started.executionArn as string, child: child.executionArn };
    }
    await new Promise((wake) => setTimeout(wake, 10));
  }
}

it('a parent that was interrupted waits for the same child after the restart', async () => {
  const store = new MemoryStore();
  const before = await open(store);
  const { parent, child } = await startPair(before, 1);
  await before.close();
  const after = await open(store);
  opened.push(after);
  await after.ended(parent);
  const described = await after.call('DescribeExecution', { executionArn: parent });
  expect(described.status).toBe('SUCCEEDED');
  expect(JSON.parse(described.output as string)).toMatchObject({
    ExecutionArn: child,
    Input: { from: parent },
    Output: { from: parent },
    Status: 'SUCCEEDED',
  });
  const { executions } = await after.call('ListExecutions', {
    stateMachineArn: child.replace(':execution:', ':stateMachine:').replace(/:[^:]+$/, ''),
  });
  expect(executions).toHaveLength(1);
});

it('a stopped parent stops its child', async () => {
  const side = await open(new MemoryStore());
  opened.push(side);
  const { parent, child } = await startPair(side, 3600);
  await side.call('StopExecution', { executionArn: parent });
  await side.ended(child);
  const described = await side.call('DescribeExecution', { executionArn: child });
  expect(described.status).toBe('ABORTED');
});
