/**
 * One `serve`, two workers and Redis, as a user starts them: heavy tasks run at workers only, a worker
 * that is killed loses nothing, a stop is graceful, and the process that serves may be killed too.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../../support/command-line.js';
import { REDIS_MISSING, redisBinary, type RedisServer, startRedis } from '../support/redis.js';
import {
  call,
  createMachine,
  ended,
  type Running,
  start,
  startProcess,
  urlOf,
} from '../support/processes.js';

const binary = redisBinary();
if (binary === null) console.warn(REDIS_MISSING);

const FUNCTIONS = `
import { appendFileSync } from 'node:fs';
const note = (text) => appendFileSync('LEDGER', text + '\\n');
export async function heavy(event, context) {
  note('begin ' + event.name + ' ' + process.pid);
  await new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, event.ms);
    context.signal.addEventListener('abort', () => { clearTimeout(timer); reject(context.signal.reason); });
  });
  note('end ' + event.name + ' ' + process.pid);
  return { name: event.name };
}
export async function light(event) {
  note('light ' + event.name + ' ' + process.pid);
  return event;
}`;

const MACHINE = {
  StartAt: 'Light',
  States: {
    Light: { Type: 'Task', Resource: 'light', Next: 'Heavy' },
    Heavy: { Type: 'Task', Resource: 'heavy', ResultPath: '$.result', Next: 'Wait' },
    Wait: { Type: 'Wait', Seconds: 1, Next: 'After' },
    After: { Type: 'Task', Resource: 'light', End: true },
  },
};

describe.skipIf(binary === null)('serve, two workers and Redis', () => {
  const folder = new Folder();
  let server: RedisServer;
  let serve: Running;
  let workers: Running[];
  let machine: string;

  const ledger = (): string[] => {
    const file = join(folder.path, 'LEDGER');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  };
  const of = (what: string, name: string) =>
    ledger()
      .map((line) => line.split(' '))
      .filter(([did, named]) => did === what && named === name)
      .map(([, , pid]) => Number(pid));
  // What it serves the configuration says, and for one worker of two.
  const startServe = () =>
    startProcess(folder, ['serve', '--port', '0', '--store', server.url], /listens on/);
  const startWorker = () =>
    startProcess(
      folder,
      ['worker', '--store', server.url, '--resources', 'heavy', '--concurrency', '4'],
      /serves heavy/,
    );
  const startConfigured = () =>
    startProcess(folder, ['worker', '--store', server.url], /serves heavy.*, 3 tasks at a time/);

  beforeAll(async () => {
    server = await startRedis(binary as string, { appendonly: 'yes', appendfsync: 'no', save: '' });
    folder.write('functions.mjs', FUNCTIONS);
    folder.write('stepwell.config.json', {
      functions: { heavy: './functions.mjs#heavy', light: './functions.mjs#light' },
      serve: { resources: ['!heavy'] },
      worker: { resources: ['heavy'], concurrency: 3 },
    });
    [serve, ...workers] = await Promise.all([startServe(), startWorker(), startConfigured()]);
    machine = await createMachine(urlOf(serve), MACHINE);
  }, 120_000);

  afterAll(async () => {
    await Promise.all([serve, ...workers].map((one) => one.end('SIGKILL')));
    await server.stop();
    folder.remove();
  });

  it('heavy tasks run at the workers, light ones elsewhere', async () => {
    const arn = await start(urlOf(serve), machine, 'plain', { name: 'plain', ms: 50 });
    const described = await ended(urlOf(serve), arn);
    expect(described.status).toBe('SUCCEEDED');
    const pids = workers.map(({ child }) => child.pid);
    expect(pids).toContain(of('begin', 'plain')[0]);
    expect(pids).not.toContain(of('light', 'plain')[0]);
    expect(of('end', 'plain')).toHaveLength(1);
  }, 60_000);

  it('a worker is killed with SIGKILL: the other one runs its tasks, and each result counts once', async () => {
    const url = urlOf(serve);
    const names = Array.from({ length: 6 }, (_, index) => `killed-${index}`);
    const arns = await Promise.all(
      names.map((name) => start(url, machine, name, { name, ms: 1_500 })),
    );
    await until(() => names.every((name) => of('begin', name).length > 0));
    const victim = workers.shift() as Running;
    const lost = names.filter((name) => of('begin', name)[0] === victim.child.pid);
    await victim.end('SIGKILL');
    for (const [index, arn] of arns.entries()) {
      const described = await ended(url, arn);
      expect(described.status).toBe('SUCCEEDED');
      const { events } = await call(url, 'GetExecutionHistory', { executionArn: arn });
      const types = (events as { type: string }[]).map(({ type }) => type);
      expect(
        types.filter((type) => /Succeeded$/.test(type) && /^(Task|Lambda)/.test(type)).length,
      ).toBe(3);
      expect(of('end', names[index] as string)).toHaveLength(1);
    }
    for (const name of lost) expect(of('begin', name)).toHaveLength(2);
    workers.push(await startWorker());
  }, 90_000);

  it('SIGTERM ends a worker within ten seconds, and another takes its task at once', async () => {
    const url = urlOf(serve);
    const arn = await start(url, machine, 'term', { name: 'term', ms: 2_000 });
    await until(() => of('begin', 'term').length === 1);
    const [pid] = of('begin', 'term');
    const leaving = workers.find(({ child }) => child.pid === pid) as Running;
    workers = workers.filter((worker) => worker !== leaving);
    const asked = Date.now();
    expect(await leaving.end('SIGTERM')).toBe(0);
    expect(Date.now() - asked).toBeLessThan(10_000);
    expect((await ended(url, arn)).status).toBe('SUCCEEDED');
    expect(of('end', 'term')).toHaveLength(1);
  }, 60_000);

  it('the process that serves is killed: workers go on, and a new one answers for all', async () => {
    const arn = await start(urlOf(serve), machine, 'served', { name: 'served', ms: 500 });
    await serve.end('SIGKILL');
    serve = await startServe();
    expect((await ended(urlOf(serve), arn)).status).toBe('SUCCEEDED');
    expect(of('end', 'served').length).toBeGreaterThan(0);
  }, 60_000);

  it('one process streams the events of an execution that others drive, each once and in order', async () => {
    const other = await startServe();
    try {
      const arn = await start(urlOf(serve), machine, 'watched', { name: 'watched', ms: 300 });
      const events = `${urlOf(other)}/v1/executions/${encodeURIComponent(arn)}/events`;
      const response = await fetch(events, { signal: AbortSignal.timeout(30_000) });
      expect(response.headers.get('content-type')).toContain('text/event-stream');
      // The stream ends with the execution.
      const text = await response.text();
      const seen = [...text.matchAll(/^id: (\d+)\nevent: (\w+)$/gm)];
      expect(seen.map(([, id]) => Number(id))).toEqual(seen.map((_, at) => at + 1));
      expect(seen.at(-1)?.[2]).toBe('ExecutionSucceeded');
      const history = await call(urlOf(serve), 'GetExecutionHistory', { executionArn: arn });
      expect(seen.map(([, , type]) => type)).toEqual(
        (history.events as { type: string }[]).map(({ type }) => type),
      );
    } finally {
      await other.end('SIGTERM');
    }
  }, 60_000);

  it('StopExecution at the server stops the task at the worker', async () => {
    const url = urlOf(serve);
    const arn = await start(url, machine, 'stopped', { name: 'stopped', ms: 30_000 });
    await until(() => of('begin', 'stopped').length === 1);
    await call(url, 'StopExecution', { executionArn: arn, error: 'E', cause: 'c' });
    expect((await ended(url, arn)).status).toBe('ABORTED');
    expect(of('end', 'stopped')).toEqual([]);
  }, 60_000);
});

async function until(done: () => boolean): Promise<void> {
  for (let tries = 0; !done(); tries++) {
    if (tries > 600) throw new Error('It did not come to it.');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
