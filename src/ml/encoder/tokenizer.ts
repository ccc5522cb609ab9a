/**
 * A tokenizer from the files of a local model folder, through transformers.js but without its
 * global settings: nothing is looked up or downloaded.
 */
import { PreTrainedTokenizer } from '@xenova/transformers';
import { readTokenizerFiles, type TokenizerFiles } from './tokenizer-files.js';

export interface TextEncoderOptions {
  /** Longer texts are cut, the closing special token kept. */
  readonly maxLength: number;
}

/** Token ids of a text, special tokens included, without padding. */
export type Tokenize = (text: string) => readonly number[];

/** Id of the token that stands for a hidden one, or null. */
export function maskTokenId({ tokenizer }: TokenizerFiles): number | null {
  const added = (tokenizer.added_tokens ?? []) as unknown as readonly {
    readonly id: number;
    readonly content: string;
  }[];
  return added.find(({ content }) => content === '[MASK]' || content === '<mask>')?.id ?? null;
}

/** Throws RangeError naming the missing file. */
export function loadTokenizer(folder: string, options: TextEncoderOptions): Tokenize {
  return tokenizerOf(readTokenizerFiles(folder), options);
}

export function tokenizerOf(files: TokenizerFiles, options: TextEncoderOptions): Tokenize {
  const tokenizer = new PreTrainedTokenizer(files.tokenizer, files.config);
  return (text) => {
    const ids = tokenizer.encode(text) as number[];
    if (ids.length <= options.maxLength) return ids;
    return [...ids.slice(0, options.maxLength - 1), ids.at(-1)!];
  };
}
