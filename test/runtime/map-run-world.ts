/** An engine over a memory store for tests of Map Runs: functions by name, and a machine to start. */
import type { Resources } from '../../src/runtime/dispatcher.js';
import { createEngine } from '../../src/runtime/engine.js';
import type { EngineOptions } from '../../src/runtime/engine-options.js';
import type { Engine, Started } from '../../src/runtime/face.js';
import { revisionOf } from '../../src/runtime/machines.js';
import type { HandlerContext } from '../../src/handlers/handler.js';
import { TaskFailure } from '../../src/handlers/handler.js';
import type { ExecutionState } from '../../src/core/state.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';

export type Functions = Record<
  string,
  (input: Json, context: HandlerContext) => Promise<Json> | Json
>;

export const SCOPE = 'arn:aws:states:us-east-1:123456789012';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface World {
  readonly engine: Engine;
  readonly store: Store;
  readonly errors: string[];
  /** Starts `definition` as machine `m` and answers with its ARN. */
  start(definition: JsonObject, input: Json, name?: string): Promise<ExecutionArn>;
  run(definition: JsonObject, input: Json): Promise<ExecutionState>;
  /** `Type <- previous` of every event. */
  events(arn: string): Promise<string[]>;
}

export interface WorldOptions extends Partial<EngineOptions> {
  readonly functions?: Functions;
}

let names = 0;

export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const { functions = {}, store = new MemoryStore(), ...rest } = options;
  const errors: string[] = [];
  const engine = await createEngine({
    store,
    resources: resourcesOf(functions),
    services: { scratchRoot: '/tmp', log, secret: () => '' } as never,
    log: {
      ...log,
      error: (message, fields) => errors.push(`${message} ${JSON.stringify(fields)}`),
    },
    ...rest,
  });
  const start = async (definition: JsonObject, input: Json, name = `e${names++}`) => {
    const arn = `${SCOPE}:execution:m:${name}` as ExecutionArn;
    const started: Started = await engine.start({
      identity: {
        arn,
        name,
        stateMachineArn: `${SCOPE}:stateMachine:m`,
        stateMachineName: 'm',
        stateMachineVersionArn: null,
        stateMachineAliasArn: null,
        mapRunArn: null,
        roleArn: 'role',
        type: 'STANDARD',
      },
      revision: revisionOf(JSON.stringify(definition), 'STANDARD'),
      input,
      traceHeader: null,
    });
    if (started.is !== 'started') throw new Error(`${arn} exists already.`);
    return arn;
  };
  return {
    engine,
    store,
    errors,
    start,
    run: async (definition, input) => engine.ended(await start(definition, input)),
    events: async (arn) => {
      const events = (await engine.history(arn as ExecutionArn)) ?? [];
      return events.map(({ type, previousEventId }) => `${type} <- ${previousEventId}`);
    },
  };
}

function resourcesOf(functions: Functions): Resources {
  return {
    resolve: (resource) => {
      const run = functions[resource];
      if (run === undefined) return null;
      return {
        handler: {
          resource,
          description: '',
          parameters: {},
          onWorkerLost: 'rerun',
          run: async (input, context) => run(input, context),
        },
      };
    },
    explainUnknown: (resource) => `There is no handler for ${resource}.`,
  };
}

export function fail(error: string, cause = ''): never {
  throw new TaskFailure(error, cause);
}

/** A machine with one distributed Map. */
export function mapMachine(fields: JsonObject, states: JsonObject, type = 'STANDARD'): JsonObject {
  return {
    StartAt: 'MapState',
    States: {
      MapState: {
        Type: 'Map',
        ItemProcessor: {
          ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: type },
          StartAt: Object.keys(states)[0] as string,
          States: states,
        },
        End: true,
        ...fields,
      },
    },
  };
}

export const PASS: JsonObject = { Item: { Type: 'Pass', End: true } };

export function task(resource: string): JsonObject {
  return { Item: { Type: 'Task', Resource: resource, End: true } };
}

export async function until(isTrue: () => boolean | Promise<boolean>, ms = 5_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error('Waited in vain.');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
