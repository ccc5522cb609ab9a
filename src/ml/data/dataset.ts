/** A stored dataset as rows, as often as they are needed. Broken rows end the step: it was checked once. */
import { badFormat } from './data-failure.js';
import { basename } from 'node:path';
import { type FormatOptions, openRecords } from './formats.js';
import type { Row } from './record.js';

export interface StoredDataset extends FormatOptions {
  readonly path: string;
  /** How a person knows it: the address as given. */
  readonly address: string;
}

export async function datasetColumns(dataset: StoredDataset): Promise<readonly string[]> {
  const records = await openDataset(dataset);
  // A stream that was opened must be entered and left, else its file stays open.
  for await (const _ of records.batches) break;
  return records.columns ?? [];
}

export async function* datasetRows(
  dataset: StoredDataset,
  signal: AbortSignal,
): AsyncGenerator<readonly Row[]> {
  const records = await openDataset(dataset);
  for await (const batch of records.batches) {
    signal.throwIfAborted();
    yield batch.map((record) => {
      if (record.kind === 'row') return record.row;
      throw badFormat(
        `${dataset.address}, ${records.unit} ${record.line}: ${record.problem}. ` +
          'Bring the data in with ml:ingest, whose onBadRow "skip" drops broken rows.',
      );
    });
  }
}

async function openDataset(dataset: StoredDataset) {
  const name = basename(dataset.path);
  const source = { place: dataset.address, name, contentType: null, file: dataset.path };
  // A content-addressed file may carry no extension: datasets are JSON Lines unless the name tells.
  const named = /\.(csv|tsv|tab|json|jsonl|ndjson|parquet|pq)(\.gz)?$/i.test(name);
  const options =
    named || dataset.format !== undefined ? dataset : { ...dataset, format: 'jsonl' as const };
  return await openRecords(source, options, async () => {
    throw badFormat(`${dataset.address}: unpack the Parquet file first.`);
  });
}
