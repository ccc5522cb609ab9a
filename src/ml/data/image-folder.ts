/**
 * Images with one folder per label, as a dataset: copied under the hash of their bytes, split by it
 * (so that no image is on two sides), and listed as JSON Lines beside them. What comes out is one
 * folder that can be moved anywhere as a whole.
 */
import { createHash } from 'node:crypto';
import { copyFile, link, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import sharp from 'sharp';
import type { JsonObject } from '../../lib/json.js';
import { badFormat, DataFailure, reasonOf } from './data-failure.js';
import { type LabelledText, type SplitOptions, split } from './split.js';

const EXTENSIONS = ['.png', '.jpg', '.jpeg', '.webp', '.gif', '.tif', '.tiff', '.avif'];
const MAX_IMAGES = 200_000;
const MAX_PIXELS = 50_000_000;
const SIDES = ['train', 'validation', 'test'] as const;

export interface ImageFolderOptions {
  readonly split: SplitOptions;
  /** What happens with a file that no decoder reads. */
  readonly onBadImage: 'fail' | 'skip';
  readonly signal: AbortSignal;
  readonly progress: (done: number, total: number) => void;
}

export interface ImageDataset {
  /** In the order of their ids: the names of the folders, sorted. */
  readonly labels: readonly string[];
  /** File of rows by side, relative to the target; absent where the side has none. */
  readonly sides: { readonly [side in (typeof SIDES)[number]]?: { file: string; rows: number } };
  readonly skipped: readonly string[];
  readonly duplicates: number;
}

/** Throws DataFailure naming the file or folder. */
export async function prepareImageFolder(
  source: string,
  target: string,
  options: ImageFolderOptions,
): Promise<ImageDataset> {
  const labels = await labelFolders(source);
  const found = await imagesBelow(source, labels);
  await mkdir(join(target, 'images'), { recursive: true });
  const byHash = new Map<string, LabelledText & { readonly file: string }>();
  const skipped: string[] = [];
  let duplicates = 0;
  for (const [index, { path, label }] of found.entries()) {
    options.signal.throwIfAborted();
    const problem = await problemOf(join(source, path));
    if (problem !== null) {
      if (options.onBadImage === 'fail') throw badFormat(`${path}: ${problem}.`);
      skipped.push(path);
      continue;
    }
    const hash = createHash('sha256')
      .update(await readFile(join(source, path)))
      .digest('hex');
    const known = byHash.get(hash);
    if (known !== undefined) {
      if (known.label !== label) {
        throw new DataFailure(
          'Preprocess.ConflictingLabels',
          `${path} and another image under "${known.label}" have the same bytes but different labels.`,
        );
      }
      duplicates++;
      continue;
    }
    const file = `images/${hash.slice(0, 32)}${extname(path).toLowerCase()}`;
    await linkOrCopy(join(source, path), join(target, file));
    byHash.set(hash, { text: hash, label, labelId: labels.indexOf(label), file });
    options.progress(index + 1, found.length);
  }
  const sides = await writeSides(target, [...byHash.values()], options.split);
  return { labels, sides, skipped, duplicates };
}

async function labelFolders(source: string): Promise<string[]> {
  const entries = await readdir(source, { withFileTypes: true });
  const labels = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  if (labels.length >= 2) return labels.sort();
  throw badFormat(`${source} holds ${labels.length} folders; images need one folder per label.`);
}

async function imagesBelow(source: string, labels: readonly string[]) {
  const found: { path: string; label: string }[] = [];
  for (const label of labels) {
    const entries = await readdir(join(source, label), { withFileTypes: true });
    const names = entries
      .filter((entry) => entry.isFile() && EXTENSIONS.includes(extname(entry.name).toLowerCase()))
      .map((entry) => entry.name);
    if (names.length === 0) throw badFormat(`${label}: the folder of this label has no images.`);
    for (const name of names.sort()) found.push({ path: join(label, name), label });
  }
  if (found.length <= MAX_IMAGES) return found;
  throw new DataFailure('DataSource.TooLarge', `There are more than ${MAX_IMAGES} images.`);
}

/** Why a file is no image, by decoding all of it; null when it is one. */
async function problemOf(path: string): Promise<string | null> {
  try {
    await sharp(path, { limitInputPixels: MAX_PIXELS, failOn: 'error' }).stats();
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to));
}

async function writeSides(
  target: string,
  images: readonly (LabelledText & { readonly file: string })[],
  options: SplitOptions,
): Promise<ImageDataset['sides']> {
  const fileOf = new Map(images.map(({ text, file }) => [text, file]));
  const dealt = split(images, options);
  const sides: Record<string, { file: string; rows: number }> = {};
  for (const side of SIDES) {
    const rows = dealt[side];
    if (rows.length === 0) continue;
    const lines = rows.map(({ text, label, labelId }) => {
      const row: JsonObject = { image: fileOf.get(text) as string, label, labelId };
      return `${JSON.stringify(row)}\n`;
    });
    await writeFile(join(target, `${side}.jsonl`), lines.join(''));
    sides[side] = { file: `${side}.jsonl`, rows: rows.length };
  }
  return sides;
}
