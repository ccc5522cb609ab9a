/** CreateTrainingJob's request: what is wrong with it, in SageMaker's words, and what its members name. */
import { fromEntries, isArray, isObject, type JsonObject } from '../../lib/json.js';
import type { HandlerContext } from '../handler.js';
import { readHyperparameters } from '../ml/fine-tune-hyperparameters.js';
import { Findings } from './errors.js';
import { mergeDeep, type SageMakerOptions } from './options.js';
import type { TrainingJobTarget } from '../training-job/job.js';

/** What the request leaves out comes from the configuration. */
export function withTrainingDefaults(
  parameters: JsonObject,
  options: SageMakerOptions,
): JsonObject {
  return mergeDeep(textual(options.defaults?.trainingDefaults ?? {}), parameters);
}

/** A person writes 3 in the configuration where SageMaker's map wants "3". */
function textual(defaults: JsonObject): JsonObject {
  const { HyperParameters } = defaults;
  if (!isObject(HyperParameters)) return defaults;
  const texts = Object.entries(HyperParameters).map(([key, value]) => {
    return [key, typeof value === 'string' ? value : JSON.stringify(value)] as const;
  });
  return { ...defaults, HyperParameters: fromEntries(texts) };
}

export function checkTrainingRequest(
  request: JsonObject,
  context: HandlerContext,
  isOwnProgram: boolean,
): void {
  const findings = new Findings(context);
  findings.name('TrainingJobName', request.TrainingJobName);
  findings.roleArn('RoleArn', request.RoleArn);
  const hyperparameters = isObject(request.HyperParameters) ? request.HyperParameters : {};
  for (const [key, value] of Object.entries(hyperparameters)) {
    const at = `hyperParameters.${key}.member`;
    if (typeof value !== 'string')
      findings.add(`Value at '${at}' must be a string, as "${String(value)}"`);
    else if (value.length > 2500) {
      findings.constraint(at, value, 'Member must have length less than or equal to 2500');
    }
    if (key.length > 256) {
      findings.constraint(at, key, 'Member must have length less than or equal to 256');
    }
  }
  // A program of the user's own has hyperparameters that only it knows.
  const problems = isOwnProgram ? [] : readHyperparameters(hyperparameters).problems;
  for (const problem of problems) findings.add(`Value at 'hyperParameters': ${problem}`);
  for (const [index, channel] of channelsIn(request).entries()) {
    const at = `InputDataConfig.${index + 1}.member`;
    if (!isObject(channel) || typeof channel.ChannelName !== 'string') {
      findings.missing(`${at}.channelName`);
    } else if (uriOfChannel(channel) === null) findings.missing(`${at}.dataSource`);
  }
  findings.raise();
}

export function channelsIn({ InputDataConfig }: JsonObject): readonly JsonObject[] {
  return (isArray(InputDataConfig) ? InputDataConfig : []) as readonly JsonObject[];
}

export function uriOfChannel(channel: JsonObject): string | null {
  const source = isObject(channel.DataSource) ? channel.DataSource : {};
  const s3 = isObject(source.S3DataSource) ? source.S3DataSource : {};
  const files = isObject(source.FileSystemDataSource) ? source.FileSystemDataSource : {};
  if (typeof s3.S3Uri === 'string') return s3.S3Uri;
  return typeof files.DirectoryPath === 'string' ? files.DirectoryPath : null;
}

/** The image of the request; null when it names none. */
export function imageOf({ AlgorithmSpecification }: JsonObject): string | null {
  const image = isObject(AlgorithmSpecification) ? AlgorithmSpecification.TrainingImage : null;
  return typeof image === 'string' ? image : null;
}

/** The program or container that is configured for the request's image; null: ml:fine-tune. */
export function jobTargetOf(
  request: JsonObject,
  options: SageMakerOptions,
): TrainingJobTarget | null {
  const image = imageOf(request);
  return image === null ? null : (options.jobOfImage?.(image) ?? null);
}
