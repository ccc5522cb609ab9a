/** A two-label task that a tiny model learns in seconds. */
import { writeFileSync } from 'node:fs';
import { SeededRandom } from '../../../src/ml/onnx/seeded-random.js';

export const LABELS = ['positive', 'negative'];

/** Praise holds good or great, complaints bad or awful; the rest is filling of several lengths. */
export function writeRows(path: string, count: number, seed: number): void {
  const random = new SeededRandom(seed);
  const filling = 'the room was and the app is on monday it food very'.split(' ');
  const lines = Array.from({ length: count }, (_, i) => {
    const label = LABELS[i % 2]!;
    const word = random.pick(label === 'positive' ? ['good', 'great'] : ['bad', 'awful']);
    const rest = Array.from({ length: 2 + random.below(24) }, () => random.pick(filling));
    return `${JSON.stringify({ text: random.shuffled([word, ...rest]).join(' '), label, labelId: i % 2 })}\n`;
  });
  writeFileSync(path, lines.join(''));
}
