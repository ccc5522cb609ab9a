/** An evaluation as a job: what it needs, and what a model must offer. */
import type { JsonObject } from '../../lib/json.js';
import { type JobHooks, runChildJob } from '../child-job.js';

/** What `src/ml/encoder/classifier.ts` promises; a test brings its own module. */
export type LoadClassifier = (
  dir: string,
  options: { readonly threads?: number; readonly imageFolder?: string },
) => Promise<Classifier>;

export interface Classifier {
  readonly labels: readonly string[];
  predict(texts: readonly string[]): Promise<readonly Predicted[]>;
  close(): Promise<void>;
}

export interface Predicted {
  readonly label: string;
  readonly score: number;
  /** Probabilities in the order of the labels, or by label. */
  readonly scores: readonly number[] | Readonly<Record<string, number>>;
}

export interface Job {
  /** URL of the module with `loadClassifier`. */
  readonly classifierModule: string;
  readonly modelPath: string;
  /** As a person knows model and dataset. */
  readonly model: string;
  readonly address: string;
  readonly datasetPath: string;
  readonly textColumn: string;
  readonly labelColumn: string;
  /** Columns written beside each prediction, for slices and fairness. */
  readonly keepColumns: readonly string[];
  readonly batchSize: number;
  readonly threads: number | null;
  readonly latencySamples: number;
  /** A new file: predictions as JSON Lines. */
  readonly predictionsPath: string;
}

export async function runEvaluation(job: Job, hooks: JobHooks): Promise<JsonObject> {
  const kind = { script: './metrics/evaluate-child', noun: 'evaluation', prefix: 'Evaluation' };
  return await runChildJob(kind, job, hooks);
}
