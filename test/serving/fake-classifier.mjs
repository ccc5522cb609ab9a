// A stand-in for src/ml/encoder/classifier.ts: `model.json` in the folder says how it behaves.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export async function loadClassifier(folder) {
  const model = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
  if (model.loadMs) await new Promise((resolve) => setTimeout(resolve, model.loadMs));
  if (model.broken) throw new Error('the weights are damaged');
  if (model.dieWhileLoading) process.exit(7);
  const labels = ['positive', 'neutral', 'negative'];
  let runs = 0;
  return {
    labels,
    async predict(texts) {
      runs++;
      if (texts.includes('RUNS'))
        return texts.map(() => ({
          label: labels[0],
          score: runs,
          scores: [runs, texts.length, 0],
        }));
      if (model.failing && !texts.includes('HEALTH')) throw new Error('the model is bad');
      if (texts.includes('THROW')) throw new Error('the model cannot read this');
      if (texts.includes('NAN'))
        return texts.map(() => ({ label: labels[0], score: Number.NaN, scores: [0, 0, 0] }));
      if (texts.includes('DIE')) process.exit(9);
      if (texts.includes('HANG')) for (;;);
      const slow = texts.includes('SLOW') ? 400 : 0;
      const until = Date.now() + slow;
      while (Date.now() < until);
      return texts.map((text) => {
        const label =
          model.always ??
          (/(bad|terrible)/i.test(text) ? 'negative' : /okay/i.test(text) ? 'neutral' : 'positive');
        const scores = labels.map((name) => (name === label ? 0.9 : 0.05));
        return { label, score: 0.9, scores };
      });
    },
    close() {},
  };
}
