/**
 * `eks:runJob` and `eks:runJob.sync`: the Job of a machine on a cluster of the operator's kubeconfig.
 * `Endpoint` and `CertificateAuthority` are accepted, as AWS wants them, and not used: a machine does
 * not choose which servers this process talks to.
 */
import { getOwn, type Json, type JsonObject } from '../../lib/json.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import { splitSuffix } from '../resource.js';
import { createClusters, type KubernetesConfig, type OpenCluster } from './client.js';
import { awaitJob, type JobOptions, logsOf, object, submitJob, text } from './job.js';

export interface RunJobOptions {
  readonly config: KubernetesConfig;
  readonly clusters?: OpenCluster;
  readonly pollMs?: JobOptions['pollMs'];
}

const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['ClusterName', 'Job'],
  properties: {
    ClusterName: { type: 'string', minLength: 1, maxLength: 100 },
    CertificateAuthority: { type: 'string' },
    Endpoint: { type: 'string' },
    Namespace: { type: 'string', maxLength: 63 },
    LogOptions: {
      type: 'object',
      properties: { RetrieveLogs: { type: 'boolean' }, RawLogs: { type: 'boolean' } },
    },
    Job: { type: 'object' },
  },
};

export function createRunJobHandler(options: RunJobOptions): Handler {
  const open = options.clusters ?? createClusters(options.config);
  return {
    resource: 'eks:runJob',
    description: 'Runs a Job on a Kubernetes cluster; with .sync it waits for its end.',
    parameters: PARAMETERS,
    onWorkerLost: 'rerun',
    run: (parameters, context) => run(options, open, object(parameters), context),
  };
}

async function run(
  options: RunJobOptions,
  open: OpenCluster,
  parameters: JsonObject,
  context: HandlerContext,
): Promise<Json> {
  const job = object(getOwn(parameters, 'Job'));
  const cluster = await open(text(parameters, 'ClusterName'));
  const namespace =
    text(parameters, 'Namespace') ||
    text(job, 'metadata', 'namespace') ||
    (options.config.namespace ?? 'default');
  const jobOptions: JobOptions = {
    cluster,
    namespace,
    job,
    ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
  };
  let submission = object(context.submission);
  if (context.submission === null) {
    const made = await submitJob(jobOptions, context);
    submission = answerOf(made);
    if (!splitSuffix(context.task.resource).suffix.startsWith('.sync')) return submission;
    await context.submitted(submission);
  }
  const submitted = { namespace, name: text(submission, 'ResponseBody', 'metadata', 'name') };
  const ended = await awaitJob(jobOptions, submitted, context);
  const logOptions = object(getOwn(parameters, 'LogOptions'));
  const wanted = getOwn(logOptions, 'RetrieveLogs') === true;
  const raw = getOwn(logOptions, 'RawLogs') === true;
  const logs = wanted ? { logs: shown(await logsOf(cluster, submitted), raw) } : {};
  const output = { ...answerOf(ended.job), ...logs };
  if (ended.succeeded) return output;
  throw new TaskFailure('States.TaskFailed', JSON.stringify(output));
}

function answerOf(job: JsonObject): JsonObject {
  return { ResponseBody: job, StatusCode: 200 };
}

/** A log that is JSON is shown as such, unless raw ones are wanted. */
function shown(logs: ReadonlyMap<string, ReadonlyMap<string, string>>, raw: boolean): JsonObject {
  const pods = [...logs].map(([pod, containers]): [string, Json] => {
    const texts = [...containers].map(([name, log]): [string, Json] => [
      name,
      { log: raw ? log : parsed(log) },
    ]);
    return [pod, { containers: Object.fromEntries(texts) }];
  });
  return { pods: Object.fromEntries(pods) };
}

function parsed(log: string): Json {
  try {
    return JSON.parse(log) as Json;
  } catch {
    return log;
  }
}
