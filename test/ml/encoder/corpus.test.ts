import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TextGenerator } from '../../../scripts/pretrain/generator.js';
import { expand, parseTemplate, readLexicon } from '../../../scripts/pretrain/grammar.js';
import { trainWordPiece } from '../../../scripts/pretrain/wordpiece.js';
import { SeededRandom } from '../../../src/ml/onnx/seeded-random.js';

const scripts = join(import.meta.dirname, '../../../scripts/pretrain');

describe('the writer of pre-training text', () => {
  const write = (seed: number, count: number) => {
    const generator = new TextGenerator(readLexicon(), new SeededRandom(seed), { noise: 1 });
    return Array.from({ length: count }, () => generator.next());
  };

  test('a seed gives the same texts again', () => {
    expect(write(4, 200)).toEqual(write(4, 200));
    expect(write(5, 200)).not.toEqual(write(4, 200));
  });

  test('every text is filled in, and all ratings come up about equally', () => {
    const texts = write(6, 6000);
    for (const { text } of texts) expect(text).not.toMatch(/[{}[\]|]|^$/);
    for (const rating of [0, 1, 2]) {
      const share = texts.filter((text) => text.rating === rating).length / texts.length;
      expect(share).toBeGreaterThan(0.28);
    }
  });

  test('nothing that makes the base reads the hand-written rows', () => {
    const makers = readdirSync(scripts).filter((file) => file.endsWith('.ts'));
    expect(makers.length).toBeGreaterThan(5);
    for (const file of makers) {
      const code = readFileSync(join(scripts, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
      expect(code, file).not.toMatch(/['"][./]*data\/|pretrain-evaluate|\.tsv/);
    }
  });

  test('templates nest, and an unknown list is an error', () => {
    const random = new SeededRandom(1);
    const lists = [new Map([['x', [parseTemplate('one')]]])];
    expect(expand(parseTemplate('a [b [c]|b [c]] {x}'), lists, random)).toBe('a b c one');
    expect(() => expand(parseTemplate('{y}'), lists, random)).toThrow('no list called y');
    expect(() => parseTemplate('[a|b')).toThrow('Unclosed bracket');
  });
});

test('word pieces: frequent words become whole, ties are broken the same way every time', () => {
  const counts = new Map([
    ['lower', 50],
    ['lowest', 40],
    ['new', 30],
    ['rarely', 1],
  ]);
  const small = trainWordPiece(counts, 380);
  expect(trainWordPiece(new Map([...counts].reverse()), 380)).toEqual(small);
  expect(small).toContain('lower');
  expect(small.slice(0, 5)).toEqual(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']);
});
