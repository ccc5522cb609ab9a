import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadTokenizer } from '../../../src/ml/encoder/tokenizer.js';
import { writeJson, writeTokenizer } from './model-folder.js';

const root = mkdtempSync(join(tmpdir(), 'stepwell-tokenizers-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function folder(name: string): string {
  const path = join(root, name);
  mkdirSync(path);
  return path;
}

test('vocab.txt alone gives the ids that tokenizer.json gives', () => {
  const whole = folder('whole');
  writeTokenizer(whole);
  const { model } = JSON.parse(readFileSync(join(whole, 'tokenizer.json'), 'utf8'));
  const bare = folder('bare');
  const words = Object.entries(model.vocab as Record<string, number>)
    .sort((a, b) => a[1] - b[1])
    .map(([word]) => word);
  writeFileSync(join(bare, 'vocab.txt'), `${words.join('\n')}\n`);
  const [a, b] = [whole, bare].map((path) => loadTokenizer(path, { maxLength: 20 }));
  for (const text of ['The food was VERY good!', 'crashéd on monday', '[MASK] 你好', '']) {
    expect(b!(text)).toEqual(a!(text));
  }
  expect(a!('the '.repeat(40))).toHaveLength(20);
});

test('vocab.json with merges.txt is read as byte pairs, in the way of RoBERTa', () => {
  const path = folder('roberta');
  const pieces = [
    '<s>',
    '<pad>',
    '</s>',
    '<unk>',
    'h',
    'e',
    'l',
    'o',
    'he',
    'll',
    'hell',
    'hello',
    'Ġ',
    'Ġhello',
    '<mask>',
  ];
  writeJson(path, 'vocab.json', Object.fromEntries(pieces.map((piece, id) => [piece, id])));
  writeFileSync(join(path, 'merges.txt'), '#version: 0.2\nh e\nl l\nhe ll\nhell o\nĠ hello\n');
  const tokenize = loadTokenizer(path, { maxLength: 16 });
  expect(tokenize('hello hello')).toEqual([0, 11, 13, 2]);
  expect(tokenize('hell<mask>')).toEqual([0, 10, 14, 2]);
});

test('a folder without any of them is named', () => {
  expect(() => loadTokenizer(folder('empty'), { maxLength: 16 })).toThrow(
    /empty holds no tokenizer.json, no vocab.txt, and no vocab.json with merges.txt/,
  );
});
