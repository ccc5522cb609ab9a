/**
 * Messages of the Debug Adapter Protocol on a byte stream: `Content-Length: n`, an empty line, n bytes of
 * JSON. Any other header ends the conversation: an HTTP request that a web page sent here is none of ours.
 */

/** Our reason: a definition and its values fit many times over. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;
const MAX_HEADER_BYTES = 4096;

export class FramingError extends Error {
  override readonly name = 'FramingError';
}

/** Takes bytes as they come; calls `onMessage` for every whole message. Throws FramingError. */
export class Unframer {
  private bytes: Buffer = Buffer.alloc(0);
  private expected: number | null = null;

  constructor(private readonly onMessage: (message: unknown) => void) {}

  push(chunk: Buffer): void {
    this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk]);
    while (this.next());
  }

  private next(): boolean {
    if (this.expected === null) {
      const end = this.bytes.indexOf('\r\n\r\n');
      if (end === -1) {
        if (this.bytes.length > MAX_HEADER_BYTES)
          throw new FramingError('The header does not end.');
        return false;
      }
      this.expected = lengthIn(this.bytes.toString('latin1', 0, end));
      this.bytes = this.bytes.subarray(end + 4);
    }
    if (this.bytes.length < this.expected) return false;
    const text = this.bytes.toString('utf8', 0, this.expected);
    this.bytes = this.bytes.subarray(this.expected);
    this.expected = null;
    this.onMessage(parse(text));
    return this.bytes.length > 0;
  }
}

function lengthIn(header: string): number {
  let length: number | null = null;
  for (const line of header.split('\r\n')) {
    const [, name = '', value = ''] = /^([A-Za-z-]+): *(.*)$/.exec(line) ?? [];
    const known = name.toLowerCase();
    if (known === 'content-type') continue;
    if (known !== 'content-length' || !/^\d{1,9}$/.test(value)) {
      throw new FramingError('Not a message of the Debug Adapter Protocol.');
    }
    length = Number(value);
  }
  if (length === null || length > MAX_MESSAGE_BYTES)
    throw new FramingError('The message is too long.');
  return length;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new FramingError('The message is not JSON.');
  }
}

export function framed(message: object): Buffer {
  const body = Buffer.from(JSON.stringify(message), 'utf8');
  return Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`, 'latin1'), body]);
}
