/** The composition root: from configuration to a store, handlers and an engine that know each other. */
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { createApiGatewayHandler } from '../handlers/api-gateway.js';
import { createAws } from '../handlers/aws/index.js';
import { createExecutionHandler } from '../handlers/execution.js';
import { createExecutionActions } from '../handlers/execution-actions.js';
import {
  createExecutionServiceSlot,
  type ExecutionServiceSlot,
} from '../handlers/execution-service.js';
import { createHttpInvokeHandler } from '../handlers/http-invoke.js';
import { createArtifactStore } from '../handlers/artifacts.js';
import { type Config, loadConfig } from '../handlers/config.js';
import { createGuardedFetch } from '../handlers/egress.js';
import { filesOf } from '../handlers/files.js';
import type { Logger } from '../handlers/handler.js';
import { createRegistry, type Registry } from '../handlers/registry.js';
import { createSecrets } from '../handlers/secrets.js';
import { createSnsHandler } from '../handlers/sns.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { HandlerServices, TaskProgress } from '../runtime/dispatcher.js';
import { createMapItems, s3OptionsOf } from '../handlers/map-items/index.js';
import { createEngine } from '../runtime/engine.js';
import type { Engine } from '../runtime/face.js';
import { isHalfRestored } from '../care/backup.js';
import { StoreUnavailable } from '../store/unavailable.js';
import { openStore } from '../store/open.js';
import type { Store } from '../store/store.js';
import { createLogger } from './logger.js';
import { createMlHandlers } from './ml-handlers.js';

export interface AssembleOptions {
  readonly store?: string;
  readonly config?: string;
  /** Logs only errors, as JSON lines on standard error. */
  readonly json?: boolean;
  /** Instead of JSON lines on standard error. */
  readonly log?: Logger;
  readonly onProgress?: (progress: TaskProgress) => void;
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
  /** Drives all open executions, or with `only` just these and what they start. */
  openEngine(only: readonly ExecutionArn[] | null): Promise<Engine>;
  close(): Promise<void>;
}

export const DEFAULT_STORE_FILE = 'stepwell.db';

export function defaultStore(): string {
  return `sqlite:${join('.stepwell', DEFAULT_STORE_FILE)}`;
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
  const ml = createMlHandlers({ config, home, secret });
  const mapItems = createMapItems({ files: services.files, s3: s3OptionsOf(config, secret) });
  const executions = createExecutionServiceSlot();
  const aws = createAws({
    config,
    local: new Map([['@aws-sdk/client-sfn', createExecutionActions(executions.service)]]),
  });
  const registry = createRegistry({
    config,
    keysOf: aws.keysOf,
    handlers: [
      createSnsHandler({
        config,
        ...(aws.snsFallback === null ? {} : { fallback: aws.snsFallback }),
      }),
      createExecutionHandler(executions.service),
      createHttpInvokeHandler({ connections: config.connections, region: aws.sdk.region }),
      createApiGatewayHandler(),
      ...aws.handlers,
      ...ml.handlers,
    ],
  });
  const store = await openStore(spec);
  return {
    config,
    home,
    store,
    registry,
    services,
    executions,
    log,
    openEngine: async (only) => {
      await refuseHalfRestored(store);
      return createEngine({
        store,
        resources: registry,
        services,
        log,
        mapItems,
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
