/**
 * A tokenizer from the files of a local model folder, through transformers.js but without its
 * global settings: nothing is looked up or downloaded.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PreTrainedTokenizer } from '@xenova/transformers';

export interface TextEncoderOptions {
  /** Longer texts are cut, the closing special token kept. */
  readonly maxLength: number;
}

/** Token ids of a text, special tokens included, without padding. */
export type Tokenize = (text: string) => readonly number[];

/** Id of the token that stands for a hidden one, or null. */
export function maskTokenId(folder: string): number | null {
  const file = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')) as {
    readonly added_tokens?: readonly { readonly id: number; readonly content: string }[];
  };
  const names = ['[MASK]', '<mask>'];
  return file.added_tokens?.find(({ content }) => names.includes(content))?.id ?? null;
}

/** Throws RangeError naming the missing file. */
export function loadTokenizer(folder: string, options: TextEncoderOptions): Tokenize {
  const read = (file: string): object => {
    const path = join(folder, file);
    if (!existsSync(path)) throw new RangeError(`${folder} holds no ${file}`);
    return JSON.parse(readFileSync(path, 'utf8')) as object;
  };
  const tokenizer = new PreTrainedTokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
  return (text) => {
    const ids = tokenizer.encode(text) as number[];
    if (ids.length <= options.maxLength) return ids;
    return [...ids.slice(0, options.maxLength - 1), ids.at(-1)!];
  };
}
