/** Jobs on Kubernetes: `eks:runJob`, and handlers of ours in a Job, against an API server on loopback. */
import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CANCELLED, type Handler, type HandlerContext } from '../../../src/handlers/handler.js';
import { createClusters } from '../../../src/handlers/kubernetes/client.js';
import { createRunJobHandler } from '../../../src/handlers/kubernetes/run-job.js';
import { asJob, RESULT_MARK, TASK_VARIABLE } from '../../../src/handlers/kubernetes/task-job.js';
import type { Json, JsonObject } from '../../../src/lib/json.js';
import { FROM_SOURCE, Folder } from '../../support/command-line.js';
import { type Bench, bench } from '../../services/support/handler-context.js';
import { FakeApiServer } from './fake-api-server.js';

const QUICK = { first: 5, longest: 20 };

const JOB: JsonObject = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'count' },
  spec: {
    backoffLimit: 0,
    template: {
      spec: { containers: [{ name: 'main', image: 'busybox' }], restartPolicy: 'Never' },
    },
  },
};

const ENV = [{ name: 'A', value: 'b' }];
const TEMPLATE: JsonObject = {
  spec: { template: { spec: { containers: [{ name: 'task', image: 'stepwell', env: ENV }] } } },
};

describe('Kubernetes', () => {
  let server: FakeApiServer;
  let folder: Folder;
  let world: Bench;
  let submissions: Json[];

  beforeEach(async () => {
    server = new FakeApiServer();
    await server.start();
    folder = new Folder();
    folder.write('kubeconfig', server.kubeconfig());
    world = await bench();
    submissions = [];
  });

  afterEach(async () => {
    await server.stop();
    await world.close();
    folder.remove();
  });

  const config = () => ({ kubeconfig: `${folder.path}/kubeconfig` });
  const handler = (): Handler => createRunJobHandler({ config: config(), pollMs: QUICK });
  const context = (changes: Partial<HandlerContext> = {}, resource = 'eks:runJob.sync') => ({
    ...world.context,
    task: { ...world.context.task, resource: `arn:aws:states:::${resource}` },
    submitted: async (output: Json) => void submissions.push(output),
    ...changes,
  });
  const parameters = (changes: JsonObject = {}): JsonObject => ({
    ClusterName: 'lab',
    CertificateAuthority: 'x',
    Endpoint: 'https://169.254.169.254',
    Job: JOB,
    ...changes,
  });
  const calls = () => server.seen.map(({ method }) => method);

  it('a Job is created, waited for, and its logs are the output', async () => {
    server.script = () => ({ succeeds: true, log: '{"rows": 3}', reads: 3 });
    const given = parameters({ Namespace: 'ml', LogOptions: { RetrieveLogs: true } });
    const output = (await handler().run(given, context())) as JsonObject;
    expect(server.seen[0]).toMatchObject({
      method: 'POST',
      path: '/apis/batch/v1/namespaces/ml/jobs',
      body: { kind: 'Job', metadata: { name: 'count', annotations: {} }, spec: JOB.spec },
    });
    expect(calls()).toEqual(['POST', 'GET', 'GET', 'GET', 'GET', 'GET']);
    expect(output).toMatchObject({
      StatusCode: 200,
      ResponseBody: { status: { succeeded: 1 } },
      logs: { pods: { 'count-x7k2p': { containers: { main: { log: { rows: 3 } } } } } },
    });
    expect(submissions).toHaveLength(1);
  });

  it('without .sync it answers with the Job as it was created', async () => {
    const output = await handler().run(parameters(), context({}, 'eks:runJob'));
    expect(output).toMatchObject({ ResponseBody: { metadata: { name: 'count' } } });
    expect(calls()).toEqual(['POST']);
  });

  it('a Job that fails fails the task, with the Job and its logs in the cause', async () => {
    server.script = () => ({ succeeds: false, log: 'no such file', reads: 1 });
    const given = parameters({ LogOptions: { RetrieveLogs: true, RawLogs: true } });
    await expect(handler().run(given, context())).rejects.toMatchObject({
      error: 'States.TaskFailed',
      reason: expect.stringMatching(/BackoffLimitExceeded.*no such file/s),
    });
  });

  it('what the server refuses is an error with its status', async () => {
    server.refuse = { code: 403, message: 'jobs.batch is forbidden' };
    await expect(handler().run(parameters(), context())).rejects.toMatchObject({
      error: 'EKS.403',
      reason: expect.stringContaining('jobs.batch is forbidden'),
    });
  });

  it('a re-run after a lost worker waits for the Job of before, recorded or not', async () => {
    await handler().run(parameters(), context());
    // The worker died after the create, before the answer was recorded.
    await handler().run(parameters(), context());
    // And after it was recorded.
    await handler().run(parameters(), context({ submission: submissions[0] as Json }));
    expect(calls().filter((method) => method === 'POST')).toHaveLength(2);
    expect(server.jobs.size).toBe(1);
    // Another attempt's Job of the same name is not ours.
    await expect(
      handler().run(parameters(), context({ idempotencyKey: 'another' })),
    ).rejects.toMatchObject({ error: 'EKS.409' });
  });

  it('a Job without a name gets one that its attempt always gets', async () => {
    const given = parameters({ Job: { ...JOB, metadata: { generateName: 'etl-' } } });
    await handler().run(given, context());
    await handler().run(given, context());
    expect([...server.jobs.keys()]).toEqual([expect.stringMatching(/^etl-/)]);
  });

  it('a task that nobody wants any more deletes its Job', async () => {
    server.script = () => ({ succeeds: true, log: '', reads: 1_000_000 });
    const stop = new AbortController();
    const running = handler().run(parameters(), context({ signal: stop.signal }));
    setTimeout(() => stop.abort(CANCELLED), 100);
    await expect(running).rejects.toThrow();
    expect(server.jobs.size).toBe(0);
    expect(server.seen.at(-1)?.method).toBe('DELETE');
  });

  it('a missing package and a missing kubeconfig are told with their mend', async () => {
    const missing = createClusters({}, () =>
      Promise.reject(Object.assign(new Error('none'), { code: 'ERR_MODULE_NOT_FOUND' })),
    );
    await expect(missing(null)).rejects.toMatchObject({
      error: 'Kubernetes.NotInstalled',
      reason: expect.stringContaining('npm install @kubernetes/client-node'),
    });
    await expect(createClusters({ kubeconfig: '/nowhere' })(null)).rejects.toMatchObject({
      error: 'Kubernetes.NotConfigured',
    });
  });

  it('a handler of ours runs in a Job: the container runs `stepwell run-task`', async () => {
    folder.write(
      'double.mjs',
      'export const run = ({ n }) => { if (n > 9) throw new Error("big"); return { n: 2 * n }; };',
    );
    folder.write('stepwell.config.json', { functions: { 'ml:double': './double.mjs#run' } });
    server.script = async (job) => {
      const { spec } = (job.spec as JsonObject).template as { spec: JsonObject };
      const [container] = spec.containers as JsonObject[];
      expect(container).toMatchObject({
        name: 'task',
        args: ['run-task'],
        env: expect.arrayContaining(ENV),
      });
      expect(spec.restartPolicy).toBe('Never');
      const env = (container?.env ?? []) as { name: string; value: string }[];
      const task = env.find(({ name }) => name === TASK_VARIABLE);
      return runContainer(folder, task?.value ?? '');
    };
    const own: Handler = {
      resource: 'ml:double',
      description: 'Doubles.',
      parameters: {},
      onWorkerLost: 'fail',
      run: () => Promise.reject(new Error('It does not run here.')),
    };
    const inJob = asJob(own, TEMPLATE, config(), createClusters(config()), QUICK);
    const task = { ...world.context.task, resource: 'ml:double' };
    expect(await inJob.run({ n: 4 }, { ...world.context, task })).toEqual({ n: 8 });
    expect(server.jobs.size).toBe(0);
    await expect(
      inJob.run({ n: 10 }, { ...world.context, task, idempotencyKey: 'second' }),
    ).rejects.toMatchObject({ error: 'Error', reason: expect.stringContaining('big') });
  }, 60_000);
});

/** What a node would do with the container: the real command, the log kept. */
async function runContainer(folder: Folder, task: string) {
  const child = spawn(process.execPath, [...FROM_SOURCE, 'run-task'], {
    cwd: folder.path,
    env: { PATH: process.env.PATH, HOME: folder.path, [TASK_VARIABLE]: task },
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  }
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(log).toContain(RESULT_MARK);
  return { succeeds: code === 0, log, reads: 1 };
}
