/** Wires the handlers of a model's life to the learning library, the registry and the endpoints. */
import { join } from 'node:path';
import type { Config } from '../handlers/config/config.js';
import { ConfigError } from '../handlers/config/place.js';
import type { ArtifactStore, Handler, Logger } from '../handlers/handler.js';
import type { ExecutionService } from '../handlers/execution-service.js';
import { deployHandler } from '../handlers/ml/deploy.js';
import { calibrateHandler } from '../handlers/ml/evaluation/calibrate.js';
import { compareHandler } from '../handlers/ml/evaluation/compare.js';
import { fairnessHandler } from '../handlers/ml/evaluation/fairness.js';
import { gateHandler } from '../handlers/ml/evaluation/gate.js';
import { evaluateHandler } from '../handlers/ml/evaluate.js';
import { type FineTune, fineTuneHandler } from '../handlers/ml/fine-tune.js';
import { imageFolderHandler } from '../handlers/ml/image-folder.js';
import { ingestHandler } from '../handlers/ml/ingest.js';
import { preprocessHandler } from '../handlers/ml/preprocess.js';
import { profileHandler } from '../handlers/ml/profile.js';
import { cached } from '../handlers/ml/records/cached.js';
import { withLineage } from '../handlers/ml/records/lineage.js';
import { tracked } from '../handlers/ml/records/tracked.js';
import { registerHandler } from '../handlers/ml/register.js';
import { searchSpaceHandler, selectBestHandler } from '../handlers/ml/search.js';
import { transformHandler } from '../handlers/ml/transform.js';
import { validateHandler } from '../handlers/ml/validate.js';
import { createSageMaker, openSageMakerRecords } from '../handlers/sagemaker/index.js';
import { type ReadSecret, resolveSecret } from '../handlers/secrets.js';
import type { TrainingJobTarget } from '../handlers/training-job/job.js';
import { getOwn, isObject, type JsonObject } from '../lib/json.js';
import type { S3Settings } from '../ml/data/source-s3.js';
import { fineTune } from '../ml/fine-tune.js';
import { openLineage } from '../ml/lineage/events.js';
import { type PolicyStore, openPolicies } from '../ml/gates/policy-store.js';
import { openRegistry } from '../ml/registry/index.js';
import { openResultCache } from '../ml/result-cache.js';
import { openRuns } from '../ml/tracking/run-store.js';
import { openWorkspaces } from '../ml/workspace.js';
import { endpointsFolder, openEndpoints } from '../serving/index.js';
import { createServingHandlers } from './serving-handlers.js';
import { VERSION } from './version.js';

export interface MlHandlers {
  readonly handlers: readonly Handler[];
  /** Ends background jobs. */
  close(): Promise<void>;
}

export interface MlHandlersOptions {
  readonly config: Config;
  readonly home: string;
  readonly secret: ReadSecret;
  readonly artifacts: ArtifactStore;
  readonly log: Logger;
  /** For nested executions. */
  readonly executions: Promise<ExecutionService>;
  /** Time of metrics, monitors and rollouts; default: the system's. */
  readonly now?: () => number;
  /** URL of a module with `loadClassifier`; default: our own encoder. */
  readonly loader?: string;
}

export function createMlHandlers(options: MlHandlersOptions): MlHandlers {
  const { config, home, secret } = options;
  const { now } = options;
  const registry = openRegistry({
    folder: join(home, 'registry'),
    ...(now === undefined ? {} : { now }),
  });
  const endpoints = openEndpoints(endpointsFolder(home), now);
  const workspaces = openWorkspaces(join(home, 'workspaces'));
  const ingest = ingestHandler({ s3: s3Settings(config, secret) });
  const training = { fineTune: fineTune as FineTune };
  const loader = options.loader === undefined ? {} : { loader: options.loader };
  const deploy = { registry, endpoints, ...loader };
  const serving = createServingHandlers({ ...options, registry, endpoints });
  const sagemaker = createSageMaker({
    fineTune: training,
    deploy,
    data: { ingest },
    workspaces,
    records: openSageMakerRecords(home),
    defaults: {
      trainingDefaults: section(config.sagemaker, 'trainingDefaults'),
      endpointDefaults: section(config.sagemaker, 'endpointDefaults'),
    },
    workFolder: join(home, 'jobs'),
    jobOfImage: (image) => trainingJobOf(config, image),
  });
  const recorded = recordsOf(options);
  return {
    handlers: [
      ...[
        ...ownHandlers({ ingest, training, policies: openPolicies(join(home, 'policies')) }),
        registerHandler({ registry }),
        deployHandler(deploy),
      ].map(recorded),
      ...serving.handlers,
      ...sagemaker.handlers.map(recorded),
    ],
    close: async () => {
      await sagemaker.stop();
      await serving.close();
    },
  };
}

function ownHandlers(parts: {
  readonly ingest: Handler;
  readonly training: { readonly fineTune: FineTune };
  readonly policies: PolicyStore;
}): readonly Handler[] {
  return [
    parts.ingest,
    profileHandler,
    validateHandler,
    preprocessHandler,
    transformHandler,
    imageFolderHandler,
    fineTuneHandler(parts.training),
    searchSpaceHandler,
    selectBestHandler,
    evaluateHandler(),
    fairnessHandler,
    compareHandler,
    calibrateHandler,
    gateHandler({ policies: parts.policies }),
  ];
}

/** Their results follow from their parameters and inputs alone, so they may be answered from before. */
const CACHEABLE: ReadonlySet<string> = new Set([
  'ml:profile',
  'ml:validate',
  'ml:preprocess',
  'ml:transform',
  'ml:image-folder',
  'ml:fine-tune',
  'ml:evaluate',
  'ml:fairness',
  'ml:compare',
  'ml:calibrate',
]);
const TRACKED = /^ml:(fine-tune|evaluate)$|sagemaker:createTrainingJob/;

/** Run tracking innermost, so that a cached answer makes no run; lineage outermost. */
function recordsOf(options: MlHandlersOptions): (handler: Handler) => Handler {
  const { config, home, now } = options;
  const clock = now === undefined ? {} : { now };
  const always = new Set(config.cache.handlers);
  const other = config.cache.handlers.find((name) => !CACHEABLE.has(name));
  if (other !== undefined) {
    throw new ConfigError(
      `${config.path ?? 'The configuration'}, at /cache/handlers: "${other}" cannot be cached. ` +
        `These can: ${[...CACHEABLE].join(', ')}.`,
    );
  }
  const cache = openResultCache(join(home, 'cache'), now);
  const runs = openRuns(join(home, 'mlruns'), now);
  const { namespace, openLineageUrl: url } = config.lineage;
  const lineage = openLineage({ folder: join(home, 'lineage'), namespace, ...clock });
  return (handler) => {
    const { resource } = handler;
    const followed = TRACKED.test(resource) ? tracked(handler, runs) : handler;
    const answered = CACHEABLE.has(resource)
      ? cached(followed, { cache, version: VERSION, always, ...clock })
      : followed;
    return withLineage(answered, { lineage, url });
  };
}

/** `sagemaker.trainingImages`: which function does the work of an image. */
function trainingJobOf(config: Config, image: string): TrainingJobTarget | null {
  const name = getOwn(section(config.sagemaker, 'trainingImages'), image);
  if (typeof name !== 'string') return null;
  const target = config.functions.get(name);
  if (target?.kind === 'training-job') return target;
  throw new ConfigError(
    `${config.path ?? 'The configuration'}, at /sagemaker/trainingImages: "${name}" is no function ` +
      'with "contract": "sagemaker".',
  );
}

function section(of: JsonObject, name: string): JsonObject {
  const value = getOwn(of, name);
  return isObject(value) ? value : {};
}

function s3Settings(config: Config, secret: ReadSecret): S3Settings {
  const { s3 } = config;
  if (s3 === null) return {};
  const { accessKeyId, secretAccessKey } = s3;
  return {
    ...(s3.endpoint === null ? {} : { endpoint: s3.endpoint }),
    ...(s3.region === null ? {} : { region: s3.region }),
    forcePathStyle: s3.forcePathStyle,
    ...(accessKeyId === null || secretAccessKey === null
      ? {}
      : {
          credentials: async () => ({
            accessKeyId: resolveSecret(accessKeyId, secret),
            secretAccessKey: resolveSecret(secretAccessKey, secret),
          }),
        }),
  };
}
