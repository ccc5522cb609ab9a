/** The composition root: from configuration to a store, handlers and an engine that know each other. */
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { activityExistsIn } from '../api/activities.js';
import { createAws } from '../handlers/aws/index.js';
import { createExecutionHandler } from '../handlers/execution.js';
import { createExecutionActions } from '../handlers/execution-actions.js';
import {
  createExecutionServiceSlot,
  type ExecutionServiceSlot,
} from '../handlers/execution-service.js';
import { createHttpInvokeHandler } from '../handlers/http-invoke.js';
import { createArtifactStore } from '../handlers/artifacts.js';
import type { Config } from '../handlers/config/config.js';
import { loadConfig } from '../handlers/config/load.js';
import { createGuardedFetch } from '../handlers/egress.js';
import { filesOf } from '../handlers/files.js';
import type { Logger } from '../handlers/handler.js';
import { createRegistry, type Registry } from '../handlers/registry.js';
import { createSecrets } from '../handlers/secrets.js';
import { createSnsHandler } from '../handlers/sns.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { HandlerServices, TaskProgress } from '../runtime/dispatcher.js';
import { createClusters } from '../handlers/kubernetes/client.js';
import { createRunJobHandler } from '../handlers/kubernetes/run-job.js';
import { createMapItems, s3OptionsOf } from '../handlers/map-items/index.js';
import { createEngine } from '../runtime/engine.js';
import type { EngineOptions } from '../runtime/engine-options.js';
import type { Engine } from '../runtime/face.js';
import { isHalfRestored } from '../care/backup.js';
import { StoreUnavailable } from '../store/unavailable.js';
import { openStore } from '../store/open.js';
import type { Peers } from '../runtime/peers.js';
import type { SharedStore, Store } from '../store/store.js';
import { type ChosenLimits, chooseLimits } from './limits.js';
import { onCluster } from './cluster-tasks.js';
import { DEFAULT_STORE_FILE } from './default-store.js';
import { createLogger } from './logger.js';
import { createMlHandlers } from './ml-handlers.js';

export interface AssembleOptions {
  readonly store?: string;
  readonly config?: string;
  /** Logs only errors, as JSON lines on standard error. */
  readonly json?: boolean;
  /** `aws` or `extended`; else the configuration decides. */
  readonly limits?: string;
  /** Instead of JSON lines on standard error. */
  readonly log?: Logger;
  readonly onProgress?: (progress: TaskProgress) => void;
  /** What this process does among others on a Redis store. */
  readonly work?: AskedWork;
  /** False: tasks that the configuration gives to Kubernetes run here, because this is the Job. */
  readonly onCluster?: boolean;
}

/** What the command line says of it; what it leaves out the configuration says. */
export interface AskedWork {
  readonly role: 'serve' | 'worker';
  readonly resources?: readonly string[];
  readonly concurrency?: number;
}

/** What a process does for executions on a store that it shares with others. */
export interface Work {
  readonly role: string;
  /** Globs of the resources whose tasks run here; none: all. */
  readonly resources: readonly string[];
  /** Tasks at a time. */
  readonly concurrency: number;
}

export interface Parts {
  readonly config: Config;
  /** Everything kept on disk: `.stepwell` beside the configuration. */
  readonly home: string;
  readonly store: Store;
  readonly registry: Registry;
  readonly services: HandlerServices;
  /** Filled with the API of this process, for nested executions. */
  readonly executions: ExecutionServiceSlot;
  readonly log: Logger;
  readonly limits: ChosenLimits;
  /** On a shared store only. */
  readonly work: Work;
  /** Drives all open executions, or with `only` just these and what they start. */
  openEngine(only: readonly ExecutionArn[] | null, instead?: EngineParts): Promise<Engine>;
  close(): Promise<void>;
}

/** Parts of the engine that a debugger wraps. */
export type EngineParts = Partial<Pick<EngineOptions, 'store' | 'resources' | 'isStepped'>>;

/** A store on Redis is shared: the engine of this process hears of the others. */
async function joinPeers(joining: {
  readonly spec: string;
  readonly store: Store;
  readonly log: Logger;
  readonly only: readonly ExecutionArn[] | null;
  readonly work: Work;
}): Promise<{ readonly peers?: Peers }> {
  const { spec, store, log, only, work } = joining;
  if (!isShared(spec)) return {};
  const { RedisPeers } = await import('../workers/open-peers.js');
  const peers = new RedisPeers({
    url: spec,
    store: store as SharedStore,
    log,
    globs: work.resources,
    concurrency: work.concurrency,
    role: work.role,
    drives: only === null,
  });
  return { peers };
}

/** Whether several processes may drive the store at a time. */
export function isShared(spec: string): boolean {
  return /^rediss?[:+]/.test(spec);
}

/** Tasks at a time of one process on a shared store. */
export const DEFAULT_CONCURRENCY = 100;

function workOf(config: Config, asked: AskedWork | undefined): Work {
  if (asked === undefined) return { role: 'run', resources: [], concurrency: DEFAULT_CONCURRENCY };
  const configured = config.work[asked.role];
  return {
    role: asked.role,
    resources: asked.resources ?? configured.resources ?? [],
    concurrency: asked.concurrency ?? configured.concurrency ?? DEFAULT_CONCURRENCY,
  };
}

export async function assemble(options: AssembleOptions): Promise<Parts> {
  const config = await loadConfig(options.config ?? null, process.cwd());
  const home = config.stateFolder;
  const spec = options.store ?? `sqlite:${join(home, DEFAULT_STORE_FILE)}`;
  if (spec.startsWith('sqlite:')) {
    await mkdir(dirname(resolve(spec.slice('sqlite:'.length))), { recursive: true });
  }
  const level = process.env.STEPWELL_LOG ?? (options.json ? 'error' : 'warn');
  const log = options.log ?? createLogger(level);
  const secret = createSecrets(config);
  const services: HandlerServices = {
    artifacts: createArtifactStore(config.artifacts),
    files: filesOf(config),
    fetch: createGuardedFetch(config.egress),
    secret,
    scratchRoot: join(home, 'scratch'),
    log,
  };
  const mapItems = createMapItems({ files: services.files, s3: s3OptionsOf(config, secret) });
  const executions = createExecutionServiceSlot();
  const ml = createMlHandlers({
    config,
    home,
    secret,
    artifacts: services.artifacts,
    log,
    executions: executions.service,
  });
  const aws = createAws({
    config,
    local: new Map([['@aws-sdk/client-sfn', createExecutionActions(executions.service)]]),
  });
  const clusters = createClusters(config.kubernetes);
  const ownRegistry = createRegistry({
    config,
    keysOf: aws.keysOf,
    handlers: [
      createSnsHandler({
        config,
        ...(aws.snsFallback === null ? {} : { fallback: aws.snsFallback }),
      }),
      createExecutionHandler(executions.service),
      createHttpInvokeHandler({ connections: config.connections, region: aws.sdk.region }),
      createRunJobHandler({ config: config.kubernetes, clusters }),
      ...aws.handlers,
      ...ml.handlers,
    ],
  });
  const limits = chooseLimits(config.limits, options.limits);
  const work = workOf(config, options.work);
  const store = await openStore(spec, {
    payloads: {
      location: config.limits.payloads,
      fallback: join(home, 'payloads'),
      s3: s3OptionsOf(config, secret),
    },
  });
  const registry =
    options.onCluster === false ? ownRegistry : onCluster(ownRegistry, config.kubernetes, clusters);
  return {
    config,
    home,
    store,
    registry,
    services,
    executions,
    log,
    limits,
    work,
    openEngine: async (only, instead = {}) => {
      await refuseHalfRestored(store);
      return createEngine({
        ...(await joinPeers({ spec, store, log, only, work })),
        store,
        resources: registry,
        services,
        log,
        mapItems,
        activityExists: activityExistsIn(store.documents),
        limits: limits.limits,
        limitsOf: limits.limitsOf,
        ...instead,
        ...(only === null ? {} : { only }),
        ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
      });
    },
    close: async () => {
      await ml.close();
      await store.close();
    },
  };
}

/** Executions or definitions may be missing in it. */
async function refuseHalfRestored(store: Store): Promise<void> {
  if (!(await isHalfRestored(store))) return;
  throw new StoreUnavailable(
    `A restore into ${store.description} was cut short. Run it again with --overwrite.`,
  );
}
