/** Validation scores from logits: mean cross entropy, accuracy and macro F1. */
import { argmax, softmax } from '../encoder/probabilities.js';

export interface Scores {
  readonly loss: number;
  readonly accuracy: number;
  readonly macroF1: number;
}

/** `logits[i]` and `labels[i]` belong to row i; `classCount` classes. */
export function scoreLogits(
  logits: readonly Float32Array[],
  labels: readonly number[],
  classCount: number,
): Scores {
  const confusion = Array.from({ length: classCount }, () => new Array<number>(classCount).fill(0));
  let loss = 0;
  logits.forEach((row, index) => {
    const label = labels[index]!;
    loss -= Math.log(Math.max(softmax(row)[label]!, 1e-12));
    confusion[label]![argmax(row)]! += 1;
  });
  const correct = confusion.reduce((sum, row, label) => sum + row[label]!, 0);
  return {
    loss: loss / logits.length,
    accuracy: correct / logits.length,
    macroF1: macroF1(confusion),
  };
}

/** Mean over the classes that occur (in truth or prediction) of 2TP / (2TP + FP + FN). */
function macroF1(confusion: readonly (readonly number[])[]): number {
  const scores: number[] = [];
  confusion.forEach((row, label) => {
    const truth = row.reduce((sum, count) => sum + count, 0);
    const predicted = confusion.reduce((sum, other) => sum + other[label]!, 0);
    if (truth + predicted > 0) scores.push((2 * row[label]!) / (truth + predicted));
  });
  return scores.reduce((sum, score) => sum + score, 0) / Math.max(1, scores.length);
}
