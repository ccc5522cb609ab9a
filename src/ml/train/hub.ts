/**
 * Models by hub id: their files are fetched once into a cache folder, config.json last as the mark of
 * completeness. `HF_ENDPOINT` names a mirror and `HF_TOKEN` opens gated models, as with Hugging Face's
 * own tools. Without a network an id fails with one sentence.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../lib/json.js';
import { isKnownArchitecture } from '../encoder/config.js';
import { PROCESSOR_FILE } from '../encoder/images.js';
import { writeDurably } from './checkpoint.js';
import { FineTuneError } from './settings.js';

/** `name`, `owner/name`, either with `@revision`; no part starts with a dot. */
const HUB_ID = /^(?!\.)[\w.-]+(\/(?!\.)[\w.-]+)?(@(?!\.)[\w.-]+)?$/;
const TIMEOUT_MS = 30 * 60_000;

export function isHubId(model: string): boolean {
  return HUB_ID.test(model);
}

/** The folder of a hub model below `cacheDir`, downloaded when it is not there. Throws FineTuneError. */
export async function hubFolder(id: string, cacheDir: string): Promise<string> {
  const [repository = '', revision = 'main'] = id.split('@');
  const folder = join(
    cacheDir,
    `${repository.replace('/', '--')}${revision === 'main' ? '' : `@${revision}`}`,
  );
  if (existsSync(join(folder, 'config.json'))) return folder;
  mkdirSync(join(folder, 'onnx'), { recursive: true });
  const fetchFile = (file: string): Promise<Uint8Array | null> =>
    get(`${hubUrl()}/${repository}/resolve/${revision}/${file}`, file);
  try {
    await download(folder, fetchFile);
  } catch (error) {
    throw new FineTuneError(
      `model: ${id} is no local folder, and it could not be fetched from ${hubUrl()} (${reasonOf(error)}); ` +
        'give the path of a model folder, such as models/stepwell-mini-bert, ' +
        'or set HF_ENDPOINT to a mirror that this machine can reach',
    );
  }
  return folder;
}

/** In the order they are looked for. */
const KNOWN_WEIGHTS = ['model.safetensors', 'onnx/model.onnx'] as const;
/** An architecture that is not written here is used through its ONNX file. */
const FROZEN_WEIGHTS = ['onnx/vision_model.onnx', 'onnx/model.onnx'] as const;

type FetchFile = (file: string) => Promise<Uint8Array | null>;

async function download(folder: string, fetchFile: FetchFile): Promise<void> {
  const config = await required('config.json', fetchFile);
  const kept = async (file: string): Promise<boolean> => {
    const bytes = await fetchFile(file);
    if (bytes !== null) writeDurably(join(folder, file), bytes);
    return bytes !== null;
  };
  const json = JSON.parse(Buffer.from(config).toString('utf8')) as JsonObject;
  const isKnown = isKnownArchitecture(json);
  const weights = isKnown ? KNOWN_WEIGHTS : FROZEN_WEIGHTS;
  if (!(await kept(weights[0])) && !(await kept(weights[1]))) {
    throw new Error(`it has neither ${weights.join(' nor ')}; pickled weights (.bin) are not read`);
  }
  if (!isKnown || json.model_type === 'vit') {
    writeDurably(join(folder, PROCESSOR_FILE), await required(PROCESSOR_FILE, fetchFile));
  } else {
    await kept('tokenizer_config.json');
    await kept('special_tokens_map.json');
    const whole = await kept('tokenizer.json');
    const wordPiece = !whole && (await kept('vocab.txt'));
    const pair = !whole && !wordPiece && (await kept('vocab.json')) && (await kept('merges.txt'));
    if (!whole && !wordPiece && !pair)
      throw new Error('it has no tokenizer.json and no vocabulary');
  }
  writeDurably(join(folder, 'config.json'), config);
}

async function required(file: string, fetchFile: FetchFile): Promise<Uint8Array> {
  const bytes = await fetchFile(file);
  if (bytes === null) throw new Error(`it has no ${file}`);
  return bytes;
}

async function get(url: string, file: string): Promise<Uint8Array | null> {
  const token = process.env.HF_TOKEN;
  const response = await fetch(url, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` },
  });
  if (response.status === 404) return null;
  if (response.status === 401 || response.status === 403) {
    throw new Error(
      `status ${response.status} for ${file}: set HF_TOKEN to a token that may read it`,
    );
  }
  if (!response.ok) throw new Error(`status ${response.status} for ${file}`);
  return new Uint8Array(await response.arrayBuffer());
}

function hubUrl(): string {
  return process.env.HF_ENDPOINT ?? 'https://huggingface.co';
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
