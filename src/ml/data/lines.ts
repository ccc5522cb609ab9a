/**
 * Bytes to lines: UTF-8 checked line by line, so that a broken byte names its line, with flat memory.
 * Line ends are LF or CRLF; a byte order mark is dropped.
 */
import { isUtf8 } from 'node:buffer';
import { badFormat } from './data-failure.js';
import { LINE_BYTES_MAX } from './limits.js';

export interface Line {
  readonly number: number;
  readonly text: string;
  /** False when the bytes are not UTF-8; `text` then holds replacement characters. */
  readonly valid: boolean;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;

export async function* lines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Line[]> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let number = 0;
  for await (const piece of withoutMark(bytes)) {
    const chunk = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    const batch: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const own = chunk.subarray(start, end);
      batch.push(lineOf(rest.length === 0 ? own : Buffer.concat([...rest, own]), ++number));
      rest = [];
      restBytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) {
      rest.push(chunk.subarray(start));
      restBytes += chunk.length - start;
      if (restBytes > LINE_BYTES_MAX) throw tooLong(number + 1);
    }
    if (batch.length > 0) yield batch;
  }
  if (restBytes > 0) yield [lineOf(Buffer.concat(rest), ++number)];
}

function lineOf(bytes: Buffer, number: number): Line {
  if (bytes.length > LINE_BYTES_MAX) throw tooLong(number);
  const own = bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes;
  return { number, text: own.toString('utf8'), valid: isUtf8(own) };
}

function tooLong(number: number): Error {
  return badFormat(
    `line ${number} is longer than ${LINE_BYTES_MAX} bytes: is this the right format? ` +
      'One record must stand on one line.',
  );
}

/** Drops a UTF-8 mark; refuses UTF-16, which would only yield nonsense rows. */
async function* withoutMark(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | null = new Uint8Array(0);
  for await (const chunk of bytes) {
    if (head === null) {
      yield chunk;
      continue;
    }
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    if (head.length < 3) continue;
    yield afterMark(head);
    head = null;
  }
  if (head !== null && head.length > 0) yield afterMark(head);
}

function afterMark(head: Uint8Array): Uint8Array {
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) {
    throw badFormat('the text is UTF-16: save it as UTF-8, or set csv.encoding to "utf-16le".');
  }
  const marked = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf;
  return marked ? head.subarray(3) : head;
}

/** Another encoding as UTF-8; `latin1` and `windows-1252` never fail, they are single bytes. */
export async function* transcode(
  bytes: AsyncIterable<Uint8Array>,
  encoding: string,
): AsyncGenerator<Uint8Array> {
  const decoder = decoderFor(encoding);
  for await (const chunk of bytes) yield Buffer.from(decoder.decode(chunk, { stream: true }));
  const tail = decoder.decode();
  if (tail !== '') yield Buffer.from(tail);
}

function decoderFor(encoding: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(encoding);
  } catch {
    throw badFormat(`unknown encoding "${encoding}": try "utf-8", "latin1" or "utf-16le".`);
  }
}
