/** Byte streams with their guards: silence, size, abort and decompression bombs end them with a sentence. */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { badFormat, isNamed, notFound, reasonOf, tooLarge, unreachable } from './data-failure.js';
import { GZIP_RATIO_CHECK_BYTES, GZIP_RATIO_MAX, SOURCE_BYTES_MAX } from './limits.js';

export type Bytes = AsyncIterable<Uint8Array>;

export async function* fileBytes(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(path, { highWaterMark: 256 * 1024 });
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      yield chunk;
    }
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === 'ENOENT') throw notFound('there is no such file.');
    if (code === 'EISDIR') throw notFound('this is a folder, expected a file.');
    throw error;
  } finally {
    stream.destroy();
  }
}

/** Passes a network body on; fails when it is silent for `idleMs`, breaks off or grows past the cap. */
export async function* guarded(
  body: AsyncIterable<Uint8Array>,
  options: { readonly idleMs: number; readonly signal: AbortSignal; readonly place: string },
): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  let size = 0;
  let finished = false;
  try {
    for (;;) {
      const next = await nextOrIdle(iterator, options);
      if (next.done) break;
      size += next.value.byteLength;
      if (size > SOURCE_BYTES_MAX) throw tooLarge(`more than ${SOURCE_BYTES_MAX} bytes.`);
      yield next.value;
    }
    finished = true;
  } catch (error) {
    if (isNamed(error) || options.signal.aborted) throw error;
    throw unreachable(
      `${options.place}: the connection broke after ${size} bytes: ${reasonOf(error)}.`,
    );
  } finally {
    // Not awaited: a silent body would hold its own cancellation.
    if (!finished) void iterator.return?.()?.catch(() => undefined);
  }
}

async function nextOrIdle(
  iterator: AsyncIterator<Uint8Array>,
  options: { readonly idleMs: number; readonly signal: AbortSignal; readonly place: string },
): Promise<IteratorResult<Uint8Array>> {
  const { idleMs, signal, place } = options;
  signal.throwIfAborted();
  return await new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      settle();
    };
    const abort = () => finish(() => reject(signal.reason));
    const silent = () => {
      const seconds = idleMs / 1000;
      finish(() =>
        reject(unreachable(`${place}: no data for ${seconds} s; the body was cut off.`)),
      );
    };
    const timer = setTimeout(silent, idleMs);
    signal.addEventListener('abort', abort, { once: true });
    iterator.next().then(
      (next) => finish(() => resolve(next)),
      (error: unknown) => finish(() => reject(error)),
    );
  });
}

export async function* gunzipped(bytes: Bytes): AsyncGenerator<Uint8Array> {
  let input = 0;
  const counted = async function* () {
    for await (const chunk of bytes) {
      input += chunk.byteLength;
      yield chunk;
    }
  };
  const source = Readable.from(counted());
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  let output = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      output += chunk.byteLength;
      const bomb = output > GZIP_RATIO_CHECK_BYTES && output > input * GZIP_RATIO_MAX;
      if (bomb || output > SOURCE_BYTES_MAX) {
        throw tooLarge(`the gzip stream grew from ${input} to ${output} bytes: refused as a bomb.`);
      }
      yield chunk;
    }
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    if (code.startsWith('Z_')) throw badFormat(`not a whole gzip stream: ${reasonOf(error)}.`);
    throw error;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}
