/**
 * `.sync` of services that run jobs: submit, record the answer, ask how it goes until it is over. A
 * re-run after a lost worker asks for the job it finds in `submission`; a task that nobody wants any
 * more tries to stop its job, as AWS does.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json, JsonObject } from '../../lib/json.js';
import { CANCELLED, type Handler, type HandlerContext, narrowed, TaskFailure } from '../handler.js';
import { splitSuffix } from '../resource.js';
import { withMetadata } from './metadata.js';
import { CLUSTER_JOBS } from './cluster-jobs.js';
import { COMPUTE_JOBS, type Job, object, type Request } from './jobs.js';
import { callOptimised, type OptimisedOptions } from './optimised.js';

export interface SyncOptions extends OptimisedOptions {
  readonly pollMs?: { readonly first: number; readonly longest: number };
}

export function createJobHandlers(options: SyncOptions): readonly Handler[] {
  return [...COMPUTE_JOBS, ...CLUSTER_JOBS].map((job) => ({
    resource: `${job.service}:${job.action}`,
    description: job.description,
    parameters: {},
    onWorkerLost: 'rerun',
    run: (parameters, context) => run(options, job, object(parameters), context),
  }));
}

async function run(
  options: SyncOptions,
  job: Job,
  parameters: JsonObject,
  context: HandlerContext,
): Promise<Json> {
  const waits = splitSuffix(context.task.resource).suffix.startsWith('.sync');
  if (context.submission !== null)
    return wait(options, job, parameters, context.submission, context);
  const { service } = job;
  const request = job.submit?.(parameters) ?? { action: job.action, parameters };
  const answer = await callOptimised(options, service, request.action, request.parameters, context);
  if (job.refused?.(answer.output)) {
    throw new TaskFailure('AmazonECS.Unknown', JSON.stringify(answer.output));
  }
  const output = job.submitted?.(answer.output) ?? answer.output;
  const submitted = withMetadata(service, { ...answer, output });
  if (!waits) return submitted;
  await context.submitted(submitted);
  return wait(options, job, parameters, submitted, context);
}

const POLL_MS = { first: 2_000, longest: 20_000 };

async function wait(
  options: SyncOptions,
  job: Job,
  parameters: JsonObject,
  submission: Json,
  context: HandlerContext,
): Promise<Json> {
  const submitted = object(submission);
  const ask = (request: Request, within: HandlerContext) =>
    callOptimised(options, job.service, request.action, request.parameters, within);
  const { first: firstMs, longest } = options.pollMs ?? POLL_MS;
  try {
    for (let pauseMs = firstMs; ; pauseMs = Math.min(pauseMs * 1.5, longest)) {
      const found = await ask(job.describe(submitted, parameters), context).catch((error) => {
        if (job.endsGone !== true || !isGone(error)) throw error;
        return null;
      });
      if (found === null) return submitted;
      const outcome = job.outcome(found.output, submitted);
      if (outcome?.ok === true) return outcome.result;
      if (outcome !== null) {
        throw new TaskFailure('States.TaskFailed', JSON.stringify(outcome.result));
      }
      await sleep(pauseMs, undefined, { signal: context.signal });
    }
  } catch (error) {
    if (context.signal.aborted && context.signal.reason === CANCELLED) {
      await stopJob(job, submitted, parameters, (request) =>
        ask(request, narrowed(context, { signal: AbortSignal.timeout(10_000) })),
      ).catch((failure) => {
        context.log.warn('A job could not be stopped.', { error: String(failure) });
      });
    }
    throw error;
  }
}

async function stopJob(
  job: Job,
  submitted: JsonObject,
  parameters: JsonObject,
  ask: (request: Request) => Promise<unknown>,
): Promise<void> {
  if (job.stop !== null) await ask(job.stop(submitted, parameters));
}

/** What was to be deleted cannot be described any more. */
function isGone(error: unknown): boolean {
  return error instanceof TaskFailure && /NotFoundException$/.test(error.error);
}
