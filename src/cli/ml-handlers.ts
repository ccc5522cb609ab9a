/** Wires the handlers of a model's life to the learning library, the registry and the endpoints. */
import { join } from 'node:path';
import { type Config, ConfigError } from '../handlers/config.js';
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
import { registerHandler } from '../handlers/ml/register.js';
import { searchSpaceHandler, selectBestHandler } from '../handlers/ml/search.js';
import { validateHandler } from '../handlers/ml/validate.js';
import { createSageMaker, openSageMakerRecords } from '../handlers/sagemaker.js';
import { type ReadSecret, resolveSecret } from '../handlers/secrets.js';
import type { TrainingJobTarget } from '../handlers/training-job/job.js';
import { getOwn, isObject, type JsonObject } from '../lib/json.js';
import type { S3Settings } from '../ml/data/source-s3.js';
import { fineTune } from '../ml/fine-tune.js';
import { openPolicies } from '../ml/gates/policy-store.js';
import { openRegistry } from '../ml/registry/index.js';
import { openWorkspaces } from '../ml/workspace.js';
import { endpointsFolder, openEndpoints } from '../serving/index.js';
import { createServingHandlers } from './serving-handlers.js';

export interface MlHandlers {
  readonly handlers: readonly Handler[];
  /** Ends background jobs. */
  close(): Promise<void>;
}

export function createMlHandlers(options: {
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
}): MlHandlers {
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
  return {
    handlers: [
      ingest,
      validateHandler,
      preprocessHandler,
      imageFolderHandler,
      fineTuneHandler(training),
      searchSpaceHandler,
      selectBestHandler,
      evaluateHandler(),
      fairnessHandler,
      compareHandler,
      calibrateHandler,
      gateHandler({ policies: openPolicies(join(home, 'policies')) }),
      registerHandler({ registry }),
      deployHandler(deploy),
      ...serving.handlers,
      ...sagemaker.handlers,
    ],
    close: async () => {
      await sagemaker.stop();
      await serving.close();
    },
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
