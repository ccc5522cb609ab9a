/** Bytes to text, piece by piece: UTF-8 only, a byte order mark is dropped. */
import { readerFailed } from './failures.js';

export type Bytes = AsyncIterable<Uint8Array>;
export type Text = AsyncIterable<string>;

export async function* textOf(bytes: Bytes): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const piece of bytes) {
      const text = decoder.decode(piece, { stream: true });
      if (text !== '') yield text;
    }
    const rest = decoder.decode();
    if (rest !== '') yield rest;
  } catch (error) {
    if (error instanceof TypeError) throw readerFailed('The file is not UTF-8 text.');
    throw error;
  }
}
