/** Redis servers of a suite's own: temporary folder, free port, killed and started again on demand. */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';

const run = promisify(execFile);

export const REDIS_MISSING =
  'Redis is not installed here, its tests are SKIPPED: apt-get install --no-install-recommends redis-server';

export function redisBinary(): string | null {
  const folders = ['/usr/bin', '/usr/local/bin', ...(process.env.PATH ?? '').split(':')];
  const found = folders.map((folder) => join(folder, 'redis-server')).find(existsSync);
  return found ?? null;
}

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
  /** Starts again over what is on disk; other settings replace those of before. */
  start(settings?: Readonly<Record<string, string>>): Promise<void>;
  /** Without the store in between. */
  command(...words: string[]): Promise<unknown>;
  stop(): Promise<void>;
}

export const DURABLE = { appendonly: 'yes', appendfsync: 'always', save: '' };

export async function startRedis(
  binary: string,
  settings: Readonly<Record<string, string>> = DURABLE,
): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'stepwell-redis-'));
  const port = await freePort();
  let current = settings;
  let halt = async (): Promise<void> => {};
  const start = async (): Promise<void> => {
    const options = { port: String(port), bind: '127.0.0.1', dir: folder, ...current };
    const words = Object.entries(options).flatMap(([key, value]) => [`--${key}`, value]);
    const server = spawn(binary, words, { stdio: 'ignore', cwd: folder });
    const exited = new Promise((resolve) => server.once('exit', resolve));
    const kill = () => server.kill('SIGKILL');
    process.once('exit', kill);
    halt = async () => {
      process.off('exit', kill);
      kill();
      await exited;
    };
    await ready(port);
  };
  const stop = async (): Promise<void> => {
    await halt();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    kill: () => halt(),
    start: async (next) => {
      current = next ?? current;
      await start();
    },
    command: (...words) =>
      withClient(port, (client) => client.call(words[0] ?? '', words.slice(1))),
    stop,
  };
}

export interface RedisCluster {
  readonly url: string;
  readonly nodes: readonly RedisServer[];
  stop(): Promise<void>;
}

/** Three masters with a replica each, on loopback. */
export async function startCluster(binary: string): Promise<RedisCluster> {
  const settings = { ...DURABLE, 'cluster-enabled': 'yes', 'cluster-node-timeout': '2000' };
  const nodes = await Promise.all(Array.from({ length: 6 }, () => startRedis(binary, settings)));
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const tool = join(binary, '..', 'redis-cli');
  const words = ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes'];
  await run(tool, words);
  await Promise.all(nodes.map(({ port }) => clusterReady(port)));
  return {
    url: `redis+cluster://${addresses.join(',')}`,
    nodes,
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

export interface SentinelGroup {
  readonly url: string;
  readonly master: RedisServer;
  readonly replica: RedisServer;
  stop(): Promise<void>;
}

/** A master, its replica and three sentinels that agree by two; `redis-server --sentinel`. */
export async function startSentinels(binary: string): Promise<SentinelGroup> {
  const master = await startRedis(binary);
  const replica = await startRedis(binary, { ...DURABLE, replicaof: `127.0.0.1 ${master.port}` });
  const folder = await mkdtemp(join(tmpdir(), 'stepwell-sentinel-'));
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const children = await Promise.all(
    ports.map(async (port) => {
      const file = join(folder, `${port}.conf`);
      await writeFile(
        file,
        [
          `port ${port}`,
          'bind 127.0.0.1',
          `dir ${folder}`,
          `sentinel monitor main 127.0.0.1 ${master.port} 2`,
          'sentinel down-after-milliseconds main 1000',
          'sentinel failover-timeout main 5000',
        ].join('\n'),
      );
      return spawn(binary, [file, '--sentinel'], { stdio: 'ignore', cwd: folder });
    }),
  );
  await Promise.all(ports.map((port) => sentinelReady(port)));
  return {
    url: `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/main`,
    master,
    replica,
    stop: async () => {
      const over = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(over);
      await Promise.all([master.stop(), replica.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** It knows the replica and the other two. */
const sentinelReady = (port: number) =>
  until(() =>
    withClient(port, async (client) => {
      const info = await client.info('sentinel');
      if (!/slaves=1,sentinels=3/.test(info)) throw new Error('not yet');
    }),
  );

/** The cluster port is the port and 10,000: both must be free and fit. */
async function freePort(): Promise<number> {
  for (;;) {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
    const { port } = probe.address() as { port: number };
    await new Promise((resolve) => probe.close(resolve));
    if (port + 10_000 < 65_536) return port;
  }
}

async function clusterReady(port: number): Promise<void> {
  await until(() =>
    withClient(port, async (client) => {
      if (!String(await client.cluster('INFO')).includes('cluster_state:ok')) throw new Error('no');
      const info = await client.info('replication');
      if (info.includes('role:slave') && !info.includes('master_link_status:up')) {
        throw new Error('not yet');
      }
    }),
  );
}

const ready = (port: number) =>
  until(() => withClient(port, async (client) => void (await client.ping())));

async function until(attempt: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function withClient<T>(port: number, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    client.disconnect();
  }
}
