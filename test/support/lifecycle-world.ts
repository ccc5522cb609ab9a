/**
 * The production handlers, endpoints in real child processes and the production engine over a memory
 * store, in virtual or in real time. Virtual time stands still while a handler works; before each
 * instant the test may do something, such as sending requests to the live endpoint.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { coreDefinitions } from '../../src/api/core-definitions.js';
import { createContext } from '../../src/api/server.js';
import { executionService, publishMachine } from '../../src/cli/executions.js';
import { createMlHandlers } from '../../src/cli/ml-handlers.js';
import { modelLocator } from '../../src/cli/serving-handlers.js';
import { createArtifactStore } from '../../src/handlers/artifacts.js';
import { parseConfig } from '../../src/handlers/config/load.js';
import { createExecutionHandler } from '../../src/handlers/execution.js';
import { createExecutionServiceSlot } from '../../src/handlers/execution-service.js';
import { filesOf } from '../../src/handlers/files.js';
import type { Handler } from '../../src/handlers/handler.js';
import { createRegistry } from '../../src/handlers/registry.js';
import { createSnsHandler } from '../../src/handlers/sns.js';
import type { EpochMs, ExecutionArn } from '../../src/lib/brand.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { openRegistry, type Registry } from '../../src/ml/registry/index.js';
import type { Clock } from '../../src/runtime/clock.js';
import { realClock } from '../../src/runtime/clock.js';
import { createEngine } from '../../src/runtime/engine.js';
import type { Engine } from '../../src/runtime/face.js';
import { createInspector } from '../../src/runtime/test-state/inspector.js';
import {
  type Endpoints,
  endpointsFolder,
  openEndpoints,
  type Serving,
  startServing,
} from '../../src/serving/index.js';
import { VirtualClock } from '../../src/simulate/virtual-clock.js';
import { MemoryStore } from '../../src/store/memory.js';
import { silentLog } from './scripted-handlers.js';

/** Nothing has happened for this long: virtual time may move on. */
const QUIET_MS = 25;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ACCOUNT = 'us-east-1:123456789012';

export interface LifecycleWorld {
  readonly home: string;
  readonly registry: Registry;
  readonly endpoints: Endpoints;
  readonly engine: Engine;
  readonly serving: Serving;
  readonly alerts: JsonObject[];
  now(): number;
  /** Starts the shipped machine; resolves to its output, or rejects with error and cause. */
  run(machine: string, input: Json, name?: string): Promise<JsonObject>;
  /** Names of the states that an execution entered, in order. */
  states(machine: string, name?: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface LifecycleOptions {
  readonly virtual: boolean;
  readonly loader?: string;
  /** Before virtual time moves on; `false` is not meant to be returned. */
  readonly onInstant?: (world: LifecycleWorld) => Promise<void>;
}

export async function openLifecycle(options: LifecycleOptions): Promise<LifecycleWorld> {
  const base = await mkdtemp(join(tmpdir(), 'lifecycle-'));
  const home = join(base, '.stepwell');
  const clock = options.virtual ? new VirtualClock() : null;
  const time: Clock = clock ?? realClock;
  const now = (): number => time.now();
  const config = parseConfig(
    {
      files: { roots: ['.', ROOT] },
      topics: { 'ml-alerts': { subscriptions: [{ protocol: 'file', path: './alerts.jsonl' }] } },
    },
    { path: join(base, 'stepwell.config.json'), base },
  );
  const artifacts = createArtifactStore(join(home, 'artifacts'));
  const services = {
    artifacts,
    files: filesOf(config),
    fetch: () => Promise.reject(new Error('no network here')),
    secret: () => '',
    scratchRoot: join(home, 'scratch'),
    log: silentLog,
  };
  const loader = options.loader === undefined ? {} : { loader: options.loader };
  const endpoints = openEndpoints(endpointsFolder(home), now);
  const serving = await startServing({
    home,
    endpoints,
    now,
    locate: modelLocator(artifacts),
    watchEveryMs: 20,
    flushEveryMs: 20,
    ...loader,
  });
  const executions = createExecutionServiceSlot();
  const ml = createMlHandlers({
    config,
    home,
    secret: () => '',
    artifacts,
    log: silentLog,
    executions: executions.service,
    now,
    ...loader,
  });
  let stirredAt = performance.now();
  const stirred = (): void => {
    stirredAt = performance.now();
  };
  const held = (handler: Handler): Handler => ({
    ...handler,
    run: async (parameters, context) => {
      const release = clock?.hold() ?? (() => undefined);
      try {
        return await handler.run(parameters, context);
      } finally {
        release();
        stirred();
      }
    },
  });
  const flushed = (handler: Handler): Handler => ({
    ...handler,
    run: async (parameters, context) => {
      await serving.reload();
      await serving.flush();
      return handler.run(parameters, context);
    },
  });
  const registry = createRegistry({
    config,
    handlers: [
      ...[createSnsHandler({ config }), ...ml.handlers].map((handler) => held(flushed(handler))),
      createExecutionHandler(executions.service),
    ],
  });
  const store = new MemoryStore();
  const engine = await createEngine({
    store,
    resources: registry,
    services,
    log: silentLog,
    clock: time,
  });
  engine.subscribe(null, stirred);
  const service = executionService(
    createContext({
      engine,
      store,
      definitions: coreDefinitions(false),
      inspect: createInspector(registry, services),
      now: () => time.now() as EpochMs,
    }),
  );
  executions.fill(service);
  const alerts: JsonObject[] = [];
  const world: LifecycleWorld = {
    home,
    registry: openRegistry({ folder: join(home, 'registry'), now }),
    endpoints,
    engine,
    serving,
    alerts,
    now,
    run: async (machine, input, name = 'run') => {
      const started = await startMachine(machine, input, name);
      const ended = engine.ended(started as ExecutionArn);
      const state = await pass(ended);
      const lines = await readFile(join(base, 'alerts.jsonl'), 'utf8').catch(() => '');
      alerts.splice(
        0,
        alerts.length,
        ...lines
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line) as JsonObject),
      );
      const { outcome } = state;
      if (outcome?.ok !== true) throw new Error(JSON.stringify(outcome?.failure));
      return outcome.output as JsonObject;
    },
    states: async (machine, name = 'run') => {
      const arn = `arn:aws:states:${ACCOUNT}:execution:${machine}:${name}` as ExecutionArn;
      const history = (await engine.history(arn)) ?? [];
      return history.flatMap((event) => {
        const details = event.details?.value as { name?: string } | undefined;
        return event.type.endsWith('StateEntered') ? [details?.name ?? ''] : [];
      });
    },
    close: async () => {
      await engine.close();
      await ml.close();
      await serving.close();
      await rm(base, { recursive: true, force: true, maxRetries: 5 });
    },
  };

  async function startMachine(machine: string, input: Json, name: string): Promise<string> {
    const text = await readFile(join(ROOT, 'state-machines', `${machine}.asl.json`), 'utf8');
    for (const [, other = ''] of text.matchAll(/stateMachine:([A-Za-z0-9_-]+)/g)) {
      const nested = await readFile(join(ROOT, 'state-machines', `${other}.asl.json`), 'utf8');
      await publishMachine(service, { name: other, text: nested });
    }
    await publishMachine(service, { name: machine, text });
    const { executionArn } = await service.call(
      'StartExecution',
      {
        stateMachineArn: `arn:aws:states:${ACCOUNT}:stateMachine:${machine}`,
        name,
        input: JSON.stringify(input),
      },
      AbortSignal.timeout(10_000),
    );
    return executionArn as string;
  }

  /** Lets time pass until the work is done; in virtual time, instant by instant. */
  async function pass<T>(work: Promise<T>): Promise<T> {
    if (clock === null) return work;
    let done = false;
    const settle = (): void => {
      done = true;
    };
    work.then(settle, settle);
    for (let step = 0; step < 20_000 && !done; step++) {
      do {
        // What the engine does between a handler and the next timer may need the file system.
        await new Promise((resolve) => setTimeout(resolve, 5));
        await clock.settle();
      } while (!done && performance.now() - stirredAt < QUIET_MS);
      if (done) break;
      await options.onInstant?.(world);
      await clock.settle();
      if (!done && !clock.advance()) throw new Error('Nothing is left that could wake the run.');
    }
    return work;
  }

  return world;
}
