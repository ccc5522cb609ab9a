/** ItemReader: which data set is meant, in which format, and its items as they come. */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { GuardedFiles } from '../handler.js';
import { csvItems, csvRows } from './csv.js';
import { readerFailed } from './failures.js';
import { jsonItems, jsonLines } from './json.js';
import { bucketPlace, folderPlace, type OpenObject, type Place } from './objects.js';
import { parquetItems } from './parquet.js';
import type { S3 } from './s3.js';
import { textOf } from './text.js';

export interface ReaderRequest {
  readonly resource: string;
  readonly parameters: Json;
  readonly config: JsonObject;
}

export interface SourceItem {
  readonly value: Json;
  readonly source: string;
}

type Chunks = AsyncIterable<readonly SourceItem[]>;

export interface ItemSource {
  readonly version: string | null;
  readonly chunks: Chunks;
}

/** A manifest is small: it lists files. */
const MAX_MANIFEST_CHARACTERS = 64 * 1024 * 1024;

export interface ReaderWorld {
  readonly s3: S3;
  readonly files: GuardedFiles;
  readonly signal: AbortSignal;
}

export async function readItems(request: ReaderRequest, world: ReaderWorld): Promise<ItemSource> {
  const { config } = request;
  const parameters = isObject(request.parameters) ? request.parameters : {};
  switch (actionOf(request.resource)) {
    case 's3:getObject': {
      const place = bucketPlace(world.s3, text(parameters, 'Bucket'), {}, world.signal);
      const version = getOwn(parameters, 'VersionId');
      const key = text(parameters, 'Key');
      return readFile(await place.open(key, stringOrNone(version)), config, world);
    }
    case 's3:listObjectsV2': {
      const bucket = text(parameters, 'Bucket');
      return readListing(bucketPlace(world.s3, bucket, parameters, world.signal), config);
    }
    case 'file:read': {
      const place = folderPlace(world.files, '', '');
      return readFile(await place.open(text(parameters, 'Path')), config, world);
    }
    case 'file:list': {
      const prefix = stringOrNone(getOwn(parameters, 'Prefix')) ?? '';
      const place = folderPlace(world.files, text(parameters, 'Path'), prefix);
      return readListing(place, config);
    }
    default:
      throw readerFailed(
        `ItemReader cannot use ${request.resource}: expected arn:aws:states:::s3:getObject, ` +
          'arn:aws:states:::s3:listObjectsV2, file:read or file:list.',
      );
  }
}

/** `arn:aws:states:::s3:getObject` -> `s3:getObject`; also in other partitions. */
export function actionOf(resource: string): string {
  return resource.replace(/^arn:[^:]+:states:::/, '');
}

function text(parameters: JsonObject, name: string): string {
  const value = getOwn(parameters, name);
  if (typeof value === 'string' && value !== '') return value;
  throw readerFailed(`The parameter ${name} must be a text that is not empty.`);
}

function stringOrNone(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function readFile(object: OpenObject, config: JsonObject, world: ReaderWorld): ItemSource {
  const manifest = getOwn(config, 'ManifestType');
  const type = getOwn(config, 'InputType');
  const { version } = object;
  if (type === 'MANIFEST' || manifest === 'S3_INVENTORY') {
    return { version, chunks: inventory(object, world) };
  }
  if (manifest === 'ATHENA_DATA') return { version, chunks: athena(object, config, world) };
  return { version, chunks: itemsOf(object, config, object.source) };
}

/** Items of one file, by InputType. */
async function* itemsOf(
  object: OpenObject,
  config: JsonObject,
  source: string,
): AsyncGenerator<readonly SourceItem[]> {
  for await (const values of valuesOf(object, config)) {
    yield values.map((value) => ({ value, source }));
  }
}

function valuesOf(object: OpenObject, config: JsonObject): AsyncIterable<readonly Json[]> {
  const type = getOwn(config, 'InputType') ?? 'JSON';
  switch (type) {
    case 'CSV':
      return csvItems(textOf(object.bytes), config);
    case 'JSON': {
      const pointer = getOwn(config, 'ItemsPointer');
      return jsonItems(textOf(object.bytes), typeof pointer === 'string' ? pointer : null);
    }
    case 'JSONL':
      return jsonLines(textOf(object.bytes));
    case 'PARQUET':
      return object.withFile(parquetItems);
    default:
      throw readerFailed(`The InputType ${JSON.stringify(type)} is not supported.`);
  }
}

/** The listing itself, or with LOAD_AND_FLATTEN what all its files hold. */
function readListing(place: Place, config: JsonObject): ItemSource {
  const isFlat = getOwn(config, 'Transformation') === 'LOAD_AND_FLATTEN';
  return { version: null, chunks: isFlat ? flattened(place, config) : listing(place) };
}

async function* listing(place: Place): AsyncGenerator<readonly SourceItem[]> {
  for await (const objects of place.list()) {
    yield objects.map(({ item }) => ({ value: item, source: place.source }));
  }
}

async function* flattened(place: Place, config: JsonObject): AsyncGenerator<readonly SourceItem[]> {
  for await (const objects of place.list()) {
    for (const { name } of objects) {
      if (name.endsWith('/')) continue; // A folder's own object has no content.
      const object = await place.open(name);
      yield* itemsOf(object, config, object.source);
    }
  }
}

/** S3 Inventory: manifest.json names the files and their columns; an item is one row. */
async function* inventory(
  manifest: OpenObject,
  world: ReaderWorld,
): AsyncGenerator<readonly SourceItem[]> {
  const content = parseManifest(await wholeText(manifest));
  const destination = String(getOwn(content, 'destinationBucket') ?? '').replace(
    /^arn:[^:]+:s3:::/,
    '',
  );
  const place = bucketPlace(world.s3, destination, {}, world.signal);
  const format = String(getOwn(content, 'fileFormat') ?? 'CSV').toUpperCase();
  const columns = String(getOwn(content, 'fileSchema') ?? '').split(',');
  const config: JsonObject =
    format === 'PARQUET'
      ? { InputType: 'PARQUET' }
      : {
          InputType: 'CSV',
          CSVHeaderLocation: 'GIVEN',
          CSVHeaders: columns.map((column) => column.trim()),
        };
  const files = getOwn(content, 'files');
  if (!isArray(files) || destination === '')
    throw readerFailed('The file is no inventory manifest.');
  for (const file of files) {
    const key = isObject(file) ? getOwn(file, 'key') : undefined;
    if (typeof key !== 'string') throw readerFailed('A file of the inventory manifest has no key.');
    yield* itemsOf(await place.open(key), config, manifest.source);
  }
}

function parseManifest(content: string): JsonObject {
  try {
    const value = JSON.parse(content) as Json;
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw readerFailed('The file is no inventory manifest.');
}

/** Athena's UNLOAD: one s3:// address per line. */
async function* athena(
  manifest: OpenObject,
  config: JsonObject,
  world: ReaderWorld,
): AsyncGenerator<readonly SourceItem[]> {
  for await (const rows of csvRows(textOf(manifest.bytes), ',')) {
    for (const [address = ''] of rows) {
      const match = /^s3:\/\/([^/]+)\/(.+)$/.exec(address.trim());
      if (match === null) throw readerFailed(`The manifest holds no S3 address: ${address}`);
      const place = bucketPlace(world.s3, match[1] as string, {}, world.signal);
      const object = await place.open(match[2] as string);
      yield* itemsOf(object, config, object.source);
    }
  }
}

async function wholeText(object: OpenObject): Promise<string> {
  let content = '';
  for await (const piece of textOf(object.bytes)) {
    content += piece;
    if (content.length > MAX_MANIFEST_CHARACTERS) throw readerFailed('The manifest is too large.');
  }
  return content;
}
