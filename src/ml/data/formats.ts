/** Which format a source has, and the one place where bytes of that format become records. */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Bytes, fileBytes, gunzipped } from './bytes.js';
import { type CsvOptions, csvRecords } from './csv.js';
import { badFormat } from './data-failure.js';
import { jsonLinesRecords, jsonRecords } from './json-records.js';
import { transcode } from './lines.js';
import { parquetRecords } from './parquet.js';
import type { RecordStream } from './record.js';

export const FORMATS = ['csv', 'tsv', 'json', 'jsonl', 'parquet'] as const;
export type Format = (typeof FORMATS)[number];

export interface FormatOptions {
  readonly format?: Format;
  readonly csv?: CsvOptions & { readonly encoding?: string };
  /** Path of the array of rows inside a JSON document, such as `data.items`. */
  readonly rowsAt?: string;
}

/** Where bytes come from: a local file, or a body of which name and type are known. */
export type ByteSource = {
  readonly place: string;
  readonly name: string;
  readonly contentType: string | null;
} & (
  | { readonly file: string }
  /** `discard` closes a body that nobody will read. */
  | { readonly body: Bytes; discard(): Promise<void> }
);

const EXTENSIONS: Readonly<Record<string, Format>> = {
  csv: 'csv',
  tsv: 'tsv',
  tab: 'tsv',
  json: 'json',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  parquet: 'parquet',
  pq: 'parquet',
};

const CONTENT_TYPES: Readonly<Record<string, Format>> = {
  'text/csv': 'csv',
  'application/csv': 'csv',
  'text/tab-separated-values': 'tsv',
  'application/json': 'json',
  'application/x-ndjson': 'jsonl',
  'application/ndjson': 'jsonl',
  'application/jsonl': 'jsonl',
  'application/jsonlines': 'jsonl',
  'application/vnd.apache.parquet': 'parquet',
  'application/x-parquet': 'parquet',
};

export function formatOf(source: ByteSource, options: FormatOptions): Format {
  if (options.format !== undefined) return options.format;
  const extension = source.name.toLowerCase().replace(/\.gz$/, '').split('.').pop() ?? '';
  const type = (source.contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const found =
    (Object.hasOwn(EXTENSIONS, extension) ? EXTENSIONS[extension] : undefined) ??
    (Object.hasOwn(CONTENT_TYPES, type) ? CONTENT_TYPES[type] : undefined);
  if (found !== undefined) return found;
  throw badFormat(
    `neither the name nor the content type (${type === '' ? 'none' : type}) tells the format: ` +
      `set format to one of ${FORMATS.join(', ')}.`,
  );
}

/** Opens a byte source as records; Parquet needs a file, so a body is first laid into `scratch`. */
export async function openRecords(
  source: ByteSource,
  options: FormatOptions,
  scratch: () => Promise<string>,
): Promise<RecordStream> {
  try {
    return await opened(source, options, scratch);
  } catch (error) {
    if ('body' in source) await source.discard();
    throw error;
  }
}

async function opened(
  source: ByteSource,
  options: FormatOptions,
  scratch: () => Promise<string>,
): Promise<RecordStream> {
  refusePage(source, options);
  const format = formatOf(source, options);
  if (format === 'parquet') return await openParquet(source, scratch);
  const raw = 'file' in source ? fileBytes(source.file) : source.body;
  const bytes = source.name.toLowerCase().endsWith('.gz') ? gunzipped(raw) : raw;
  if (format === 'jsonl') return jsonLinesRecords(bytes);
  if (format === 'json') return await jsonRecords(bytes, options.rowsAt ?? null);
  const { encoding, ...csv } = options.csv ?? {};
  const text = encoding === undefined ? bytes : transcode(bytes, encoding);
  return await csvRecords(text, format === 'tsv' ? { delimiter: '\t', quote: '', ...csv } : csv);
}

/** An HTML answer is a login page or an error, whatever the address promised. */
function refusePage(source: ByteSource, options: FormatOptions): void {
  if (!/^(text\/html|application\/xhtml)/i.test(source.contentType ?? '')) return;
  const wanted = options.format ?? 'data';
  throw badFormat(
    `the answer is an HTML page, expected ${wanted}: a login or error page? Check the address and its headers.`,
  );
}

async function openParquet(
  source: ByteSource,
  scratch: () => Promise<string>,
): Promise<RecordStream> {
  if ('file' in source && !source.name.endsWith('.gz')) return await parquetRecords(source.file);
  const raw = 'file' in source ? fileBytes(source.file) : source.body;
  const body = source.name.endsWith('.gz') ? gunzipped(raw) : raw;
  const path = join(await scratch(), `download-${randomUUID()}.parquet`);
  const remove = () => rm(path, { force: true });
  try {
    await pipeline(Readable.from(body), createWriteStream(path, { flags: 'wx' }));
    const records = await parquetRecords(path);
    return { ...records, batches: thenRemove(records.batches, remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function* thenRemove<T>(batches: AsyncIterable<T>, remove: () => Promise<void>) {
  try {
    yield* batches;
  } finally {
    await remove();
  }
}
