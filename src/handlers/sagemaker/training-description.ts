/** `aws-sdk:sagemaker:describeTrainingJob`: what is known of a job that was run here. */
import type { JsonObject } from '../../lib/json.js';
import type { HandlerContext } from '../handler.js';
import { abandoned, withIsoDates } from './description.js';
import { Findings, sagemakerError } from './errors.js';
import type { SageMakerOptions } from './options.js';

/** The aws-sdk integration writes dates as ISO texts, the optimised one as epoch milliseconds. */
export async function describeTrainingJob(
  parameters: JsonObject,
  context: HandlerContext,
  options: SageMakerOptions,
): Promise<JsonObject> {
  const findings = new Findings(context);
  findings.name('TrainingJobName', parameters.TrainingJobName);
  findings.raise();
  const name = parameters.TrainingJobName as string;
  const record = await options.records.get('training-jobs', name);
  if (record === null) {
    throw sagemakerError('ResourceNotFound', 'Requested resource not found.', context);
  }
  const now = (options.now ?? Date.now)();
  const current = record.description as JsonObject;
  const lost = current.TrainingJobStatus === 'InProgress' && !runs(Number(record.pid));
  return withIsoDates(lost ? abandoned(current, now) : current) as JsonObject;
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}
