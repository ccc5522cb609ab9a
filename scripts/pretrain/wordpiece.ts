/**
 * Trains a WordPiece vocabulary the way Hugging Face's trainer does: byte-pair merges by frequency
 * (Sennrich et al. 2016), written with the `##` prefix for pieces inside a word; and writes the
 * tokenizer files that transformers and transformers.js read.
 */

import type { Json, JsonObject } from '../../src/lib/json.js';
import { addedToken, BERT, wordPieceTokenizer } from '../../src/ml/encoder/tokenizer-files.js';

export const SPECIAL_TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const;

/** Emoji known as whole tokens wherever they stand. */
export const EMOJI = [
  ...'😊😀😍👍🎉😁🥰🙌👏⭐💯🔥🤩😄🙏💕😃✨😋👌💖🥳😎🌟💪🏆😘✅🤗😻😡😠👎😤😞😢🤬😒😭🤮💩😩🙄😫😣😕🤢💔😖😑🤦❌🚫🐌😔😱🤔😐🤷📦🙂📱📅😶❓📞📍',
  ...'😂🤣😅😆😉😌😇🤝💙💚💛🧡💜🖤😏😬😮😲😳😰😨😥😓🥲🥺🤯🤡💀👋🚀💸💰⏰⌛🛑🎁🌈🍕🍔☕🐶🐱🏨🚗📉📈🔋🆗👀🤨😪🤒🥴🙁😯🙃🤞✌👊🤙🫶🥹😮‍💨',
  '❤',
  '❤️',
  '☹',
  '☹️',
  'ℹ️',
  '🗑️',
  '⭐️',
  '✌️',
].filter(
  (emoji, index, all) => all.indexOf(emoji) === index && emoji.trim() !== '' && emoji !== '\u200d',
);

/**
 * @param counts words (already lower case, split at punctuation) with their frequency
 * @param size entries wanted, special tokens and emoji included
 */
export function trainWordPiece(counts: ReadonlyMap<string, number>, size: number): string[] {
  const typographic = '’‘“”–—…•°½×·';
  const ascii = 'abcdefghijklmnopqrstuvwxyz0123456789!"#$%&\'()*+,-./:;<=>?@[]^_`{|}~£€\\';
  const alphabet = [...ascii, ...typographic];
  const vocabulary = new Set<string>([...SPECIAL_TOKENS, ...EMOJI]);
  for (const character of alphabet) vocabulary.add(character).add(`##${character}`);
  const words = [...counts].map(([word, count]) => ({
    count,
    pieces: [...word].map((character, index) => (index === 0 ? character : `##${character}`)),
  }));
  for (const { pieces } of words) for (const piece of pieces) vocabulary.add(piece);
  const pairs = new PairCounts(words);
  while (vocabulary.size < size) {
    const best = pairs.mostFrequent();
    if (best === null) break;
    vocabulary.add(pairs.merge(best));
  }
  return [...vocabulary];
}

interface Word {
  readonly count: number;
  pieces: string[];
}

const SEPARATOR = ' ';

/** Frequencies of neighbouring pieces, kept up to date while merging. */
class PairCounts {
  private readonly totals = new Map<string, number>();
  private readonly places = new Map<string, Set<number>>();

  constructor(private readonly words: readonly Word[]) {
    words.forEach((_, index) => {
      this.count(index, 1);
    });
  }

  /** Ties go to the pair that sorts first, so that equal counts give equal vocabularies. */
  mostFrequent(): string | null {
    let best: string | null = null;
    let most = 1;
    for (const [pair, total] of this.totals) {
      if (total > most || (total === most && best !== null && pair < best)) {
        [best, most] = [pair, total];
      }
    }
    return best;
  }

  /** Joins the pair everywhere and returns the new piece. */
  merge(pair: string): string {
    const [left, right] = pair.split(SEPARATOR) as [string, string];
    const joined = left + right.replace(/^##/, '');
    for (const index of [...(this.places.get(pair) ?? [])]) {
      this.count(index, -1);
      const word = this.words[index]!;
      const pieces: string[] = [];
      for (let i = 0; i < word.pieces.length; i++) {
        const together = word.pieces[i] === left && word.pieces[i + 1] === right;
        pieces.push(together ? joined : word.pieces[i]!);
        if (together) i++;
      }
      word.pieces = pieces;
      this.count(index, 1);
    }
    this.totals.delete(pair);
    return joined;
  }

  private count(index: number, sign: number): void {
    const { pieces, count } = this.words[index]!;
    for (let i = 0; i + 1 < pieces.length; i++) {
      const pair = pieces[i] + SEPARATOR + pieces[i + 1];
      const total = (this.totals.get(pair) ?? 0) + sign * count;
      if (total > 0) this.totals.set(pair, total);
      else this.totals.delete(pair);
      const places = this.places.get(pair) ?? new Set<number>();
      if (sign > 0) places.add(index);
      this.places.set(pair, places);
    }
  }
}

/** tokenizer.json, tokenizer_config.json and special_tokens_map.json as values. */
export function tokenizerFiles(
  vocabulary: readonly string[],
  maxLength: number,
): Record<string, unknown> {
  const settings = { do_lower_case: true, strip_accents: null, tokenize_chinese_chars: true };
  const tokenizer = wordPieceTokenizer(vocabulary, settings);
  const emoji = EMOJI.map((token) => ({
    ...addedToken(token, vocabulary.indexOf(token), false),
    special: false,
  }));
  const processor = tokenizer.post_processor as JsonObject;
  const first = processor.single as readonly Json[];
  const second = [
    { Sequence: { id: 'B', type_id: 1 } },
    { SpecialToken: { id: '[SEP]', type_id: 1 } },
  ];
  const { tokenizer_class, ...names } = BERT;
  return {
    'tokenizer.json': {
      ...tokenizer,
      added_tokens: [...(tokenizer.added_tokens as readonly Json[]), ...emoji],
      post_processor: { ...processor, pair: [...first, ...second] },
    },
    'tokenizer_config.json': {
      tokenizer_class,
      ...settings,
      model_max_length: maxLength,
      ...names,
    },
    'special_tokens_map.json': names,
  };
}
