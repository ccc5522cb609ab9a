/**
 * Images as the processors of Hugging Face prepare them (preprocessor_config.json): decode, turn as
 * EXIF says, resize, crop, scale to [0, 1], normalise per channel. PNG, JPEG, WebP and what else sharp
 * reads; a decompression bomb is refused by its pixel count.
 */
import { readFileSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import sharp from 'sharp';
import type { JsonObject } from '../../lib/json.js';
import { getOwn, isArray, isObject } from '../../lib/json.js';
import type { ImageGrid } from './config.js';

export interface ImageProcessor {
  readonly size: number;
  readonly channels: number;
  /** File path or bytes to interleaved 8-bit pixels, size * size * channels. */
  decode(image: string | Uint8Array): Promise<Uint8Array>;
  /** Interleaved pixels to planes of float32, channels * size * size, written into `target`. */
  normalise(pixels: Uint8Array, target: Float32Array): void;
}

export const PROCESSOR_FILE = 'preprocessor_config.json';
/** A photograph of 50 megapixels; a larger header is an attack or a mistake. */
const MAX_PIXELS = 50_000_000;
/** PIL's numbers of resampling filters, as the files name them. */
const KERNELS = { 0: 'nearest', 1: 'lanczos3', 2: 'linear', 3: 'cubic' } as const;

/** Throws RangeError naming the file or the member that does not fit the model. */
export function loadImageProcessor(folder: string, grid: ImageGrid): ImageProcessor {
  const file = readProcessor(folder);
  const flag = (name: string): boolean => getOwn(file, name) !== false;
  const normalises = flag('do_normalize');
  const mean = channelValues(file, 'image_mean', normalises, 0, grid.channels);
  const deviation = channelValues(file, 'image_std', normalises, 1, grid.channels);
  const factor = flag('do_rescale') ? Number(getOwn(file, 'rescale_factor') ?? 1 / 255) : 1;
  const resample = Number(getOwn(file, 'resample') ?? 2);
  const kernel = KERNELS[resample as keyof typeof KERNELS] ?? 'linear';
  const shortest = shortestEdge(file);
  const crops = getOwn(file, 'do_center_crop') === true || shortest !== null;
  const { size, channels } = grid;
  return {
    size,
    channels,
    decode: async (image) => {
      const opened = sharp(image, { limitInputPixels: MAX_PIXELS, failOn: 'error' })
        .rotate()
        .removeAlpha()
        .toColourspace(channels === 1 ? 'b-w' : 'srgb');
      const sized = crops
        ? opened.resize(shortest ?? size, shortest ?? size, { kernel, fit: 'outside' })
        : opened.resize(size, size, { kernel, fit: 'fill' });
      const bytes = crops ? await cropped(await sized.png().toBuffer(), size) : sized;
      const { data, info } = await bytes.raw().toBuffer({ resolveWithObject: true });
      if (info.channels === channels && data.length === size * size * channels) return data;
      throw new RangeError(`the image has ${info.channels} channels, the model wants ${channels}`);
    },
    normalise: (pixels, target) => {
      const count = size * size;
      for (let channel = 0; channel < channels; channel++) {
        const [m, d] = [mean[channel]!, deviation[channel]!];
        for (let i = 0; i < count; i++) {
          target[channel * count + i] = (pixels[i * channels + channel]! * factor - m) / d;
        }
      }
    },
  };
}

function readProcessor(folder: string): JsonObject {
  const path = join(folder, PROCESSOR_FILE);
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as JsonObject;
  } catch (error) {
    throw new RangeError(`${path} cannot be read: ${(error as Error).message}`);
  }
}

/** Pixels along an edge of what comes out, by the processor alone. Throws RangeError. */
export function processedSize(folder: string): number {
  const file = readProcessor(folder);
  for (const name of ['crop_size', 'size']) {
    const size = getOwn(file, name);
    const edge = isObject(size) ? (getOwn(size, 'height') ?? getOwn(size, 'shortest_edge')) : size;
    if (typeof edge === 'number' && Number.isInteger(edge) && edge > 0) return edge;
  }
  throw new RangeError(`${PROCESSOR_FILE}: 'size' must say how many pixels an edge has`);
}

/** The middle of an image that is at least `size` both ways. */
async function cropped(image: Uint8Array, size: number) {
  const { width = 0, height = 0 } = await sharp(image).metadata();
  const left = Math.max(0, Math.floor((width - size) / 2));
  const top = Math.max(0, Math.floor((height - size) / 2));
  return sharp(image).extract({ left, top, width: size, height: size });
}

/**
 * `{"shortest_edge": 256}`: keep the shape of the image, then crop. With `crop_pct` (ConvNeXt's and
 * ResNet's processors) the edge is that of the crop, up to 384 pixels.
 */
function shortestEdge(file: JsonObject): number | null {
  const size = getOwn(file, 'size');
  const edge = isObject(size) ? getOwn(size, 'shortest_edge') : undefined;
  if (typeof edge !== 'number') return null;
  const share = getOwn(file, 'crop_pct');
  return typeof share === 'number' && edge < 384 ? Math.floor(edge / share) : edge;
}

function channelValues(
  file: JsonObject,
  name: string,
  used: boolean,
  neutral: number,
  channels: number,
): readonly number[] {
  if (!used) return new Array<number>(channels).fill(neutral);
  const values = getOwn(file, name);
  if (isArray(values) && values.length === channels && values.every((v) => typeof v === 'number')) {
    return values as number[];
  }
  throw new RangeError(`${PROCESSOR_FILE}: '${name}' must list ${channels} numbers`);
}

/** Absolute path of an image named relative to `folder`; one that leads out of it is refused. */
export async function imageInside(folder: string, name: string): Promise<string> {
  const root = await realpath(folder);
  const path = await realpath(resolve(root, name)).catch(() => null);
  if (path === null) throw new RangeError(`there is no image ${name} beside the rows in ${folder}`);
  if (path.startsWith(root + sep)) return path;
  throw new RangeError(`the image ${name} lies outside ${folder}, the folder of the rows`);
}
