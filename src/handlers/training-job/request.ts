/** A CreateTrainingJob request done by a configured program or container instead of ml:fine-tune. */
import { isArray, isObject, type JsonObject } from '../../lib/json.js';
import { type HandlerContext, TaskFailure } from '../handler.js';
import { runTrainingJob, type TrainingJobTarget } from './job.js';

/** `channels` hold addresses that can be read here; the result has the model that SageMaker wants. */
export async function runRequestedJob(
  target: TrainingJobTarget,
  jobName: string,
  request: JsonObject,
  channels: JsonObject,
  context: HandlerContext,
): Promise<JsonObject> {
  const algorithm = isObject(request.AlgorithmSpecification) ? request.AlgorithmSpecification : {};
  const result = await runTrainingJob(
    target,
    {
      jobName,
      hyperparameters: isObject(request.HyperParameters) ? request.HyperParameters : {},
      channels,
      environment: isObject(request.Environment) ? request.Environment : {},
      ...(isArray(algorithm.MetricDefinitions)
        ? { metricDefinitions: algorithm.MetricDefinitions }
        : {}),
      modelFormat: 'tar.gz',
    },
    context,
  );
  if (result.model !== null) return result;
  throw new TaskFailure('AlgorithmError', 'The training left nothing in /opt/ml/model.');
}
