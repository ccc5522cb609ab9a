/**
 * How much of the hand-written rows the generator happens to write as well: exact texts and runs of
 * six words in common with 300,000 generated texts. Prints counts only. A check of honesty, after
 * the fact: `node --import tsx scripts/pretrain-evaluate/overlap.ts`.
 */
import { SeededRandom } from '../../src/ml/onnx/seeded-random.js';
import { splitFeedback } from './feedback.js';
import { TextGenerator } from '../pretrain/generator.js';
import { readLexicon } from '../pretrain/grammar.js';

const TEXTS = 300_000;
const RUN = 6;

const words = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
const runs = (text: string): string[] => {
  const list = words(text);
  return list.slice(RUN - 1).map((_, start) => list.slice(start, start + RUN).join(' '));
};

const { fit, validation, test } = splitFeedback('data/customer_feedback.csv');
const rows = [...fit, ...validation, ...test];
const wantedTexts = new Set(rows.map(({ text }) => words(text).join(' ')));
const wantedRuns = new Set(rows.flatMap(({ text }) => runs(text)));
const seenTexts = new Set<string>();
const seenRuns = new Set<string>();
const generator = new TextGenerator(readLexicon(), new SeededRandom(20, 'overlap'), { noise: 0 });
for (let i = 0; i < TEXTS; i++) {
  const { text } = generator.next();
  const whole = words(text).join(' ');
  if (wantedTexts.has(whole)) seenTexts.add(whole);
  for (const run of runs(text)) if (wantedRuns.has(run)) seenRuns.add(run);
}
const touched = rows.filter(({ text }) => runs(text).some((run) => seenRuns.has(run))).length;
console.log({
  rows: rows.length,
  rowsGeneratedWhole: seenTexts.size,
  rowsSharingSixWords: touched,
});
