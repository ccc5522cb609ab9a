/**
 * A process of the benchmarks on Redis: an engine with peers, told what to do by its arguments and
 * answering in JSON lines. `tsx bench/worker-process.ts URL MODE [N]`.
 */
import { Readable } from 'node:stream';
import type { Handler } from '../src/handlers/handler.js';
import type { ExecutionArn } from '../src/lib/brand.js';
import type { Json, JsonObject } from '../src/lib/json.js';
import { createEngine } from '../src/runtime/engine.js';
import type { Engine } from '../src/runtime/face.js';
import { revisionOf } from '../src/runtime/machines.js';
import { RedisStore } from '../src/store/redis.js';
import { RedisPeers } from '../src/workers/open-peers.js';
import { PAYLOAD } from './machines.js';

const [url = '', mode = '', count = '0'] = process.argv.slice(2);
const N = Number(count);
const openedAt = Date.now();

const say = (fields: JsonObject): void => {
  process.stdout.write(`${JSON.stringify(fields)}\n`);
};

const silent = (): void => undefined;
const log = {
  debug: silent,
  info: silent,
  warn: silent,
  error: (message: string, fields?: JsonObject) => console.error(message, fields),
};

let calls = 0;
const step: Handler = {
  resource: 'bench:step',
  description: 'Returns what it is given.',
  parameters: {},
  onWorkerLost: 'rerun',
  run: async (parameters: Json) => {
    calls++;
    if (mode === 'hold') await new Promise(() => undefined);
    if (mode === 'resume' && (calls === 1 || calls === N)) {
      say({ resumed: calls, ms: Date.now() - openedAt });
    }
    return parameters;
  },
};

const STEPS = 10;
const CHAIN: JsonObject = {
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
const WAIT: JsonObject = {
  StartAt: 'W',
  States: { W: { Type: 'Wait', TimestampPath: '$.until', End: true } },
};

function request(definition: JsonObject, name: string, input: Json) {
  return {
    identity: {
      arn: `arn:aws:states:us-east-1:123456789012:execution:Bench:${name}`,
      name,
      stateMachineArn: 'arn:aws:states:us-east-1:123456789012:stateMachine:Bench',
      stateMachineName: 'Bench',
      stateMachineVersionArn: null,
      stateMachineAliasArn: null,
      mapRunArn: null,
      roleArn: 'arn:aws:iam::123456789012:role/bench',
      type: 'STANDARD' as const,
    },
    revision: revisionOf(JSON.stringify(definition), 'STANDARD'),
    input,
    traceHeader: null,
  };
}

/** Starts `n` executions, so many at a time. */
async function startAll(
  engine: Engine,
  n: number,
  atOnce: number,
  make: (index: number) => ReturnType<typeof request>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < n) await engine.start(make(next++));
    }),
  );
}

/** Chains for the workers: this process only starts them. */
async function feed(engine: Engine): Promise<void> {
  const clients = 64;
  let next = 0;
  const startedAt = performance.now();
  const prefix = `${process.pid}`;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (next < N) {
        const made = request(CHAIN, `${prefix}-${next++}`, PAYLOAD);
        await engine.start(made);
        await engine.ended(made.identity.arn as ExecutionArn);
      }
    }),
  );
  say({ stepsPerS: (N * STEPS * 1000) / (performance.now() - startedAt) });
}

const PER_SECOND = 2_000;

async function wait(engine: Engine): Promise<void> {
  const late: number[] = [];
  const dueAt = new Map<string, number>();
  engine.subscribe(null, (arn, facts) => {
    for (const fact of facts) {
      if (fact.type === 'ExecutionEnded') late.push(fact.at - (dueAt.get(arn) ?? 0));
    }
  });
  // All are waiting before the first is due.
  const first = Date.now() + N / 1.2 + 5_000;
  await startAll(engine, N, 200, (index) => {
    const due = Math.ceil(first + (index * 1000) / PER_SECOND);
    const made = request(WAIT, `w-${index}`, { until: new Date(due).toISOString() });
    dueAt.set(made.identity.arn, due);
    return made;
  });
  say({ started: N, leftMs: first - Date.now() });
  await sleep(Math.max(0, first - Date.now() - 1_000));
  say({ rssMb: Math.round(process.memoryUsage().rss / 1e6) });
  while (late.length < N) await sleep(100);
  late.sort((a, b) => a - b);
  say({
    early: late.filter((ms) => ms < 0).length,
    p50: at(late, 0.5),
    p99: at(late, 0.99),
    max: at(late, 1),
  });
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const store = await RedisStore.open(url);
const peers = new RedisPeers({
  url,
  store,
  log,
  globs: [],
  concurrency: mode === 'feed' ? 0 : mode === 'work' ? 200 : 20_000,
  role: 'bench',
  drives: mode !== 'feed',
});
const engine = await createEngine({
  store,
  resources: { resolve: () => ({ handler: step }), explainUnknown: () => 'unknown' },
  services: { scratchRoot: '/nonexistent', log } as never,
  log,
  peers,
});
say({ ready: process.pid });
if (mode === 'feed') await feed(engine);
if (mode === 'wait') await wait(engine);
if (mode === 'hold') {
  await startAll(engine, N, 100, (index) => request(CHAIN, `h-${index}`, PAYLOAD));
  say({ started: N });
}
if (mode === 'feed' || mode === 'wait') {
  await engine.close();
  await store.close();
} else {
  // Until it is killed, or whoever started it is gone.
  Readable.from(process.stdin).on('end', () => process.exit());
}
