import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { imageInside, loadImageProcessor } from '../../../src/ml/encoder/images.js';
import { writeJson } from './model-folder.js';

const root = mkdtempSync(join(tmpdir(), 'stepwell-images-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const GRID = { size: 8, patchSize: 4, channels: 3 };
const NORMAL = { image_mean: [0.5, 0.25, 0], image_std: [0.5, 0.25, 1] };

function processor(config: Record<string, unknown>) {
  writeJson(root, 'preprocessor_config.json', config);
  return loadImageProcessor(root, GRID);
}

/** A picture whose left half is red and whose right half is blue. */
const halves = (width: number, height: number) =>
  sharp(
    Buffer.from(
      Array.from({ length: width * height }, (_, i) =>
        i % width < width / 2 ? [255, 0, 0] : [0, 0, 255],
      ).flat(),
    ),
    { raw: { width, height, channels: 3 } },
  );

describe('images are prepared as the processor file says', () => {
  test('scaled, normalised per channel, in planes', async () => {
    const reader = processor({ size: { height: 8, width: 8 }, ...NORMAL });
    const pixels = await reader.decode(await halves(8, 8).png().toBuffer());
    const planes = new Float32Array(3 * 64);
    reader.normalise(pixels, planes);
    const at = (channel: number, column: number) => planes[channel * 64 + column]!;
    expect([at(0, 0), at(1, 0), at(2, 0)]).toEqual([1, -1, 0]);
    expect([at(0, 7), at(1, 7), at(2, 7)]).toEqual([-1, -1, 1]);
  });

  test('resized to a square, or by the shortest edge and cropped in the middle', async () => {
    const picture = await halves(64, 16).png().toBuffer();
    const squeezed = await processor({ size: { height: 8, width: 8 }, ...NORMAL }).decode(picture);
    const cropped = await processor({ size: { shortest_edge: 8 }, ...NORMAL }).decode(picture);
    for (const pixels of [squeezed, cropped]) {
      expect(pixels.length).toBe(8 * 8 * 3);
      expect(pixels[0]).toBeGreaterThan(200);
      expect(pixels[7 * 3 + 2]).toBeGreaterThan(200);
    }
    // Squeezing keeps both edges pure; the crop shows the middle of a wide picture.
    expect(Array.from(squeezed.slice(0, 3))).toEqual([255, 0, 0]);
  });

  test('transparency is dropped, EXIF turns are followed', async () => {
    const reader = processor({ size: { height: 8, width: 8 }, ...NORMAL });
    const clear = await halves(8, 8).ensureAlpha(0.5).png().toBuffer();
    expect(Array.from((await reader.decode(clear)).slice(0, 3))).toEqual([255, 0, 0]);
    const turned = await halves(8, 8).withMetadata({ orientation: 3 }).png().toBuffer();
    expect(Array.from((await reader.decode(turned)).slice(0, 3))).toEqual([0, 0, 255]);
  });

  test('grey pictures get three channels; what is no image is refused', async () => {
    const reader = processor({ size: { height: 8, width: 8 }, ...NORMAL });
    const grey = await sharp({
      create: { width: 8, height: 8, channels: 3, background: '#808080' },
    })
      .greyscale()
      .png()
      .toBuffer();
    expect((await reader.decode(grey)).length).toBe(8 * 8 * 3);
    await expect(reader.decode(Buffer.from('not an image'))).rejects.toThrow(/unsupported/i);
  });

  test('a file without the numbers it needs is named', () => {
    expect(() => processor({ size: { height: 8, width: 8 }, image_mean: [0.5] })).toThrow(
      "preprocessor_config.json: 'image_mean' must list 3 numbers",
    );
    expect(() => loadImageProcessor(join(root, 'nowhere'), GRID)).toThrow(/cannot be read/);
  });
});

test('an image outside the folder of its rows is refused, by name or by link', async () => {
  const folder = join(root, 'rows');
  mkdirSync(folder);
  writeFileSync(join(folder, 'in.png'), '');
  writeFileSync(join(root, 'out.png'), '');
  symlinkSync(join(root, 'out.png'), join(folder, 'link.png'));
  expect(await imageInside(folder, 'in.png')).toMatch(/rows\/in\.png$/);
  await expect(imageInside(folder, '../out.png')).rejects.toThrow(/lies outside/);
  await expect(imageInside(folder, join(root, 'out.png'))).rejects.toThrow(/lies outside/);
  await expect(imageInside(folder, 'link.png')).rejects.toThrow(/lies outside/);
  await expect(imageInside(folder, 'none.png')).rejects.toThrow(/there is no image/);
});
