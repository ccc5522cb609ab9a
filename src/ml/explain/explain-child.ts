/** The child process of `ml:explain`: loads the model once and explains every text with it. */
import type { JsonObject } from '../../lib/json.js';
import { answerJob, tell } from '../child-job.js';
import { DataFailure, isNamed, reasonOf } from '../data/data-failure.js';
import type { Classifier, LoadClassifier } from '../metrics/evaluate.js';
import { explain, type ExplainOptions, type Scored } from './explain.js';

export interface ExplainJob {
  readonly classifierModule: string;
  readonly modelPath: string;
  readonly model: string;
  readonly texts: readonly string[];
  readonly options: ExplainOptions;
}

answerJob<ExplainJob>('Explain', async (job) => {
  const classifier = await load(job);
  try {
    const explanations: JsonObject[] = [];
    for (const text of job.texts) {
      tell({ type: 'progress', done: explanations.length, total: job.texts.length, note: null });
      const predict = async (texts: readonly string[]) =>
        scored(await classifier.predict(texts), classifier.labels);
      explanations.push((await explain(text, predict, job.options)) as unknown as JsonObject);
    }
    return { explanations };
  } finally {
    await classifier.close();
  }
});

function scored(
  predictions: Awaited<ReturnType<Classifier['predict']>>,
  labels: readonly string[],
): readonly Scored[] {
  return predictions.map(({ label, scores }) => ({
    label,
    scores: Array.isArray(scores)
      ? Object.fromEntries(labels.map((name, i) => [name, scores[i] as number]))
      : (scores as Readonly<Record<string, number>>),
  }));
}

async function load(job: ExplainJob): Promise<Classifier> {
  const module = (await import(job.classifierModule)) as { loadClassifier: LoadClassifier };
  try {
    return await module.loadClassifier(job.modelPath, {});
  } catch (error) {
    if (isNamed(error)) throw error;
    throw new DataFailure('Explain.ModelNotLoaded', `${job.model}: ${reasonOf(error)}.`);
  }
}
