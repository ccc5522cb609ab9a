/** Stands for the encoder in tests of the evaluation: obeys `fake.json` in the model folder. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const labels = ['positive', 'neutral', 'negative'];

export async function loadClassifier(dir: string, options: { threads?: number }) {
  const { mode } = JSON.parse(await readFile(join(dir, 'fake.json'), 'utf8')) as { mode: string };
  if (mode === 'unloadable') throw new Error('no such operator: Gelu99');
  await writeFile(join(dir, 'pid'), String(process.pid));
  await writeFile(join(dir, 'seen.json'), JSON.stringify({ options, env: process.env }));
  return {
    labels,
    predict: async (texts: string[]) => {
      if (mode === 'hang') for (;;);
      if (mode === 'crash') process.abort();
      if (mode === 'nan')
        return texts.map(() => ({ label: 'neutral', score: 1, scores: [1, Number.NaN, 0] }));
      return texts.map((text) => {
        const best = labels.findIndex((label) => text.includes(label));
        const scores = labels.map((_, i) => (i === best ? 0.8 : 0.1));
        return { label: labels[best] as string, score: 0.8, scores };
      });
    },
    close: async () => undefined,
  };
}
