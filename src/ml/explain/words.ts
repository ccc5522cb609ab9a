/** A text as words that can be left out, and the texts that remain without some of them. */

export interface Words {
  readonly words: readonly string[];
  /** The text with only the words whose bit is 1. */
  masked(mask: Uint8Array): string;
}

/**
 * Words with the punctuation that hangs on them. `replacement` stands where a word was; null closes the
 * gap, as LIME does.
 */
export function wordsOf(text: string, replacement: string | null): Words {
  const words = text.match(/\S+/g) ?? [];
  return {
    words,
    masked: (mask) =>
      words
        .flatMap((word, i) => (mask[i] === 1 ? [word] : replacement === null ? [] : [replacement]))
        .join(' '),
  };
}
