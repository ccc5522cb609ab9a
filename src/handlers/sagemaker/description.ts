/**
 * The Describe response of a training job and how it changes from status to status. Pure: the caller
 * stores it. Times are epoch milliseconds, as the optimised integration writes them.
 */
import { fromEntries, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { TaskFailure } from '../handler.js';

/** API DescribeTrainingJob: FailureReason has at most 1024 characters. */
const MAX_FAILURE_REASON = 1024;
/** SageMaker's own default of MaxRuntimeInSeconds. */
export const MAX_RUNTIME_SECONDS = 86_400;

export function initialDescription(request: JsonObject, arn: string, now: number): JsonObject {
  return {
    TrainingJobName: request.TrainingJobName as string,
    TrainingJobArn: arn,
    ModelArtifacts: { S3ModelArtifacts: '' },
    TrainingJobStatus: 'InProgress',
    SecondaryStatus: 'Starting',
    HyperParameters: isObject(request.HyperParameters) ? request.HyperParameters : {},
    AlgorithmSpecification: isObject(request.AlgorithmSpecification)
      ? request.AlgorithmSpecification
      : { TrainingImage: 'stepwell/fine-tune', TrainingInputMode: 'File' },
    RoleArn: request.RoleArn as string,
    ...(isArray(request.InputDataConfig) ? { InputDataConfig: request.InputDataConfig } : {}),
    OutputDataConfig: isObject(request.OutputDataConfig)
      ? request.OutputDataConfig
      : { S3OutputPath: 'artifact://' },
    ResourceConfig: isObject(request.ResourceConfig)
      ? request.ResourceConfig
      : { InstanceType: 'local', InstanceCount: 1, VolumeSizeInGB: 1 },
    StoppingCondition: isObject(request.StoppingCondition)
      ? request.StoppingCondition
      : { MaxRuntimeInSeconds: MAX_RUNTIME_SECONDS },
    CreationTime: now,
    LastModifiedTime: now,
    SecondaryStatusTransitions: [
      { Status: 'Starting', StartTime: now, StatusMessage: MESSAGES.Starting },
    ],
    EnableNetworkIsolation: true,
    EnableInterContainerTrafficEncryption: false,
    EnableManagedSpotTraining: false,
  };
}

const MESSAGES = {
  Starting: 'Starting the training job',
  Downloading: 'Finding the input data',
  Training: 'Training in progress',
  Uploading: 'Storing the trained model',
  Completed: 'Training job completed',
  Failed: 'Training job failed',
  Stopped: 'Training job stopped',
  MaxRuntimeExceeded: 'Training job ran longer than MaxRuntimeInSeconds',
  Restarting: 'Going on from the last checkpoint',
} as const;
type Secondary = keyof typeof MESSAGES;

/** A job whose attempt was lost or failed goes on: its earlier ending is taken back. */
export function restarted(description: JsonObject, now: number): JsonObject {
  const { FailureReason, TrainingEndTime, BillableTimeInSeconds, TrainingTimeInSeconds, ...rest } =
    description;
  if (description.SecondaryStatus === 'Starting') return rest;
  return entered({ ...rest, TrainingJobStatus: 'InProgress' }, 'Restarting', now);
}

export function entered(description: JsonObject, status: Secondary, now: number): JsonObject {
  const before = isArray(description.SecondaryStatusTransitions)
    ? (description.SecondaryStatusTransitions as JsonObject[])
    : [];
  const closed = before.map((item, index) =>
    index === before.length - 1 && item.EndTime === undefined ? { ...item, EndTime: now } : item,
  );
  const next: JsonObject = { Status: status, StartTime: now, StatusMessage: MESSAGES[status] };
  return {
    ...description,
    SecondaryStatus: status,
    LastModifiedTime: now,
    SecondaryStatusTransitions: [...closed, next],
  };
}

export function completed(description: JsonObject, result: JsonObject, now: number): JsonObject {
  const model = result.model as JsonObject;
  return {
    ...ended(entered(description, 'Completed', now), now),
    TrainingJobStatus: 'Completed',
    ModelArtifacts: { S3ModelArtifacts: model.uri as string },
    FinalMetricDataList: metricsOf(isObject(result.metrics) ? result.metrics : {}, now),
  };
}

function ended(description: JsonObject, now: number): JsonObject {
  const startedAt = Number(description.TrainingStartTime ?? now);
  const seconds = Math.max(1, Math.ceil((now - startedAt) / 1000));
  return {
    ...description,
    TrainingEndTime: now,
    TrainingTimeInSeconds: seconds,
    BillableTimeInSeconds: seconds,
  };
}

/** Numbers of the metrics object, those inside it under `outer:inner`. */
function metricsOf(metrics: JsonObject, now: number, prefix = ''): JsonObject[] {
  return Object.entries(metrics).flatMap(([key, value]) => {
    if (typeof value === 'number')
      return [{ MetricName: prefix + key, Value: value, Timestamp: now }];
    return isObject(value) && prefix === '' ? metricsOf(value, now, `${key}:`) : [];
  });
}

export type Ending = 'Failed' | 'Stopped' | 'MaxRuntimeExceeded';

/** The description of a job that did not complete; only a failed one has a FailureReason. */
export function endedAs(
  ending: Ending,
  error: unknown,
  description: JsonObject,
  now: number,
): JsonObject {
  const last = ended(entered(description, ending, now), now);
  if (ending !== 'Failed') return { ...last, TrainingJobStatus: 'Stopped' };
  const reason = reasonOf(error).slice(0, MAX_FAILURE_REASON);
  return { ...last, TrainingJobStatus: 'Failed', FailureReason: reason };
}

/** SageMaker marks what the training itself has said with `AlgorithmError`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof TaskFailure)) {
    return `AlgorithmError: ${error instanceof Error ? error.message : String(error)}`;
  }
  const ours = /^[A-Za-z]+$/.test(error.error);
  return `${ours ? '' : 'AlgorithmError: '}${error.error}: ${error.reason}`;
}

export function abandoned(description: JsonObject, now: number): JsonObject {
  return {
    ...ended(entered(description, 'Failed', now), now),
    TrainingJobStatus: 'Failed',
    FailureReason: 'InternalServerError: the process that ran the job has ended.',
  };
}

export function withIsoDates(value: Json): Json {
  if (isArray(value)) return value.map(withIsoDates);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    const isDate = typeof item === 'number' && /(Time|Timestamp)$/.test(key);
    return [key, isDate ? new Date(item).toISOString() : withIsoDates(item)] as const;
  });
  return fromEntries(entries);
}
