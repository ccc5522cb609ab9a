/**
 * Images as the rows of an inference session: data URLs (what a request carries), or files inside one
 * folder when the caller names it (a dataset's). Nothing else is opened.
 */
import { type Session, runSession } from '../onnx/session.js';
import { floatTensor } from '../onnx/tensor.js';
import { type ImageProcessor, imageInside } from './images.js';

const DATA_URL = /^data:image\/[a-z0-9.+-]+;base64,/i;
/** A request's image as text. */
const MAX_DATA_URL_CHARACTERS = 20_000_000;
const BATCH_ROWS = 16;

/** One row of `output` per image, in their order. Throws RangeError naming what it cannot read. */
export async function runImages(
  session: Session,
  processor: ImageProcessor,
  folder: string | null,
  output: string,
  images: readonly string[],
): Promise<Float32Array[]> {
  const { size, channels } = processor;
  const count = size * size * channels;
  const results: Float32Array[] = [];
  for (let start = 0; start < images.length; start += BATCH_ROWS) {
    const batch = images.slice(start, start + BATCH_ROWS);
    const data = new Float32Array(batch.length * count);
    const decoded = await Promise.all(batch.map((image) => decode(processor, folder, image)));
    decoded.forEach((pixels, row) => {
      processor.normalise(pixels, data.subarray(row * count, (row + 1) * count));
    });
    const pixels = floatTensor([batch.length, channels, size, size], data);
    const values = (await runSession(session, { pixel_values: pixels })).get(output);
    if (values === undefined) throw new RangeError(`The model has no output called ${output}`);
    const width = values.shape.at(-1)!;
    batch.forEach((_, row) => {
      results.push((values.data as Float32Array).slice(row * width, (row + 1) * width));
    });
  }
  return results;
}

async function decode(
  processor: ImageProcessor,
  folder: string | null,
  image: string,
): Promise<Uint8Array> {
  const prefix = DATA_URL.exec(image)?.[0];
  if (prefix !== undefined) {
    if (image.length > MAX_DATA_URL_CHARACTERS) {
      throw new RangeError(`An image has more than ${MAX_DATA_URL_CHARACTERS} characters`);
    }
    return processor.decode(Buffer.from(image.slice(prefix.length), 'base64'));
  }
  if (folder !== null) return processor.decode(await imageInside(folder, image));
  throw new RangeError(
    'An image is sent as "data:image/png;base64,…" (or jpeg, webp), not as the name of a file',
  );
}
