/**
 * Accuracy and time of the four strategies on the main job's data with the shipped base, by the
 * product's own split (80/20, seed 42). `STRATEGIES_ON=validation` scores a tenth taken from the
 * training rows instead: that is where the recipes below were chosen, never on the test rows.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '../src/lib/json.js';
import { datasetRows } from '../src/ml/data/dataset.js';
import { preprocess } from '../src/ml/data/preprocess.js';
import { loadClassifier } from '../src/ml/encoder/classifier.js';
import { type FineTuneOptions, type FineTuneResult, fineTune } from '../src/ml/fine-tune.js';

const ROOT = join(import.meta.dirname, '..');
const LABELS = ['positive', 'neutral', 'negative'];
/** What every strategy shares. */
const COMMON = { batchSize: 16, seed: 42, labels: LABELS } as const;

const RECIPES = {
  'feature-extraction': { epochs: 30, learningRate: 3e-3 },
  full: { epochs: 4, learningRate: 3e-4 },
  discriminative: { epochs: 4, learningRate: 5e-4, layerDecay: 0.8 },
  'gradual-unfreezing': {
    epochs: 4,
    learningRate: 3e-4,
    stages: [
      { trainableLayers: 0, epochs: 10, learningRate: 3e-3 },
      { trainableLayers: 2, epochs: 1 },
      { trainableLayers: null, epochs: 3 },
    ],
  },
} as const satisfies Partial<Record<string, Partial<FineTuneOptions>>>;

export async function measureStrategies(): Promise<JsonObject> {
  const folder = mkdtempSync(join(tmpdir(), 'stepwell-strategies-'));
  const onValidation = process.env.STRATEGIES_ON === 'validation';
  const only = process.env.STRATEGIES?.split(',');
  try {
    const rows = await prepare(folder, onValidation);
    console.log(`\nFour strategies, ${rows.train} rows to learn, ${rows.held} held out`);
    console.log(
      '| strategy | held-out accuracy | trained parameters (last stage) | steps | seconds | CPU seconds |',
    );
    console.log('|---|---|---|---|---|---|');
    const results: Record<string, JsonObject> = {};
    for (const [strategy, recipe] of Object.entries(RECIPES)) {
      if (only !== undefined && !only.includes(strategy)) continue;
      const result = await fineTune({
        ...COMMON,
        ...(recipe as Partial<FineTuneOptions>),
        strategy: strategy as FineTuneOptions['strategy'],
        model: join(ROOT, 'models/stepwell-mini-bert'),
        trainPath: join(folder, 'train.jsonl'),
        outputDir: join(folder, strategy),
      });
      const accuracy = await accuracyOf(result, join(folder, 'held.jsonl'));
      const { trainableParameters, steps, seconds, cpuSeconds } = result;
      const cells = [
        strategy,
        `${(100 * accuracy).toFixed(1)} %`,
        trainableParameters,
        steps,
        Math.round(seconds),
        Math.round(cpuSeconds),
      ];
      console.log(`| ${cells.join(' | ')} |`);
      results[strategy] = { accuracy, trainableParameters, steps, seconds, cpuSeconds };
    }
    return results;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function prepare(folder: string, onValidation: boolean) {
  const path = join(ROOT, 'data/customer_feedback.csv');
  const held = onValidation ? 'validation' : 'test';
  const dataset = await preprocess(
    {
      labelColumn: 'sentiment',
      labelMap: { positive: 0, neutral: 1, negative: 2 },
      split: { testSize: 0.2, validationSize: onValidation ? 0.1 : 0, seed: 42 },
    },
    {
      address: path,
      rows: () => datasetRows({ path, address: path }, new AbortController().signal),
      put: async (side, bytes) => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of bytes) chunks.push(chunk);
        const file = join(folder, side === held ? 'held.jsonl' : `${side}.jsonl`);
        await writeFile(file, Buffer.concat(chunks));
        return { uri: file, sha256: '' };
      },
      progress: () => undefined,
    },
  );
  const count = (side: string) => (dataset[side] as JsonObject).rows as number;
  return { train: count('train'), held: count(held) };
}

async function accuracyOf({ modelDir }: FineTuneResult, path: string): Promise<number> {
  const rows = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { text: string; label: string });
  const classifier = await loadClassifier(modelDir, { threads: 2 });
  const answers = await classifier.predict(rows.map((row) => row.text));
  await classifier.close();
  return answers.filter(({ label }, i) => label === rows[i]!.label).length / rows.length;
}
