/**
 * A handler of this program run as a Kubernetes Job: the Job's first container gets the task in its
 * environment, runs `stepwell run-task`, and prints the result as its last line.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import type { KubernetesConfig, OpenCluster } from './client.js';
import { awaitJob, type JobOptions, logsOf, object, submitJob, text } from './job.js';

/** The variable that carries the task. */
export const TASK_VARIABLE = 'STEPWELL_TASK';
/** What the result's line begins with. */
export const RESULT_MARK = 'stepwell-result ';
/** Linux takes 128 KiB for one variable. */
const MAX_TASK_BYTES = 120_000;
const KEPT_SECONDS = 3_600;

/** A task as the container gets it. */
export interface TaskSpec {
  readonly resource: string;
  readonly parameters: Json;
  readonly idempotencyKey: string;
  readonly visitKey: string;
  readonly task: JsonObject;
}

export function asJob(
  handler: Handler,
  template: JsonObject,
  config: KubernetesConfig,
  open: OpenCluster,
  pollMs?: JobOptions['pollMs'],
): Handler {
  return {
    ...handler,
    description: `${handler.description} Runs as a Kubernetes Job.`,
    // The Job is found again by its name, so a re-run repeats nothing.
    onWorkerLost: 'rerun',
    run: async (parameters, context) => {
      const cluster = await open(null);
      const namespace = text(template, 'metadata', 'namespace') || (config.namespace ?? 'default');
      const job = withTask(template, specOf(parameters, context));
      const options = { cluster, namespace, job, ...(pollMs === undefined ? {} : { pollMs }) };
      const made = await submitJob(options, context);
      const submitted = { namespace, name: text(made, 'metadata', 'name') };
      const beat = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
      try {
        const ended = await awaitJob(options, submitted, context);
        const logs = await logsOf(cluster, submitted);
        const output = resultOf(logs, ended.reason);
        // The result is read: what is left of the Job is of no use.
        await cluster.deleteJob(namespace, submitted.name).catch(() => undefined);
        return output;
      } finally {
        clearInterval(beat);
      }
    },
  };
}

const HEARTBEAT_MS = 10_000;

function specOf(parameters: Json, context: HandlerContext): string {
  const { resource } = context.task;
  const { idempotencyKey, visitKey } = context;
  const task = { ...context.task } as unknown as JsonObject;
  const spec: TaskSpec = { resource, parameters, idempotencyKey, visitKey, task };
  const made = JSON.stringify(spec);
  if (Buffer.byteLength(made) > MAX_TASK_BYTES) {
    throw new TaskFailure(
      'Parameters.Invalid',
      `The parameters of ${resource} are too large for a Job (${MAX_TASK_BYTES} bytes): pass an artifact.`,
    );
  }
  return made;
}

/** The Job with the task in the first container, and the defaults a task needs. */
function withTask(template: JsonObject, spec: string): JsonObject {
  const jobSpec = object(getOwn(template, 'spec'));
  const podTemplate = object(getOwn(jobSpec, 'template'));
  const podSpec = object(getOwn(podTemplate, 'spec'));
  const listed = getOwn(podSpec, 'containers');
  const [first, ...others] = isArray(listed) ? listed : [];
  if (!isObject(first)) {
    throw new TaskFailure(
      'Kubernetes.NotConfigured',
      'stepwell.config.json, at /kubernetes/tasks: the Job has no container.',
    );
  }
  const variables = getOwn(first, 'env');
  const env = [...(isArray(variables) ? variables : []), { name: TASK_VARIABLE, value: spec }];
  const container = { args: ['run-task'], ...first, env };
  return {
    ...template,
    spec: {
      // The machine retries, not the Job.
      backoffLimit: 0,
      ttlSecondsAfterFinished: KEPT_SECONDS,
      ...jobSpec,
      template: {
        ...podTemplate,
        spec: { restartPolicy: 'Never', ...podSpec, containers: [container, ...others] },
      },
    },
  };
}

function resultOf(
  logs: ReadonlyMap<string, ReadonlyMap<string, string>>,
  reason: string | null,
): Json {
  const lines = [...logs.values()].flatMap((containers) =>
    [...containers.values()].flatMap((log) => log.split('\n')),
  );
  const line = lines.findLast((one) => one.startsWith(RESULT_MARK));
  if (line === undefined) {
    const said = lines.slice(-20).join('\n').slice(-2_000);
    throw new TaskFailure(
      'States.TaskFailed',
      `The Job ended without a result${reason === null ? '' : ` (${reason})`}. Its last lines: ${said}`,
    );
  }
  const result = object(JSON.parse(line.slice(RESULT_MARK.length)) as Json);
  if (getOwn(result, 'ok') === true) return getOwn(result, 'output') ?? null;
  throw new TaskFailure(text(result, 'error'), text(result, 'cause'));
}
