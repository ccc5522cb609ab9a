/**
 * npm run bench -- restate: chains of 10 durable local tasks over HTTP, here and on Restate, taking turns
 * in one run: 64 clients for steps per second, one client for the time of a chain alone. Restate's
 * server and SDK are installed on demand below node_modules/.cache; they are no dependency of ours. Both
 * servers run in processes of their own, both answer when the chain is over, both are durable: Restate
 * with its defaults, Stepwell on SQLite with synchronous=FULL, and on Redis with appendfsync everysec.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '../src/lib/json.js';
import { redisBinary, startRedis } from '../test/services/support/redis.js';
import { PAYLOAD } from './machines.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CACHE = join(ROOT, 'node_modules', '.cache', 'restate');
const PACKAGES = ['@restatedev/restate-server@1.7.12', '@restatedev/restate-sdk@1.17.2'];
const STEPS = 10;
const CLIENTS = 64;
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const CHAINS = Number(process.env.BENCH_CHAINS ?? 1000);
const ALONE = 40;
const READY_MS = 60_000;
/** Linux: ticks a second in /proc. */
const CLOCK_TICKS = 100;

const SERVICE = `
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new Promise((a, b) => { resolve = a; reject = b; });
  return { promise, resolve, reject };
};
const restate = await import('@restatedev/restate-sdk');
const chain = restate.service({
  name: 'chain',
  handlers: {
    run: async (ctx, { steps, payload }) => {
      let value = payload;
      for (let i = 0; i < steps; i++) value = await ctx.run('s' + i, () => ({ ...value, i }));
      return value;
    },
  },
});
restate.serve({ services: [chain], port: Number(process.env.PORT) });
`;

const STEP = 'export const handler = (event) => ({ ...event, i: 1 });\n';

interface Contender {
  readonly name: string;
  /** Leaders of the process groups that do the work. */
  readonly groups: readonly number[];
  /** One chain, from the request to its result. */
  chain(agent: Agent): Promise<void>;
}

interface Figures {
  readonly stepsPerS: number[];
  readonly aloneMs: number[];
  /** Per second of processor time: what else the machine does changes it little. */
  readonly stepsPerCpuS: number[];
}

export async function measureRestate(): Promise<JsonObject> {
  const folder = await mkdtemp(join(tmpdir(), 'stepwell-bench-'));
  const stops: (() => Promise<void> | void)[] = [
    () => rm(folder, { recursive: true, force: true }),
  ];
  try {
    const contenders: Contender[] = [
      await startOurs(folder, 'sqlite', `sqlite:${folder}/b.db`, stops),
    ];
    const redis = redisBinary();
    if (redis === null) console.log('Redis is not installed here: that part is SKIPPED.');
    else {
      const settings = { appendonly: 'yes', appendfsync: 'everysec', save: '' };
      const server = await startRedis(redis, settings);
      stops.push(() => server.stop());
      contenders.push(await startOurs(folder, 'redis', server.url, stops));
    }
    contenders.push(await startRestate(folder, stops));
    return report(await takeTurns(contenders));
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** Each contender in every round, so that noise hits all alike. The first round warms up. */
async function takeTurns(contenders: readonly Contender[]): Promise<ReadonlyMap<string, Figures>> {
  const figures = new Map<string, Figures>(
    contenders.map(({ name }) => [name, { stepsPerS: [], aloneMs: [], stepsPerCpuS: [] }]),
  );
  for (let round = -1; round < ROUNDS; round++) {
    for (const contender of contenders) {
      const before = cpuSeconds(contender.groups);
      const seconds = await load(contender, CHAINS, CLIENTS);
      const cpu = cpuSeconds(contender.groups) - before;
      const alone = (await load(contender, ALONE, 1)) / ALONE;
      if (round < 0) continue;
      figures.get(contender.name)?.stepsPerS.push((CHAINS * STEPS) / seconds);
      figures.get(contender.name)?.stepsPerCpuS.push((CHAINS * STEPS) / cpu);
      figures.get(contender.name)?.aloneMs.push(alone * 1000);
    }
  }
  return figures;
}

/** User and system time of all processes of the groups (Linux; elsewhere NaN). */
function cpuSeconds(groups: readonly number[]): number {
  let ticks = 0;
  if (!existsSync('/proc/self/stat')) return Number.NaN;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    } catch {
      continue;
    }
    // After the name in parentheses: state, parent, group, …, utime (11), stime (12).
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    if (groups.includes(Number(fields[2]))) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / CLOCK_TICKS;
}

async function load(contender: Contender, chains: number, clients: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  let left = chains;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (left-- > 0) await contender.chain(agent);
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  agent.destroy();
  return seconds;
}

function report(figures: ReadonlyMap<string, Figures>): JsonObject {
  const restate = figures.get('restate') as Figures;
  const results: Record<string, JsonObject> = {};
  console.log(`\nChains of ${STEPS} durable tasks over HTTP (medians of ${ROUNDS} rounds)`);
  for (const [name, { stepsPerS, aloneMs, stepsPerCpuS }] of figures) {
    const faster = median(
      stepsPerS.map((rate, at) => rate / (restate.stepsPerS[at] ?? Number.NaN)),
    );
    const time = median(aloneMs.map((ms, at) => ms / (restate.aloneMs[at] ?? Number.NaN)));
    const perCpu = median(
      stepsPerCpuS.map((value, at) => value / (restate.stepsPerCpuS[at] ?? Number.NaN)),
    );
    const rate = Math.round(median(stepsPerS)).toLocaleString('en').padStart(8);
    const alone = median(aloneMs).toFixed(1).padStart(6);
    const ratio =
      name === 'restate'
        ? ''
        : `  ${faster.toFixed(1)} times, alone ${time.toFixed(2)}, per processor second ${perCpu.toFixed(1)}`;
    console.log(
      `  ${name.padEnd(10)} ${rate} steps/s, ${CLIENTS} clients  ${alone} ms alone${ratio}`,
    );
    results[name] = {
      stepsPerS: median(stepsPerS),
      aloneMs: median(aloneMs),
      faster,
      time,
      perCpu,
    };
  }
  return results;
}

async function startOurs(
  folder: string,
  name: string,
  store: string,
  stops: (() => Promise<void> | void)[],
): Promise<Contender> {
  const main = join(ROOT, 'dist', 'cli', 'main.js');
  if (!existsSync(main))
    throw new Error('Run `npm run build` first: the bench starts dist/cli/main.js.');
  writeFileSync(join(folder, 'step.mjs'), STEP);
  const config = { functions: { step: './step.mjs#handler' } };
  writeFileSync(join(folder, 'stepwell.config.json'), JSON.stringify(config));
  const port = await freePort();
  const args = [main, 'serve', '--port', String(port), '--store', store];
  const server = start(process.execPath, args, folder, {});
  stops.push(() => kill(server));
  await ready(port, '/readyz', server);
  const url = { port, path: '/' };
  const states = Object.fromEntries(
    Array.from({ length: STEPS }, (_, index) => [
      `T${index}`,
      {
        Type: 'Task',
        Resource: 'step',
        ...(index < STEPS - 1 ? { Next: `T${index + 1}` } : { End: true }),
      },
    ]),
  );
  const created = await post(new Agent(), url, aws('CreateStateMachine'), {
    name: 'Chain',
    type: 'EXPRESS',
    definition: JSON.stringify({ StartAt: 'T0', States: states }),
    roleArn: 'arn:aws:iam::123456789012:role/bench',
  });
  const stateMachineArn = String(created.stateMachineArn);
  const headers = aws('StartSyncExecution');
  return {
    name,
    groups: [server.pid ?? 0],
    chain: async (agent) => {
      const input = JSON.stringify(PAYLOAD);
      const result = await post(agent, url, headers, { stateMachineArn, input });
      if (result.status !== 'SUCCEEDED') throw new Error(`A chain ended as ${result.status}.`);
    },
  };
}

function aws(operation: string): Record<string, string> {
  return {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `AWSStepFunctions.${operation}`,
  };
}

async function startRestate(
  folder: string,
  stops: (() => Promise<void> | void)[],
): Promise<Contender> {
  install();
  const [ingress, admin, node, port] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  writeFileSync(join(CACHE, 'service.mjs'), SERVICE);
  const service = start(process.execPath, ['service.mjs'], CACHE, { PORT: String(port) });
  stops.push(() => kill(service));
  const binary = join(CACHE, 'node_modules', '@restatedev', 'restate-server', 'lib', 'index.js');
  const server = start(process.execPath, [binary, '--base-dir', join(folder, 'restate')], folder, {
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
    RESTATE_DISABLE_TELEMETRY: 'true',
  });
  stops.push(() => kill(server));
  await ready(admin, '/health', server);
  await ready(ingress, '/restate/health', server);
  const json = { 'content-type': 'application/json' };
  const uri = `http://127.0.0.1:${port}`;
  await post(new Agent(), { port: admin, path: '/deployments' }, json, { uri, force: true });
  const url = { port: ingress, path: '/chain/run' };
  return {
    name: 'restate',
    groups: [server.pid ?? 0, service.pid ?? 0],
    chain: async (agent) => {
      await post(agent, url, json, { steps: STEPS, payload: PAYLOAD });
    },
  };
}

function install(): void {
  if (existsSync(join(CACHE, 'node_modules', '@restatedev', 'restate-server', 'lib'))) return;
  console.log('Installing Restate below node_modules/.cache …');
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(join(CACHE, 'package.json'), '{"type":"module","private":true}');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-save', ...PACKAGES], {
    cwd: CACHE,
    stdio: 'inherit',
  });
}

function start(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string>,
): ChildProcess {
  mkdirSync(dirname(join(cwd, 'x')), { recursive: true });
  return spawn(program, args, {
    cwd,
    detached: true,
    stdio: ['ignore', 'ignore', process.env.BENCH_VERBOSE ? 'inherit' : 'ignore'],
    env: { PATH: process.env.PATH, HOME: cwd, ...env },
  });
}

/** With what it has started: Restate's package starts the server as a child. */
async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-child.pid, 'SIGKILL');
  await gone;
}

async function ready(port: number, path: string, server: ChildProcess): Promise<void> {
  const end = performance.now() + READY_MS;
  for (;;) {
    if (server.exitCode !== null) throw new Error(`A server ended with ${server.exitCode}.`);
    const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => null);
    await answer?.text();
    if (answer?.ok) return;
    if (performance.now() > end) throw new Error(`Nothing answers at port ${port}${path}.`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function post(
  agent: Agent,
  url: { readonly port: number; readonly path: string },
  headers: Readonly<Record<string, string>>,
  body: JsonObject,
): Promise<JsonObject> {
  return new Promise((resolve, reject) => {
    const options = { agent, host: '127.0.0.1', method: 'POST', ...url, headers };
    const sent = request(options, (reply) => {
      let text = '';
      reply.setEncoding('utf8');
      reply.on('data', (chunk: string) => {
        text += chunk;
      });
      reply.once('end', () => {
        if ((reply.statusCode ?? 500) < 300) resolve(JSON.parse(text) as JsonObject);
        else reject(new Error(`Status ${reply.statusCode}: ${text}`));
      });
    });
    sent.once('error', reject);
    sent.end(JSON.stringify(body));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
