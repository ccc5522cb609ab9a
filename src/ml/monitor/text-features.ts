/** What can be measured of a text without a model: its length, its words, and how many are unknown. */

export interface TextFeatures {
  readonly length: number;
  readonly words: number;
  /** Share of the words that the vocabulary does not hold; 0 for a text without words. */
  readonly unknownShare: number;
}

export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+(?:['’][\p{L}]+)?/gu) ?? [];
}

export function textFeatures(text: string, vocabulary: ReadonlySet<string>): TextFeatures {
  const words = wordsOf(text);
  const unknown = words.filter((word) => !vocabulary.has(word)).length;
  return {
    length: [...text].length,
    words: words.length,
    unknownShare: words.length === 0 ? 0 : unknown / words.length,
  };
}

/** The most frequent words, at most `size`. */
export function vocabularyOf(texts: readonly string[], size: number): string[] {
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, size)
    .map(([word]) => word);
}

/** For each of the words 1 when the text has it: a row of a bag of words, scaled to length 1. */
export function wordVector(text: string, places: ReadonlyMap<string, number>): Float64Array {
  const vector = new Float64Array(places.size + 1);
  for (const word of new Set(wordsOf(text))) vector[places.get(word) ?? places.size] = 1;
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value, 0));
  return norm === 0 ? vector : vector.map((value) => value / norm);
}
