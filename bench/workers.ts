/**
 * Many processes on one Redis: commits beside bare XADD, two workers beside one, many executions that
 * only wait, and a restart with many that run. Needs redis-server; each process is one of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Json, JsonObject } from '../src/lib/json.js';
import { median } from './median.js';
import { redisBinary, startRedis } from '../test/services/support/redis.js';
import { measureThroughput } from '../test/services/support/redis-throughput.js';

const EVERYSEC = {
  appendonly: 'yes',
  appendfsync: 'everysec',
  save: '',
  'auto-aof-rewrite-percentage': '0',
};

function binary(): string {
  const found = redisBinary();
  if (found === null) throw new Error('redis-server is not installed here.');
  return found;
}

class Process {
  private readonly child: ChildProcess;
  private readonly said: JsonObject[] = [];
  private heard: () => void = () => undefined;
  private ended = false;

  constructor(url: string, mode: string, count = 0) {
    const args = ['--import', 'tsx', 'bench/worker-process.ts', url, mode, String(count)];
    this.child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: this.child.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => {
      this.said.push(JSON.parse(line) as JsonObject);
      this.heard();
    });
    this.child.once('exit', () => {
      this.ended = true;
      this.heard();
    });
  }

  /** The first answer with this field. */
  async answer(
    field: string,
    where: (said: JsonObject) => boolean = () => true,
  ): Promise<JsonObject> {
    for (;;) {
      const found = this.said.find((said) => Object.hasOwn(said, field) && where(said));
      if (found !== undefined) return found;
      if (this.ended) throw new Error(`A process ended without saying ${field}.`);
      await new Promise<void>((resolve) => {
        this.heard = resolve;
      });
    }
  }

  async kill(): Promise<void> {
    if (this.ended) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await exited;
  }
}

export async function measureRedisCommits(): Promise<JsonObject> {
  console.log('\nCommits on Redis beside bare XADD of the same bytes, 64 writers');
  const results: Record<string, Json> = {};
  for (const appendfsync of ['everysec', 'always']) {
    const server = await startRedis(binary(), { ...EVERYSEC, appendfsync });
    const found = await measureThroughput(server.url, 5);
    await server.stop();
    const commits = Math.round(found.commitsPerSecond).toLocaleString('en');
    const xadds = Math.round(found.xaddsPerSecond).toLocaleString('en');
    const share = (100 * found.ratio).toFixed(0);
    const [commit, xadd] = [found.commitMicros, found.xaddMicros].map(
      ({ server, client }) => `${server.toFixed(0)} + ${client.toFixed(0)} us`,
    );
    console.log(
      `  ${appendfsync.padEnd(10)} ${commits} commits/s, ${xadds} XADD/s: ${share} %; ` +
        `processor time of server and client: ${commit} and ${xadd}`,
    );
    results[appendfsync] = Number(found.ratio.toFixed(3));
  }
  return results;
}

/** Chains of 10 tasks, started by a process that runs no task itself. */
export async function measureWorkers(): Promise<JsonObject> {
  console.log('\nChains of 10 tasks on Redis (everysec): one worker, then two');
  // Fewer, and two cold workers that compile the same code are what is measured.
  const chains = Number(process.env.BENCH_CHAINS ?? 3_000);
  const rates = new Map<number, number[]>([
    [1, []],
    [2, []],
  ]);
  for (let round = 0; round < 3; round++) {
    for (const [workers, found] of rates) {
      const server = await startRedis(binary(), EVERYSEC);
      const working = Array.from({ length: workers }, () => new Process(server.url, 'work'));
      await Promise.all(working.map((worker) => worker.answer('ready')));
      const feeder = new Process(server.url, 'feed', chains);
      found.push((await feeder.answer('stepsPerS')).stepsPerS as number);
      await Promise.all([feeder, ...working].map((one) => one.kill()));
      await server.stop();
    }
  }
  const [one, two] = [...rates.values()].map(median) as [number, number];
  console.log(
    `  one worker ${Math.round(one)} steps/s, two ${Math.round(two)}: ${(two / one).toFixed(2)} times`,
  );
  return { one: Math.round(one), two: Math.round(two), ratio: Number((two / one).toFixed(2)) };
}

export async function measureWaiting(): Promise<JsonObject> {
  const count = Number(process.env.BENCH_WAITING ?? 100_000);
  console.log(
    `\n${count.toLocaleString('en')} executions that wait, due at 2,000 a second (Redis)`,
  );
  const server = await startRedis(binary(), EVERYSEC);
  const worker = new Process(server.url, 'wait', count);
  const { rssMb } = await worker.answer('rssMb');
  const late = await worker.answer('p99');
  console.log(
    `  RSS ${rssMb} MB while all wait; late p50 ${late.p50} ms, p99 ${late.p99} ms, none early: ${late.early === 0}`,
  );
  await worker.kill();
  await server.stop();
  return { rssMb: rssMb as number, ...late };
}

export async function measureRestart(): Promise<JsonObject> {
  const count = Number(process.env.BENCH_RUNNING ?? 10_000);
  console.log(
    `\nRestart after SIGKILL with ${count.toLocaleString('en')} running executions (Redis)`,
  );
  const server = await startRedis(binary(), EVERYSEC);
  const first = new Process(server.url, 'hold', count);
  await first.answer('started');
  await first.kill();
  const second = new Process(server.url, 'resume', count);
  const one = await second.answer('resumed', (said) => said.resumed === 1);
  const last = await second.answer('resumed', (said) => said.resumed === count);
  console.log(`  first resumed after ${one.ms} ms, the ${count}th after ${last.ms} ms`);
  await second.kill();
  await server.stop();
  return { firstMs: one.ms as number, lastMs: last.ms as number };
}
