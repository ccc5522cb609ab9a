/**
 * compose.yaml starts what these tests start by hand: its very commands, with the addresses of this
 * machine in the place of the containers', bring up Redis, a server and two workers that work together.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Folder } from '../../support/command-line.js';
import {
  DURABLE,
  REDIS_MISSING,
  redisBinary,
  type RedisServer,
  startRedis,
} from '../support/redis.js';
import {
  createMachine,
  ended,
  type Running,
  start,
  startProcess,
  urlOf,
} from '../support/processes.js';

interface Service {
  readonly command: readonly string[];
  readonly deploy?: { readonly replicas: number };
  readonly ports?: readonly string[];
  readonly volumes: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

const read = (file: string): string =>
  readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
const compose = parse(read('compose.yaml'), { merge: true }) as {
  readonly services: Readonly<Record<'serve' | 'worker' | 'redis', Service>>;
};
const { serve, worker, redis } = compose.services;

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

describe('compose.yaml', () => {
  it('has one server, two workers and Redis', () => {
    expect(Object.keys(compose.services)).toEqual(['serve', 'worker', 'redis']);
    expect(worker.deploy?.replicas).toBe(2);
  });

  it('agrees with the image about port and folder, and both kinds see one folder', () => {
    const image = read('Dockerfile');
    const port = /^EXPOSE (\d+)$/m.exec(image)?.[1];
    const folder = /^VOLUME \["(.*)"\]$/m.exec(image)?.[1];
    expect(serve.ports).toEqual([`127.0.0.1:${port}:${port}`]);
    expect(serve.volumes).toEqual([`stepwell:${folder}`]);
    expect(worker.volumes).toEqual(serve.volumes);
  });

  it('starts nothing before Redis answers', () => {
    for (const service of [serve, worker]) {
      expect(service.depends_on).toEqual({ redis: { condition: 'service_healthy' } });
    }
    expect(redis.healthcheck?.test).toEqual(['CMD', 'redis-cli', 'ping']);
  });

  it('starts Redis as the tests do', () => {
    const [program, ...words] = redis.command;
    expect(program).toBe('redis-server');
    const settings: Record<string, string> = {};
    for (let at = 0; at < words.length; at += 2) {
      settings[words[at]?.slice(2) ?? ''] = words[at + 1] ?? '';
    }
    const { appendonly, appendfsync } = DURABLE;
    expect(settings).toMatchObject({ appendonly, appendfsync, 'maxmemory-policy': 'noeviction' });
  });
});

describe.skipIf(binary === null)('the commands of compose.yaml', () => {
  const folder = new Folder();
  let server: RedisServer;
  let processes: Running[] = [];

  /** The containers' addresses, on this machine. */
  const here = (command: readonly string[]): string[] =>
    command.map((word) =>
      word === '0.0.0.0' ? '127.0.0.1' : word.replace('redis://redis:6379', server.url),
    );

  beforeAll(async () => {
    server = await startRedis(binary as string);
    folder.write('double.mjs', 'export const run = ({ n }) => ({ n: 2 * n, pid: process.pid });');
    folder.write('stepwell.config.json', { functions: { 'ml:double': './double.mjs#run' } });
    processes = await Promise.all([
      startProcess(folder, [...here(serve.command), '--port', '0'], /listens on/),
      startProcess(folder, here(worker.command), /serves ml:\*, 2 tasks at a time/),
      startProcess(folder, here(worker.command), /serves ml:\*/),
    ]);
  }, 120_000);
  afterAll(async () => {
    await Promise.all(processes.map((one) => one.end('SIGTERM')));
    await server.stop();
    folder.remove();
  });

  it('are healthy by the word of the health check, and not without the server', async () => {
    const [, program, ...words] = serve.healthcheck?.test ?? [];
    expect(program).toBe('node');
    const check = (url: string) =>
      promisify(execFile)(
        process.execPath,
        words.map((word) => word.replace('http://127.0.0.1:8083', url)),
      );
    await check(urlOf(processes[0] as Running));
    await expect(check('http://127.0.0.1:1')).rejects.toThrow();
  });

  it('run a machine together: the server drives it, a worker does the ml task', async () => {
    const url = urlOf(processes[0] as Running);
    const machine = await createMachine(url, {
      StartAt: 'T',
      States: { T: { Type: 'Task', Resource: 'ml:double', End: true } },
    });
    const described = await ended(url, await start(url, machine, 'one', { n: 21 }));
    const { n, pid } = JSON.parse(described.output as string) as { n: number; pid: number };
    expect(n).toBe(42);
    expect(processes.slice(1).map(({ child }) => child.pid)).toContain(pid);
  }, 60_000);
});
