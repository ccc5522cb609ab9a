/**
 * SageMaker's part of Step Functions, executed on this machine: training jobs by ml:fine-tune,
 * endpoints by ml:deploy. The composition root calls `settle` or `stop` before it exits, so that no
 * job of a request-response createTrainingJob is cut off unseen.
 */
import type { Handler } from '../handler.js';
import { backgroundJobs } from './background.js';
import { evaluateHandler } from '../ml/evaluate.js';
import { ingestHandler } from '../ml/ingest.js';
import { preprocessHandler } from '../ml/preprocess.js';
import { validateHandler } from '../ml/validate.js';
import { endpointHandlers } from './endpoints.js';
import type { DataHandlers, SageMakerOptions } from './options.js';
import { trainingHandlers } from './training.js';
import { workspaceHandlers } from './workspace.js';

export type { DataHandlers, SageMakerDefaults, SageMakerOptions } from './options.js';
export { openSageMakerRecords, type SageMakerRecords } from './records.js';

export interface SageMaker {
  readonly handlers: readonly Handler[];
  /** Resolves when every background training job has ended. */
  settle(): Promise<void>;
  /** Aborts background training jobs. */
  stop(): Promise<void>;
}

const DATA_HANDLERS: DataHandlers = {
  ingest: ingestHandler(),
  validate: validateHandler,
  preprocess: preprocessHandler,
  evaluate: evaluateHandler(),
};

export function createSageMaker(options: SageMakerOptions): SageMaker {
  const background = backgroundJobs();
  return {
    handlers: [
      ...trainingHandlers(options, background),
      ...endpointHandlers(options),
      ...workspaceHandlers({ ...DATA_HANDLERS, ...options.data }, options.workspaces),
    ],
    settle: () => background.settle(),
    stop: () => background.stop(),
  };
}
