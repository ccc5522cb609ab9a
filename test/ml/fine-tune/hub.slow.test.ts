import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hubFolder, isHubId } from '../../../src/ml/train/hub.js';
import { loadBaseModel } from '../../../src/ml/train/base-model.js';
import { settle } from '../../../src/ml/train/settings.js';
import { writeTinyModel } from '../encoder/model-folder.js';
import { writeVisionModel } from '../encoder/vision-folder.js';

const root = mkdtempSync(join(tmpdir(), 'stepwell-hub-'));
let server: Server;
let asked: string[] = [];
const before = { HF_ENDPOINT: process.env.HF_ENDPOINT, HF_TOKEN: process.env.HF_TOKEN };

/** Serves `<root>/hub/<owner>/<name>/<file>` as the hub does; `gated/…` wants a token. */
beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url!);
    const [, owner, name, file] =
      /^\/([^/]+)\/([^/]+)\/resolve\/[^/]+\/(.+)$/.exec(request.url!) ?? [];
    const path = join(root, 'hub', owner ?? '', name ?? '', file ?? '');
    const opened = owner !== 'gated' || request.headers.authorization === 'Bearer canary-token';
    response.statusCode = !opened ? 401 : existsSync(path) ? 200 : 404;
    response.end(response.statusCode === 200 ? readFileSync(path) : '');
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  process.env.HF_ENDPOINT = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const owner of ['org', 'gated']) writeTinyModel(join(root, 'hub', owner, 'tiny'));
  writeVisionModel(join(root, 'hub/org/vit'));
  writeFileSync(join(root, 'rows.jsonl'), '');
});
beforeEach(() => {
  asked = [];
  delete process.env.HF_TOKEN;
});
afterAll(async () => {
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  await new Promise((closed) => server.close(closed));
  rmSync(root, { recursive: true, force: true });
});

const cache = (name: string): string => join(root, 'cache', name);
const load = (model: string, cacheDir: string) =>
  loadBaseModel(
    settle({
      model,
      cacheDir,
      trainPath: join(root, 'rows.jsonl'),
      labels: ['a', 'b'],
      outputDir: 'out',
    }),
  );

describe('a model of the hub', () => {
  test('is fetched once, and then read from the cache', async () => {
    const base = await load('org/tiny', cache('a'));
    expect(base.config.layerCount).toBe(2);
    expect(asked.at(0)).toBe('/org/tiny/resolve/main/config.json');
    asked = [];
    await load('org/tiny', cache('a'));
    expect(asked).toEqual([]);
  });

  test('has a folder for every revision', async () => {
    const folder = await hubFolder('org/tiny@v1.0', cache('b'));
    expect(folder).toBe(join(cache('b'), 'org--tiny@v1.0'));
    expect(asked[0]).toBe('/org/tiny/resolve/v1.0/config.json');
  });

  test('that is gated says so, and opens with HF_TOKEN', async () => {
    await expect(hubFolder('gated/tiny', cache('c'))).rejects.toThrow(
      /status 401 for config.json: set HF_TOKEN/,
    );
    process.env.HF_TOKEN = 'canary-token';
    await hubFolder('gated/tiny', cache('c'));
  });

  test('of images brings its processor instead of a tokenizer', async () => {
    const base = await load('org/vit', cache('d'));
    expect(base.reader.field).toBe('image');
    expect(asked.some((url) => url.includes('tokenizer'))).toBe(false);
  });

  test('without weights that can be read is refused, and asked for again the next time', async () => {
    mkdirSync(join(root, 'hub/org/pickled'));
    writeFileSync(join(root, 'hub/org/pickled/config.json'), '{"model_type": "bert"}');
    for (let time = 0; time < 2; time++) {
      await expect(hubFolder('org/pickled', cache('e'))).rejects.toThrow(
        /neither model.safetensors nor onnx\/model.onnx; pickled weights/,
      );
    }
    expect(asked.filter((url) => url.endsWith('config.json'))).toHaveLength(2);
  });
});

test.each([
  ['distilbert-base-uncased', true],
  ['org/name@main', true],
  ['..', false],
  ['../..', false],
  ['org/../../etc', false],
  ['.hidden/x', false],
])('%s is a hub id: %s', (id, is) => {
  expect(isHubId(id)).toBe(is);
});
