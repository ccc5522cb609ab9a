/**
 * npm run bench: the same work on our interpreter, on its peers and on what no interpreter can
 * avoid, interleaved in one process; medians of several rounds. Then the engine over its stores.
 */
import './with-resolvers.js';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StateMachine } from 'aws-local-stepfunctions';
import { createActor, createMachine } from 'xstate';
import type { JsonObject } from '../src/lib/json.js';
import { MemoryStore } from '../src/store/memory.js';
import { SqliteStore } from '../src/store/sqlite.js';
import { projectHistory } from '../src/wire/history.js';
import { measureApi } from './api.js';
import { printBars } from './bars.js';
import { measureDistributedMap } from './distributed-map.js';
import { measureEngine } from './engine.js';
import { prepare } from './interpreter.js';
import { measureJsonata } from './jsonata.js';
import { median } from './median.js';
import { measureEmbeddings } from './ml-embeddings.js';
import { measureStrategies } from './ml-strategies.js';
import { measureTraining } from './ml-training.js';
import { measureRedisCommits, measureRestart, measureWaiting, measureWorkers } from './workers.js';
import { CHAIN, PAYLOAD, WORKS, type Work } from './machines.js';
import { measureRestate } from './restate.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);
/** How long one system works on one piece of work in one round. */
const ROUND_MS = Number(process.env.BENCH_MS ?? 250);

interface Contender {
  readonly name: string;
  run(): unknown;
}

/** Median transitions per second of each contender; they take turns, so noise hits all alike. */
async function race(
  contenders: readonly Contender[],
  transitions: number,
): Promise<ReadonlyMap<string, number>> {
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = -1; round < ROUNDS; round++) {
    for (const contender of contenders) {
      const rate = await timed(contender, transitions);
      // The first round warms up.
      if (round >= 0) rates.get(contender.name)?.push(rate);
    }
  }
  return new Map([...rates].map(([name, values]) => [name, median(values)]));
}

async function timed(contender: Contender, transitions: number): Promise<number> {
  const startedAt = performance.now();
  let runs = 0;
  let elapsed = 0;
  while (elapsed < ROUND_MS) {
    const result = contender.run();
    if (result instanceof Promise) await result;
    runs++;
    elapsed = performance.now() - startedAt;
  }
  return (transitions * runs * 1000) / elapsed;
}

function contendersFor(work: Work): Contender[] {
  const run = prepare(work.definition);
  const peer = new StateMachine(
    work.definition as never,
    {
      validationOptions: { checkPaths: false, checkArn: false },
    } as never,
  );
  return [
    { name: 'stepwell', run: () => run(work.input) },
    {
      name: 'stepwell, and its AWS events written',
      run: () => projectHistory(run(work.input).journal.flat()),
    },
    { name: 'aws-local-stepfunctions', run: () => peer.run(work.input as never).result },
  ];
}

function xstate(): Contender {
  const states: Record<string, object> = {};
  for (let index = 0; index < CHAIN; index++) {
    states[`S${index}`] = index < CHAIN - 1 ? { on: { NEXT: `S${index + 1}` } } : { type: 'final' };
  }
  const machine = createMachine({ initial: 'S0', context: PAYLOAD, states } as never);
  return {
    name: 'xstate (no data flow, no history)',
    run: () => {
      const actor = createActor(machine);
      actor.start();
      for (let index = 0; index < CHAIN - 1; index++) actor.send({ type: 'NEXT' } as never);
    },
  };
}

/** One JSON.stringify of the payload for each of the two events of a state. */
function floor(): Contender {
  return {
    name: 'JSON.stringify, 2 a state',
    run: () => {
      let length = 0;
      for (let index = 0; index < 2 * CHAIN; index++) length += JSON.stringify(PAYLOAD).length;
      return length;
    },
  };
}

function line(name: string, rate: number, ours: number): void {
  const ratio = rate === ours ? '' : `  stepwell is ${(ours / rate).toFixed(2)} times as fast`;
  console.log(
    `  ${name.padEnd(38)} ${Math.round(rate).toLocaleString('en').padStart(12)}/s${ratio}`,
  );
}

async function interpreters(): Promise<JsonObject> {
  const results: Record<string, JsonObject> = {};
  for (const work of WORKS) {
    const extra = work.name === '100 Pass' ? [xstate(), floor()] : [];
    const rates = await race([...contendersFor(work), ...extra], work.transitions);
    const ours = rates.get('stepwell') ?? 0;
    console.log(`\n${work.name} (transitions per second, median of ${ROUNDS})`);
    for (const [name, rate] of rates) line(name, rate, ours);
    results[work.name] = Object.fromEntries([...rates].map(([n, rate]) => [n, Math.round(rate)]));
  }
  return results;
}

async function engines(): Promise<JsonObject> {
  console.log('\nThe engine: chains of 10 tasks that return 250 bytes (durable steps per second)');
  const folder = await mkdtemp(join(tmpdir(), 'stepwell-bench-'));
  const results: Record<string, number> = {};
  try {
    for (const clients of [64, 1]) {
      for (const kind of ['memory', 'sqlite'] as const) {
        const store =
          kind === 'memory' ? new MemoryStore() : SqliteStore.open(join(folder, `${clients}.db`));
        const { stepsPerS, p50Ms, p99Ms } = await measureEngine(store, {
          chains: clients === 1 ? 50 : kind === 'memory' ? 2000 : 1000,
          clients,
        });
        await store.close();
        const rate = Math.round(stepsPerS).toLocaleString('en').padStart(12);
        const latency = `p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms a chain`;
        console.log(`  ${`${kind}, ${clients} clients`.padEnd(38)} ${rate}/s  ${latency}`);
        results[`${kind} ${clients}`] = Math.round(stepsPerS);
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return results;
}

const only = process.argv[2];
const PARTS: Record<string, () => Promise<JsonObject>> = {
  interpreter: interpreters,
  engine: engines,
  jsonata: measureJsonata,
  api: measureApi,
  map: measureDistributedMap,
  training: measureTraining,
  embeddings: measureEmbeddings,
  redis: measureRedisCommits,
  workers: measureWorkers,
  restart: measureRestart,
};
/** Only when asked for: they take minutes, or install another system. */
const LONG: Record<string, () => Promise<JsonObject>> = {
  strategies: measureStrategies,
  restate: measureRestate,
  waiting: measureWaiting,
};
const results: Record<string, unknown> = { node: process.version };
const asked = only === undefined ? PARTS : { ...PARTS, ...LONG };
for (const [name, measure] of Object.entries(asked)) {
  if (only === undefined || only === name) results[name] = await measure();
}
printBars(results);
console.log(`\n${JSON.stringify(results)}`);
