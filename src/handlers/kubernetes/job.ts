/**
 * One Kubernetes Job from its creation to its end. Its name follows from the attempt, and an annotation
 * says whose it is: a re-run after a lost worker finds the Job and goes on waiting for it. A task that
 * nobody wants any more deletes it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { CANCELLED, type HandlerContext, TaskFailure } from '../handler.js';
import type { Cluster } from './client.js';

export interface JobOptions {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly job: JsonObject;
  readonly pollMs?: { readonly first: number; readonly longest: number };
}

export interface SubmittedJob {
  readonly namespace: string;
  readonly name: string;
}

export interface EndedJob {
  readonly job: JsonObject;
  readonly succeeded: boolean;
  /** Why it failed. */
  readonly reason: string | null;
}

const OWNER = 'stepwell.dev/attempt';
const POLL_MS = { first: 500, longest: 10_000 };
const MAX_NAME = 63;

/** Creates the Job, or finds the one that this attempt created before its worker was lost. */
export async function submitJob(options: JobOptions, context: HandlerContext): Promise<JsonObject> {
  const { cluster, namespace } = options;
  const owner = context.idempotencyKey.slice(0, 40);
  const job = named(options.job, owner);
  try {
    return await cluster.createJob(namespace, job);
  } catch (error) {
    if (!(error instanceof TaskFailure && error.error === 'EKS.409')) throw error;
    const present = await cluster.readJob(namespace, text(job, 'metadata', 'name'));
    const annotations = object(getOwn(object(getOwn(present, 'metadata')), 'annotations'));
    if (getOwn(annotations, OWNER) !== owner) throw error;
    return present;
  }
}

/** A name that the attempt always gets, unless the Job has one, and the mark of its owner. */
function named(job: JsonObject, owner: string): JsonObject {
  const metadata = object(getOwn(job, 'metadata'));
  const { generateName, ...rest } = metadata;
  const prefix = typeof generateName === 'string' ? generateName : 'stepwell-';
  const made = `${prefix.slice(0, MAX_NAME - 20)}${owner.slice(0, 20)}`;
  const name = typeof metadata.name === 'string' ? metadata.name : made;
  const annotations = { ...object(getOwn(metadata, 'annotations')), [OWNER]: owner };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    ...job,
    metadata: { ...rest, name, annotations },
  };
}

/** Waits until the Job is over; deletes it when nobody waits for it any more. */
export async function awaitJob(
  options: JobOptions,
  { namespace, name }: SubmittedJob,
  context: HandlerContext,
): Promise<EndedJob> {
  const { cluster, pollMs = POLL_MS } = options;
  try {
    for (let pause = pollMs.first; ; pause = Math.min(1.5 * pause, pollMs.longest)) {
      const ended = judge(await cluster.readJob(namespace, name));
      if (ended !== null) return ended;
      await sleep(pause, undefined, { signal: context.signal });
    }
  } catch (error) {
    if (context.signal.aborted && context.signal.reason === CANCELLED) {
      await cluster.deleteJob(namespace, name).catch((failure) => {
        context.log.warn('A Job could not be deleted.', { name, error: String(failure) });
      });
    }
    throw error;
  }
}

function judge(job: JsonObject): EndedJob | null {
  const conditions = getOwn(object(getOwn(job, 'status')), 'conditions');
  for (const condition of isArray(conditions) ? conditions : []) {
    const { type, status, reason, message } = object(condition);
    if (status !== 'True') continue;
    if (type === 'Complete') return { job, succeeded: true, reason: null };
    if (type === 'Failed') return { job, succeeded: false, reason: `${reason}: ${message}` };
  }
  return null;
}

/** What the containers of its pods have printed, by pod and container. */
export async function logsOf(
  cluster: Cluster,
  { namespace, name }: SubmittedJob,
): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const found = new Map<string, ReadonlyMap<string, string>>();
  for (const pod of await cluster.podsOf(namespace, name)) {
    const logs = new Map<string, string>();
    for (const container of pod.containers) {
      logs.set(container, await cluster.log(namespace, pod.name, container));
    }
    found.set(pod.name, logs);
  }
  return found;
}

export function object(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

export function text(value: JsonObject, ...path: readonly string[]): string {
  let at: Json | undefined = value;
  for (const name of path) at = isObject(at) ? getOwn(at, name) : undefined;
  return typeof at === 'string' ? at : '';
}
