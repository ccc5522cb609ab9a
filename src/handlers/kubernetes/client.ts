/**
 * The Kubernetes API as jobs need it, over `@kubernetes/client-node`, which is loaded when a task needs
 * it. Which servers may be reached is the operator's word: a kubeconfig, or the pod's own account.
 */
import { getOwn, isObject, type JsonObject } from '../../lib/json.js';
import { TaskFailure } from '../handler.js';

const PACKAGE = '@kubernetes/client-node';
const CALL_WITHIN_MS = 30_000;
/** Of one container: a state's payload is 256 KiB, and several containers share it. */
const LOG_BYTES = 128 * 1024;

/** `kubernetes` of the configuration. */
export interface KubernetesConfig {
  /** Absent: KUBECONFIG, `~/.kube/config`, or the service account of the pod. */
  readonly kubeconfig?: string;
  /** Absent: the current one. */
  readonly context?: string;
  /** For jobs that name none; absent: `default`. */
  readonly namespace?: string;
  /** Contexts by the ClusterName that machines give; absent: a context of that name, else the above. */
  readonly clusters?: Readonly<Record<string, string>>;
  /** Resources whose tasks run as Jobs, by glob, with the Job they run in. */
  readonly tasks?: Readonly<Record<string, JsonObject>>;
}

export interface Pod {
  readonly name: string;
  readonly containers: readonly string[];
}

/** One cluster. Rejects with a TaskFailure `EKS.<status>` when the server refuses. */
export interface Cluster {
  createJob(namespace: string, job: JsonObject): Promise<JsonObject>;
  readJob(namespace: string, name: string): Promise<JsonObject>;
  /** With its pods; absent is no error. */
  deleteJob(namespace: string, name: string): Promise<void>;
  podsOf(namespace: string, job: string): Promise<readonly Pod[]>;
  log(namespace: string, pod: string, container: string): Promise<string>;
}

export type OpenCluster = (clusterName: string | null) => Promise<Cluster>;

export function createClusters(
  config: KubernetesConfig,
  load: (name: string) => Promise<unknown> = (name) => import(name),
): OpenCluster {
  const opened = new Map<string, Promise<Cluster>>();
  return (clusterName) => {
    const key = clusterName ?? '';
    const known = opened.get(key);
    if (known !== undefined) return known;
    const made = open(config, clusterName, load);
    if (opened.size >= MAX_CLUSTERS) opened.clear();
    opened.set(key, made);
    // A kubeconfig that was put right is read again.
    made.catch(() => opened.delete(key));
    return made;
  };
}

const MAX_CLUSTERS = 100;

interface Batch {
  createNamespacedJob(request: object): Promise<unknown>;
  readNamespacedJob(request: object): Promise<unknown>;
  deleteNamespacedJob(request: object): Promise<unknown>;
}

interface Core {
  listNamespacedPod(request: object): Promise<{ readonly items: readonly PodItem[] }>;
  readNamespacedPodLog(request: object): Promise<unknown>;
}

interface PodItem {
  readonly metadata?: { readonly name?: string };
  readonly spec?: { readonly containers: readonly { readonly name: string }[] };
}

interface KubeConfig {
  loadFromFile(file: string): void;
  loadFromDefault(): void;
  setCurrentContext(name: string): void;
  getContexts(): readonly { readonly name: string }[];
  makeApiClient(api: unknown): unknown;
}

interface Library {
  readonly KubeConfig: new () => KubeConfig;
  readonly BatchV1Api: unknown;
  readonly CoreV1Api: unknown;
}

async function open(
  config: KubernetesConfig,
  clusterName: string | null,
  load: (name: string) => Promise<unknown>,
): Promise<Cluster> {
  let library: Library;
  try {
    library = (await load(PACKAGE)) as Library;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new TaskFailure(
      'Kubernetes.NotInstalled',
      `Jobs on Kubernetes need the package ${PACKAGE}: npm install ${PACKAGE}`,
    );
  }
  const kube = new library.KubeConfig();
  try {
    if (config.kubeconfig === undefined) kube.loadFromDefault();
    else kube.loadFromFile(config.kubeconfig);
  } catch (error) {
    throw new TaskFailure(
      'Kubernetes.NotConfigured',
      `The kubeconfig cannot be read: ${(error as Error).message}. Set "kubernetes": {"kubeconfig": ` +
        '"path"} in stepwell.config.json.',
    );
  }
  const context = contextFor(config, clusterName, kube);
  if (context !== null) kube.setCurrentContext(context);
  const batch = kube.makeApiClient(library.BatchV1Api) as Batch;
  const core = kube.makeApiClient(library.CoreV1Api) as Core;
  return clusterOver(batch, core);
}

function contextFor(
  config: KubernetesConfig,
  clusterName: string | null,
  kube: KubeConfig,
): string | null {
  const fallback = config.context ?? null;
  if (clusterName === null) return fallback;
  const named =
    config.clusters === undefined ? undefined : getOwn(config.clusters as JsonObject, clusterName);
  if (typeof named === 'string') return named;
  const isThere = kube.getContexts().some(({ name }) => name === clusterName);
  return isThere ? clusterName : fallback;
}

function clusterOver(batch: Batch, core: Core): Cluster {
  return {
    createJob: (namespace, body) =>
      call(() => batch.createNamespacedJob({ namespace, body })) as Promise<JsonObject>,
    readJob: (namespace, name) =>
      call(() => batch.readNamespacedJob({ namespace, name })) as Promise<JsonObject>,
    deleteJob: async (namespace, name) => {
      try {
        await call(() =>
          batch.deleteNamespacedJob({ namespace, name, propagationPolicy: 'Background' }),
        );
      } catch (error) {
        if (!(error instanceof TaskFailure && error.error === 'EKS.404')) throw error;
      }
    },
    podsOf: async (namespace, job) => {
      const labelSelector = `job-name=${job}`;
      const { items } = (await call(() =>
        core.listNamespacedPod({ namespace, labelSelector }),
      )) as Awaited<ReturnType<Core['listNamespacedPod']>>;
      return items.map(({ metadata, spec }) => ({
        name: metadata?.name ?? '',
        containers: (spec?.containers ?? []).map(({ name }) => name),
      }));
    },
    log: async (namespace, name, container) => {
      const request = { namespace, name, container, limitBytes: LOG_BYTES };
      const text = await call(() => core.readNamespacedPodLog(request));
      return typeof text === 'string' ? text : '';
    },
  };
}

/** In time; what the server refuses becomes a failure with its status, as AWS names it. */
async function call(send: () => Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const failure = new TaskFailure('EKS.Timeout', 'The Kubernetes API did not answer in time.');
    timer = setTimeout(() => reject(failure), CALL_WITHIN_MS);
  });
  try {
    return plain(await Promise.race([send(), late]));
  } catch (error) {
    if (error instanceof TaskFailure) throw error;
    const { code, body, message } = error as { code?: unknown; body?: unknown; message?: string };
    if (typeof code === 'number') throw new TaskFailure(`EKS.${code}`, messageOf(body, message));
    throw new TaskFailure('EKS.Unreachable', `The Kubernetes API cannot be reached: ${message}`);
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(body: unknown, message: string | undefined): string {
  if (typeof body === 'string' && body !== '') return body;
  if (isObject(body as never)) return JSON.stringify(body);
  return message ?? 'The Kubernetes API refused.';
}

/** Dates become text, absent members vanish: JSON as on the wire. */
function plain(value: unknown): unknown {
  return value === undefined ? null : JSON.parse(JSON.stringify(value));
}
