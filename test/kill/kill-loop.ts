/**
 * Servers under work are killed with SIGKILL at random moments, again and again, and started at once
 * over the same store; the client goes on as if nothing had happened. At the end everything finishes,
 * and the store is held to the ledger outside. On Redis two servers share the store and are killed in
 * turn; Redis itself may be killed too (appendfsync always: nothing acknowledged may be lost).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../src/store/open.js';
import { redisBinary, startRedis } from '../services/support/redis.js';
import { BUILT } from '../support/command-line.js';
import { SeededRandom } from '../support/seeded-random.js';
import { KillClient, pause } from './client.js';
import { judge, type Verdict } from './verdict.js';
import { ledgerOf, MACHINE, prepare } from './workload.js';

export interface KillOptions {
  readonly store: 'sqlite' | 'redis';
  readonly kills: number;
  readonly seed: number;
  /** Of every so many kills one is of Redis itself; 0: none. */
  readonly redisEvery?: number;
  readonly onKill?: (kills: number) => void;
}

export interface KillReport extends Verdict {
  readonly kills: number;
  readonly redisKills: number;
  readonly requests: number;
  readonly seconds: number;
}

const LANES = 3;
const FINISH_MS = 180_000;
const READY_MS = 60_000;

export async function killLoop(options: KillOptions): Promise<KillReport> {
  const folder = mkdtempSync(join(tmpdir(), 'stepwell-kill-'));
  prepare(folder);
  const binary = options.store === 'redis' ? redisBinary() : null;
  const redis = binary === null ? null : await startRedis(binary);
  const spec = redis === null ? `sqlite:${join(folder, 'killed.db')}` : redis.url;
  const servers = new Servers(folder, spec, options.store === 'redis' ? 2 : 1);
  const startedAt = performance.now();
  try {
    await servers.startAll();
    const client = new KillClient(() => servers.somePort(), folder);
    await createMachine(client);
    const { kills, redisKills } = await work(options, client, servers, redis);
    await servers.stopAll();
    const store = await openStore(spec);
    const verdict = await judge(store, client, ledgerOf(folder));
    await store.close();
    const seconds = (performance.now() - startedAt) / 1000;
    return { ...verdict, kills, redisKills, requests: client.requests, seconds };
  } finally {
    await servers.stopAll();
    await redis?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function createMachine(client: KillClient): Promise<void> {
  await client.call('CreateStateMachine', {
    name: 'Killed',
    definition: JSON.stringify(MACHINE),
    roleArn: 'arn:aws:iam::123456789012:role/kill',
  });
}

async function work(
  options: KillOptions,
  client: KillClient,
  servers: Servers,
  redis: { kill(): Promise<void>; start(): Promise<void> } | null,
): Promise<{ kills: number; redisKills: number }> {
  const random = new SeededRandom(options.seed);
  let killing = true;
  let finishing = true;
  const lanes = Array.from({ length: LANES }, (_, lane) =>
    client.keepStarting(lane, () => !killing),
  );
  const answering = client.keepAnswering(() => !finishing);
  let kills = 0;
  let redisKills = 0;
  while (kills < options.kills) {
    await pause(random.between(20, 900));
    const every = options.redisEvery ?? 0;
    if (redis !== null && every > 0 && kills % every === every - 1) {
      await redis.kill();
      redisKills++;
      await pause(random.between(0, 400));
      await redis.start();
    }
    await servers.killOne(random);
    kills++;
    options.onKill?.(kills);
  }
  killing = false;
  await Promise.all(lanes);
  await untilQuiet(client);
  finishing = false;
  client.close();
  await answering;
  return { kills, redisKills };
}

/** Until every execution is over, or the time is: what is open then is stuck. */
async function untilQuiet(client: KillClient): Promise<void> {
  const open = new Set(client.started.values());
  const end = performance.now() + FINISH_MS;
  while (open.size > 0 && performance.now() < end) {
    for (const executionArn of [...open].slice(0, 50)) {
      const reply = await client.call('DescribeExecution', { executionArn });
      if (reply !== null && reply.status !== 'RUNNING') open.delete(executionArn);
    }
    await pause(200);
  }
}

class Servers {
  private readonly running: { child: ChildProcess; port: number; up: Promise<void> }[] = [];
  private turn = 0;
  private stopped = false;

  constructor(
    private readonly folder: string,
    private readonly spec: string,
    private readonly count: number,
  ) {}

  async startAll(): Promise<void> {
    for (let slot = 0; slot < this.count; slot++) this.running[slot] = this.start();
    await Promise.all(this.running.map(({ up }) => up));
  }

  somePort(): number {
    const server = this.running[this.turn++ % this.running.length];
    return server?.port ?? 1;
  }

  /** Kills one once it serves, and starts another in its place. */
  async killOne(random: SeededRandom): Promise<void> {
    const slot = random.between(0, this.count - 1);
    const server = this.running[slot];
    if (server === undefined) return;
    // Most kills hit a server at work, some one that is starting.
    if (random.chance(0.9)) {
      await server.up;
      await pause(random.between(0, 500));
    }
    await killed(server.child);
    this.running[slot] = this.start();
  }

  private start(): { child: ChildProcess; port: number; up: Promise<void> } {
    const args = [...BUILT, 'serve', '--port', '0', '--store', this.spec];
    const child = spawn(process.execPath, args, {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', process.env.KILL_VERBOSE ? 'inherit' : 'ignore'],
      env: { PATH: process.env.PATH, HOME: this.folder, NO_COLOR: '1' },
    });
    const server = { child, port: 1, up: Promise.resolve() };
    server.up = new Promise((resolve) => {
      // One that cannot start (Redis is away) is replaced by the next kill.
      const timer = setTimeout(resolve, READY_MS);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      child.once('exit', () => {
        done();
        const slot = this.running.indexOf(server);
        const died = child.signalCode === null && !this.stopped && slot !== -1;
        if (died) setTimeout(() => this.replace(slot, server), 500);
      });
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1];
        if (port === undefined) return;
        server.port = Number(port);
        done();
      });
    });
    return server;
  }

  private replace(slot: number, server: object): void {
    if (!this.stopped && this.running[slot] === server) this.running[slot] = this.start();
  }

  async stopAll(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.running.map(({ child }) => killed(child)));
  }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
