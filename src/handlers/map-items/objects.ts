/** Where the bytes of a Map Run's items lie: objects in S3, or files the machine may use. */
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createWriteStream } from 'node:fs';
import type { _Object, ListObjectsV2CommandInput } from '@aws-sdk/client-s3';
import * as zlib from 'node:zlib';
import { fromEntries, getOwn, type Json, type JsonObject } from '../../lib/json.js';
import type { GuardedFiles } from '../handler.js';
import { readerFailed, s3Cause } from './failures.js';
import type { S3 } from './s3.js';
import type { Bytes } from './text.js';

/** One object or file, opened. */
export interface OpenObject {
  readonly name: string;
  /** `Map.Item.Source`. */
  readonly source: string;
  readonly version: string | null;
  readonly bytes: Bytes;
  /** The object as a local file, for formats that are not read from front to back. */
  withFile<T>(work: (path: string) => AsyncIterable<T>): AsyncIterable<T>;
}

export interface ListedObject {
  readonly name: string;
  readonly item: JsonObject;
}

/** A bucket or folder with its objects. */
export interface Place {
  readonly source: string;
  open(name: string, version?: string): Promise<OpenObject>;
  list(): AsyncIterable<readonly ListedObject[]>;
}

export function bucketPlace(
  s3: S3,
  bucket: string,
  parameters: JsonObject,
  signal: AbortSignal,
): Place {
  const source = `S3://${bucket}`;
  return {
    source,
    open: async (name, version) => {
      try {
        const { GetObjectCommand } = await import('@aws-sdk/client-s3');
        const owner = getOwn(parameters, 'ExpectedBucketOwner');
        const command = new GetObjectCommand({
          Bucket: bucket,
          Key: name,
          ...(version === undefined ? {} : { VersionId: version }),
          ...(typeof owner === 'string' ? { ExpectedBucketOwner: owner } : {}),
        });
        const answer = await (await s3()).send(command, { abortSignal: signal });
        const body = answer.Body as unknown as AsyncIterable<Uint8Array>;
        const encoding = answer.ContentEncoding ?? '';
        const bytes = failing(body);
        return {
          name,
          source: `${source}/${name}`,
          version: answer.VersionId ?? answer.ETag ?? null,
          bytes: decompressed(bytes, name, encoding.includes('gzip')),
          withFile: (work) => downloaded(bytes, work),
        };
      } catch (error) {
        throw readerFailed(s3Cause(error));
      }
    },
    list: () => listBucket(s3, bucket, parameters, signal),
  };
}

async function* failing(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw readerFailed(s3Cause(error));
  }
}

async function* listBucket(
  s3: S3,
  bucket: string,
  parameters: JsonObject,
  signal: AbortSignal,
): AsyncGenerator<readonly ListedObject[]> {
  const { ListObjectsV2Command } = await import('@aws-sdk/client-s3');
  const { Bucket: _bucket, ...rest } = parameters as { readonly [name: string]: Json };
  let token: string | undefined;
  do {
    const input = {
      ...rest,
      Bucket: bucket,
      ...(token === undefined ? {} : { ContinuationToken: token }),
    } as ListObjectsV2CommandInput;
    let page: { Contents?: _Object[]; IsTruncated?: boolean; NextContinuationToken?: string };
    try {
      page = (await (
        await s3()
      ).send(new ListObjectsV2Command(input), {
        abortSignal: signal,
      })) as typeof page;
    } catch (error) {
      throw readerFailed(s3Cause(error));
    }
    const objects = page.Contents ?? [];
    if (objects.length > 0) yield objects.map(listed);
    token = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

/** Recorded: `Etag` with its quotes, `LastModified` in epoch seconds. */
function listed(object: _Object): ListedObject {
  const members: [string, Json | undefined][] = [
    ['Etag', object.ETag],
    ['LastModified', object.LastModified && Math.floor(object.LastModified.getTime() / 1000)],
    ['Key', object.Key],
    ['Size', object.Size],
    ['StorageClass', object.StorageClass],
  ];
  const given = members.filter((member): member is [string, Json] => member[1] !== undefined);
  return { name: object.Key ?? '', item: fromEntries(given) };
}

/** A folder; names are paths below it. An empty folder stands for the machine's base folder. */
export function folderPlace(files: GuardedFiles, folder: string, prefix: string): Place {
  const pathOf = (name: string): string => (folder === '' ? name : join(folder, name));
  return {
    source: `file://${folder}`,
    open: async (name) => {
      const path = await files.resolveReadable(pathOf(name)).catch(asReaderFailure);
      const { mtimeMs, size } = await stat(path);
      const bytes = createReadStream(path, { highWaterMark: 256 * 1024 }) as Bytes;
      return {
        name,
        source: `file://${path}`,
        version: `${mtimeMs}-${size}`,
        bytes: decompressed(bytes, name, false),
        withFile: (work) => work(path),
      };
    },
    list: () => listFolder(files, folder, prefix),
  };
}

function asReaderFailure(error: unknown): never {
  throw readerFailed(s3Cause(error));
}

const LISTED_AT_ONCE = 500;

/** Files below the folder, by name, links not followed. */
async function* listFolder(
  files: GuardedFiles,
  folder: string,
  prefix: string,
): AsyncGenerator<readonly ListedObject[]> {
  const root = await files.resolveReadable(folder === '' ? '.' : folder).catch(asReaderFailure);
  let objects: ListedObject[] = [];
  for await (const path of walk(root)) {
    const name = relative(root, path).replaceAll(sep, '/');
    if (!name.startsWith(prefix)) continue;
    const { mtimeMs, size } = await stat(path);
    const item = { LastModified: Math.floor(mtimeMs / 1000), Key: name, Size: size };
    objects.push({ name, item });
    if (objects.length < LISTED_AT_ONCE) continue;
    yield objects;
    objects = [];
  }
  if (objects.length > 0) yield objects;
}

async function* walk(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}

function decompressed(bytes: Bytes, name: string, isGzip: boolean): Bytes {
  if (isGzip || name.endsWith('.gz')) return through(bytes, zlib.createGunzip(), 'gzip');
  if (!/\.zst(d)?$/.test(name)) return bytes;
  const create = (zlib as { createZstdDecompress?: () => ReturnType<typeof zlib.createGunzip> })
    .createZstdDecompress;
  if (create === undefined) {
    throw readerFailed('Reading zstd files needs Node.js 22.15 or later; use gzip.');
  }
  return through(bytes, create(), 'zstd');
}

async function* through(
  bytes: Bytes,
  transform: ReturnType<typeof zlib.createGunzip>,
  format: string,
): AsyncGenerator<Uint8Array> {
  const input = Readable.from(bytes, { objectMode: false });
  input.on('error', (error) => transform.destroy(error));
  try {
    for await (const piece of input.pipe(transform)) yield piece as Uint8Array;
  } catch (error) {
    if (!(error as { code?: string }).code?.startsWith('Z_')) throw error;
    throw readerFailed(`The file is not valid ${format} data: ${(error as Error).message}`);
  } finally {
    input.destroy();
    transform.destroy();
  }
}

async function* downloaded<T>(
  bytes: Bytes,
  work: (path: string) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const folder = await mkdtemp(join(tmpdir(), 'stepwell-map-'));
  try {
    const path = join(folder, 'object');
    await pipeline(Readable.from(bytes, { objectMode: false }), createWriteStream(path));
    yield* work(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
