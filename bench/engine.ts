/** Durable steps through the whole engine: every task is a commit before and a commit after. */
import type { Handler } from '../src/handlers/handler.js';
import type { ExecutionArn } from '../src/lib/brand.js';
import type { Json, JsonObject } from '../src/lib/json.js';
import { createEngine } from '../src/runtime/engine.js';
import type { Engine } from '../src/runtime/face.js';
import { revisionOf } from '../src/runtime/machines.js';
import type { Store } from '../src/store/store.js';
import { PAYLOAD } from './machines.js';

const STEPS = 10;

const CHAIN_OF_TASKS: JsonObject = {
  StartAt: 'T0',
  States: Object.fromEntries(
    Array.from({ length: STEPS }, (_, index) => [
      `T${index}`,
      {
        Type: 'Task',
        Resource: 'bench:step',
        ...(index < STEPS - 1 ? { Next: `T${index + 1}` } : { End: true }),
      },
    ]),
  ),
};

const handler: Handler = {
  resource: 'bench:step',
  description: 'Returns what it is given.',
  parameters: {},
  onWorkerLost: 'rerun',
  run: async (parameters: Json) => ({ ...(parameters as JsonObject), step: true }),
};

const silent = (): void => undefined;
const log = { debug: silent, info: silent, warn: silent, error: console.error };

export interface EngineFigures {
  readonly stepsPerS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export async function measureEngine(
  store: Store,
  options: { readonly chains: number; readonly clients: number },
): Promise<EngineFigures> {
  const engine = await createEngine({
    store,
    resources: { resolve: () => ({ handler }), explainUnknown: () => 'unknown' },
    services: { scratchRoot: '/nonexistent', log } as never,
    log,
  });
  await work(engine, 'warm', { chains: Math.ceil(options.chains / 5), clients: options.clients });
  const figures = await work(engine, 'run', options);
  await engine.close();
  return figures;
}

async function work(
  engine: Engine,
  prefix: string,
  { chains, clients }: { readonly chains: number; readonly clients: number },
): Promise<EngineFigures> {
  const latencies: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (next < chains) {
        const name = `${prefix}-${next++}`;
        const begun = performance.now();
        await runChain(engine, name);
        latencies.push(performance.now() - begun);
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { stepsPerS: (chains * STEPS) / seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

const REVISION = revisionOf(JSON.stringify(CHAIN_OF_TASKS), 'STANDARD');

async function runChain(engine: Engine, name: string): Promise<void> {
  const arn = `arn:aws:states:us-east-1:123456789012:execution:Bench:${name}` as ExecutionArn;
  await engine.start({
    identity: {
      arn,
      name,
      stateMachineArn: 'arn:aws:states:us-east-1:123456789012:stateMachine:Bench',
      stateMachineName: 'Bench',
      stateMachineVersionArn: null,
      stateMachineAliasArn: null,
      mapRunArn: null,
      roleArn: 'arn:aws:iam::123456789012:role/bench',
      type: 'STANDARD',
    },
    revision: REVISION,
    input: PAYLOAD,
    traceHeader: null,
  });
  const state = await engine.ended(arn);
  if (state.status !== 'SUCCEEDED') throw new Error(`${name} ended as ${state.status}.`);
}
