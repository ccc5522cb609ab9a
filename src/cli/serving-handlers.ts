/** Wires registry, rollout and monitoring to the endpoints and to the live traffic of this home. */
import type { ExecutionService } from '../handlers/execution-service.js';
import type { ArtifactStore, Handler, Logger } from '../handlers/handler.js';
import { explainHandler } from '../handlers/ml/evaluation/explain.js';
import { loadTestHandler } from '../handlers/ml/evaluation/load-test.js';
import { registryHandlers } from '../handlers/ml/registry-actions.js';
import { monitorHandlers } from '../handlers/ml/monitor/index.js';
import { rolloutHandlers } from '../handlers/ml/rollout/index.js';
import type { Registry } from '../ml/registry/index.js';
import { type Endpoints, openLive, type ServedModel, startServing } from '../serving/index.js';

export interface ServingHandlersOptions {
  readonly home: string;
  readonly registry: Registry;
  readonly endpoints: Endpoints;
  readonly artifacts: ArtifactStore;
  readonly log: Logger;
  readonly executions: Promise<ExecutionService>;
  readonly now?: () => number;
  readonly loader?: string;
}

export interface ServingHandlers {
  readonly handlers: readonly Handler[];
  /** Ends the server that was started for live traffic, if one was. */
  close(): Promise<void>;
}

export function createServingHandlers(options: ServingHandlersOptions): ServingHandlers {
  const { home, registry, endpoints, log } = options;
  const given = {
    ...(options.now === undefined ? {} : { now: options.now }),
    ...(options.loader === undefined ? {} : { loader: options.loader }),
  };
  const locate = modelLocator(options.artifacts);
  const live = openLive({
    home,
    start: async () => {
      const serving = await startServing({ home, endpoints, log, locate, ...given });
      await serving.ready();
      return serving;
    },
  });
  return {
    handlers: [
      ...registryHandlers(registry),
      loadTestHandler({ live }),
      explainHandler({ live, ...(options.loader === undefined ? {} : { loader: options.loader }) }),
      ...rolloutHandlers({ home, registry, endpoints, live, ...given }),
      ...monitorHandlers({ home, endpoints, live, executions: options.executions, ...given }),
    ],
    close: () => live.close(),
  };
}

/** Artifacts by their address; other models lie where they lay when they were deployed. */
export function modelLocator(artifacts: ArtifactStore): (model: ServedModel) => Promise<string> {
  return async (model) =>
    model.uri.startsWith('artifact://') ? artifacts.path(model.uri) : model.path;
}
