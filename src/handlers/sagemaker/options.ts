/** What the SageMaker handlers share: their options, defaults under parameters, and ARNs. */
import { isObject, type Json, type JsonObject, setOwn, shallowCopy } from '../../lib/json.js';
import type { Workspaces } from '../../ml/workspace.js';
import type { Handler, HandlerContext } from '../handler.js';
import type { DeployOptions } from '../ml/deploy.js';
import type { FineTuneHandlerOptions } from '../ml/fine-tune.js';
import type { SageMakerRecords } from './records.js';
import type { TrainingJobTarget } from '../training-job/job.js';

/** `"sagemaker"` of the configuration: what a machine's parameters leave out. */
export interface SageMakerDefaults {
  /** Members of CreateTrainingJob; HyperParameters merge key by key. */
  readonly trainingDefaults?: JsonObject;
  /**
   * Members of CreateEndpoint, and our own: `ModelName` (name in the registry), `InstanceCount`,
   * `HealthCheck` ({texts, labels, minAgreement}).
   */
  readonly endpointDefaults?: JsonObject;
}

/** The steps between which a machine's execution remembers what was made. */
export interface DataHandlers {
  readonly ingest: Handler;
  readonly validate: Handler;
  readonly preprocess: Handler;
  readonly evaluate: Handler;
}

export interface SageMakerOptions {
  readonly fineTune: FineTuneHandlerOptions;
  readonly deploy: DeployOptions;
  readonly workspaces: Workspaces;
  readonly records: SageMakerRecords;
  readonly defaults?: SageMakerDefaults;
  /** The data handlers behind `workspace:*`; those of this folder by default. */
  readonly data?: Partial<DataHandlers>;
  /** Local copy of an `s3://` object; without it such a channel is refused by name. */
  readonly fetchS3?: (uri: string, context: HandlerContext) => Promise<string>;
  /** The configured job that does the work of a training image; null leaves it to ml:fine-tune. */
  readonly jobOfImage?: (image: string) => TrainingJobTarget | null;
  /** Folder for the work of jobs that outlive their task (createTrainingJob without `.sync`). */
  readonly workFolder: string;
  readonly now?: () => number;
}

/** `given` over `defaults`: objects merge, everything else replaces. */
export function mergeDeep(defaults: JsonObject, given: JsonObject): JsonObject {
  const merged = shallowCopy(defaults);
  for (const key of Object.keys(given)) {
    const value = given[key] as Json;
    const under = Object.hasOwn(merged, key) ? merged[key] : undefined;
    setOwn(merged, key, isObject(value) && isObject(under) ? mergeDeep(under, value) : value);
  }
  return merged;
}

export function sagemakerArn(context: HandlerContext, resource: string): string {
  const [, , , region = 'us-east-1', account = '000000000000'] =
    context.task.executionArn.split(':');
  return `arn:aws:sagemaker:${region}:${account}:${resource}`;
}

/** A name that SageMaker takes, made from any text. */
export function nameFrom(text: string): string {
  const name = text
    .replaceAll(/[^a-zA-Z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '');
  return name === '' ? 'stepwell' : name;
}
