/**
 * SageMaker's part of Step Functions, executed on this machine: training jobs by ml:fine-tune,
 * endpoints by ml:deploy. The composition root calls `settle` or `stop` before it exits, so that no
 * job of a request-response createTrainingJob is cut off unseen.
 */
import type { Handler } from './handler.js';
import { endpointHandlers } from './sagemaker-endpoints.js';
import type { SageMakerOptions } from './sagemaker-options.js';
import { backgroundJobs, trainingHandlers } from './sagemaker-training.js';

export type { SageMakerDefaults, SageMakerOptions } from './sagemaker-options.js';
export { type WorkspaceParts, workspaceHandlers } from './sagemaker-workspace.js';
export { openSageMakerRecords, type SageMakerRecords } from './sagemaker-records.js';

export interface SageMaker {
  readonly handlers: readonly Handler[];
  /** Resolves when every background training job has ended. */
  settle(): Promise<void>;
  /** Aborts background training jobs. */
  stop(): Promise<void>;
}

export function createSageMaker(options: SageMakerOptions): SageMaker {
  const background = backgroundJobs();
  return {
    handlers: [...trainingHandlers(options, background), ...endpointHandlers(options)],
    settle: () => background.settle(),
    stop: () => background.stop(),
  };
}
